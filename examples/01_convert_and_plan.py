"""A generator becomes a random path GAN: `python examples/01_convert_and_plan.py`."""

from pathlib import Path

import torch
from torch import Tensor, nn

import rpganify

OUTPUT = Path("runs/examples")


class Generator(nn.Module):
    """Any generator of yours: it knows nothing of buckets, blocks or paths."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(32, 64 * 2 * 2)
        self.up1 = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(64, 32, 3, padding=1), nn.BatchNorm2d(32))
        self.up2 = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32))
        self.to_image = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = torch.relu(self.project(z)).view(-1, 64, 2, 2)
        h = torch.relu(self.up1(h))
        h = torch.relu(self.up2(h))
        return torch.tanh(self.to_image(h))


generator = Generator()

# Its natural stages become the buckets; each gets as many blocks as you say.
rp = rpganify.wrap(generator, buckets=4, blocks=10)
for number, bucket in enumerate(rp.plan.buckets, 1):
    print(f"bucket {number}: {bucket.name}, {bucket.num_blocks} blocks of {', '.join(bucket.layers)}")
print(f"shared by all paths: {', '.join(rp.plan.shared)}")
print(f"{rp.paths.cardinality:,} paths, {rp.paths.coverage(1797):.1f} for each of 1,797 digits")

# Or choose them: a bucket may hold several layers, wherever they are.
chosen = rpganify.wrap(Generator(), buckets=["project", "up1,up2", "to_image"], blocks=[20, 10, 3])
print("chosen:", [(bucket.name, bucket.num_blocks) for bucket in chosen.plan.buckets])

# A path is one block per bucket. A batch of paths becomes a batch of images, in one pass.
paths = rp.paths.sample(6, generator=torch.Generator().manual_seed(0))
rp.eval()  # batch norms, which all paths share, now treat every image by itself
with torch.no_grad():
    images = rp(paths)
    # Each path is an ordinary generator, too: the original class with that path's weights.
    plain = rpganify.extract(rp, paths[0])
    print("one path taken out differs by", float((plain(rp.Z)[0] - images[0]).abs().max()))

rpganify.save(rp, OUTPUT / "generator.rpgan", overwrite=True)
again = rpganify.load(OUTPUT / "generator.rpgan")  # needs no class and runs no code of yours
print("saved, and opened again:", again.paths.num_blocks)
