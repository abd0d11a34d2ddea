"""A small convolutional GAN for 32x32 grey digits, trained on MNIST: `python my_gan.py --epochs 20`."""

import argparse
import os

import numpy as np
import torch
import torch.nn as nn
import torchvision.transforms as transforms
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.utils import save_image

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20, help="passes over the training set")
parser.add_argument("--batch-size", type=int, default=64, help="images per step")
parser.add_argument("--lr", type=float, default=2e-4, help="learning rate of both networks")
parser.add_argument("--latent-dim", type=int, default=64, help="length of the noise vector")
parser.add_argument("--width", type=int, default=64, help="channels of the first feature map")
parser.add_argument("--img-size", type=int, default=32, help="height and width of an image")
parser.add_argument("--channels", type=int, default=1, help="1 for grey images, 3 for colour")
parser.add_argument("--save-every", type=int, default=500, help="steps between two sample grids")
opt = parser.parse_args()
print(opt)

os.makedirs("images", exist_ok=True)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
img_shape = (opt.channels, opt.img_size, opt.img_size)


def weights_init_normal(m):
    """Small normal weights, as in the DCGAN paper."""
    name = m.__class__.__name__
    if name.startswith("Conv"):
        nn.init.normal_(m.weight, 0.0, 0.02)
    elif name.startswith("BatchNorm"):
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.zeros_(m.bias)


def up_block(in_channels, out_channels):
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.start_size = opt.img_size // 8
        self.project = nn.Linear(opt.latent_dim, opt.width * self.start_size**2)
        self.norm = nn.BatchNorm2d(opt.width)
        self.up1 = up_block(opt.width, 64)
        self.up2 = up_block(64, 48)
        self.up3 = up_block(48, 32)
        self.to_image = nn.Conv2d(32, opt.channels, 3, padding=1)

    def forward(self, z):
        h = self.project(z)
        h = h.view(z.size(0), -1, self.start_size, self.start_size)
        h = torch.relu(self.norm(h))
        h = self.up3(self.up2(self.up1(h)))
        return torch.tanh(self.to_image(h))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()

        def down_block(in_channels, out_channels):
            return [nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]

        self.features = nn.Sequential(
            *down_block(opt.channels, 32),
            *down_block(32, 64),
            *down_block(64, 128),
        )
        self.score = nn.Linear(128 * (opt.img_size // 8) ** 2, 1)

    def forward(self, img):
        h = self.features(img)
        return self.score(h.flatten(1)).squeeze(1)


generator = Generator().to(device)
discriminator = Discriminator().to(device)
generator.apply(weights_init_normal)
discriminator.apply(weights_init_normal)

adversarial_loss = nn.BCEWithLogitsLoss()
optimizer_G = torch.optim.Adam(generator.parameters(), lr=opt.lr, betas=(0.5, 0.999))
optimizer_D = torch.optim.Adam(discriminator.parameters(), lr=opt.lr, betas=(0.5, 0.999))

dataloader = DataLoader(
    datasets.MNIST(
        "data/mnist",
        train=True,
        download=True,
        transform=transforms.Compose(
            [transforms.Resize(opt.img_size), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])]
        ),
    ),
    batch_size=opt.batch_size,
    shuffle=True,
    drop_last=True,
)

step = 0
for epoch in range(opt.epochs):
    for imgs, _ in dataloader:
        real = imgs.to(device)
        z = torch.as_tensor(np.random.normal(size=(real.size(0), opt.latent_dim)), dtype=torch.float32, device=device)
        fake = generator(z)

        optimizer_D.zero_grad()
        real_score = discriminator(real)
        fake_score = discriminator(fake.detach())
        d_loss = adversarial_loss(real_score, torch.ones_like(real_score))
        d_loss = d_loss + adversarial_loss(fake_score, torch.zeros_like(fake_score))
        d_loss.backward()
        optimizer_D.step()

        optimizer_G.zero_grad()
        score = discriminator(fake)
        g_loss = adversarial_loss(score, torch.ones_like(score))
        g_loss.backward()
        optimizer_G.step()

        if step % opt.save_every == 0:
            print(f"epoch {epoch}  step {step}  D {d_loss.item():.3f}  G {g_loss.item():.3f}")
            save_image(fake[:25], f"images/{step:06d}.png", nrow=5, normalize=True)
        step += 1
