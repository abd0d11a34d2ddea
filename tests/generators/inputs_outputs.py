"""What goes in and comes out: several latents, labels, lists, dicts, flags; tuples, dicts and None."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.generators.case import LATENT, Case, image

CLASSES = 5


class SeveralLatents(nn.Module):
    """Content and style; the style becomes `Z`."""

    def __init__(self) -> None:
        super().__init__()
        self.content, self.style = nn.Linear(4, 48), nn.Linear(LATENT, 48)

    def forward(self, z_content: Tensor, z_style: Tensor) -> Tensor:
        return image(self.content(z_content) * torch.sigmoid(self.style(z_style)))


class ListOfLatents(nn.Module):
    """StyleGAN2's way: a list of latents, an optional index where they change."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Linear(LATENT, 8)
        self.out = nn.Linear(8, 48)

    def forward(self, styles: list[Tensor], inject_index: int | None = None, noise: Any = None) -> Any:
        mapped = [torch.relu(self.mapping(style)) for style in styles]
        if len(mapped) < 2 or inject_index is None:
            return image(self.out(mapped[0])), None
        return image(self.out(torch.cat([mapped[0][:, :inject_index], mapped[1][:, inject_index:]], 1))), None


class DictInput(nn.Module):
    """One dict of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.pose = nn.Linear(LATENT, 48), nn.Linear(2, 48)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        h = self.fc(batch["z"]) + self.pose(batch["pose"])
        return {"aux": h.mean(1, keepdim=True), "mask": None, "fake": image(h)}


class ClassLabels(nn.Module):
    """Class indices through an embedding, found by name."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = LATENT
        self.embed = nn.Embedding(CLASSES, 4)
        self.fc = nn.Linear(LATENT + 4, 48)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return image(self.fc(torch.cat((z, self.embed(labels)), dim=1)))


class OneHotLabels(nn.Module):
    """One-hot rows, as InfoGAN and ACGAN take them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT + CLASSES, 48)

    def forward(self, noise: Tensor, y: Tensor) -> Tensor:
        return image(self.fc(torch.cat((noise, y.float()), dim=-1)))


class MakesOneHot(nn.Module):
    """Class indices that forward itself turns into rows."""

    def __init__(self) -> None:
        super().__init__()
        self.z_dim = LATENT
        self.fc = nn.Linear(LATENT + CLASSES, 48)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        rows = torch.zeros(label.size(0), CLASSES, device=label.device).scatter_(1, label[:, None], 1.0)
        return image(self.fc(torch.cat((z, rows + F.one_hot(label, CLASSES)), 1)))


class TruncationFlag(nn.Module):
    """Constants among the arguments switch parts on."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)
        self.register_buffer("w_avg", torch.linspace(-1, 1, 8))

    def forward(self, z: Tensor, truncation_psi: float = 1.0, *, return_w: bool = False) -> Any:
        w = torch.relu(self.mapping(z))
        if truncation_psi != 1:
            w = self.w_avg + truncation_psi * (w - self.w_avg)
        return (image(self.out(w)), w) if return_w else image(self.out(w))


class OptionalArguments(nn.Module):
    """None by default, replaced inside."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)

    def forward(self, z: Tensor, mask: Tensor | None = None, alpha: float = 0.3) -> Tensor:
        h = self.fc(z)
        if mask is None:
            mask = torch.ones_like(h)
        return image(alpha * h * mask)


class NoiseMaps(nn.Module):
    """A noise map is an input of its own and stays one."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.strength = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, z: Tensor, noise_map: Tensor) -> Tensor:
        return torch.tanh(self.fc(z).view(-1, 3, 4, 4) + self.strength * noise_map)


class NestedOutputs(nn.Module):
    """A tuple with a list, a None and features beside the images."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)

    def forward(self, z: Tensor) -> Any:
        h = self.fc(z)
        pictures = image(self.out(h))
        return h, [F.avg_pool2d(pictures, 2), pictures], None


class SpatialLatent(nn.Module):
    """A latent with 1x1 extent, found from the first layer; `main` of DCGAN's tutorial."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(LATENT, 8, 2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input: Tensor) -> Tensor:
        return self.main(input)


class FlatImages(nn.Module):
    """Images as rows of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(LATENT, 16), nn.LeakyReLU(0.2), nn.Linear(16, 48), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def latents(**sizes: int | tuple[int, ...]) -> Any:
    """Inputs with these names and shapes, normal."""

    def draw(batch: int, draws: torch.Generator) -> dict[str, Any]:
        shapes = {name: size if isinstance(size, tuple) else (size,) for name, size in sizes.items()}
        return {name: torch.randn(batch, *shape, generator=draws) for name, shape in shapes.items()}

    return draw


def labelled(latent: str, name: str, is_one_hot: bool = False) -> Any:
    """A latent and a class per sample."""

    def draw(batch: int, draws: torch.Generator) -> dict[str, Any]:
        labels = torch.randint(CLASSES, (batch,), generator=draws)
        z = torch.randn(batch, LATENT, generator=draws)
        return {latent: z, name: torch.eye(CLASSES)[labels] if is_one_hot else labels}

    return draw


def styles(batch: int, draws: torch.Generator) -> dict[str, Any]:
    return {"styles": [torch.randn(batch, LATENT, generator=draws) for _ in range(2)]}


def in_a_dict(batch: int, draws: torch.Generator) -> dict[str, Any]:
    return {"batch": latents(z=LATENT, pose=2)(batch, draws)}


CASES = (
    Case(SeveralLatents, latents(z_content=4, z_style=LATENT), is_found=False, latent="z_style"),
    Case(
        ListOfLatents,
        styles,
        is_found=False,
        latent="styles[0]",
        constants=(("inject_index", 3),),
        images=lambda outputs: outputs[0],
    ),
    Case(DictInput, in_a_dict, is_found=False, latent="batch['z']", images=lambda outputs: outputs["fake"]),
    Case(ClassLabels, labelled("z", "labels")),
    Case(OneHotLabels, labelled("noise", "y", is_one_hot=True), is_found=False, latent="noise"),
    Case(MakesOneHot, labelled("z", "label")),
    Case(
        TruncationFlag,
        constants=(("truncation_psi", 0.7), ("return_w", True)),
        images=lambda outputs: outputs[0],
    ),
    Case(OptionalArguments),
    Case(NoiseMaps, latents(z=LATENT, noise_map=(1, 4, 4)), is_found=False, latent="z"),
    Case(NestedOutputs, images=lambda outputs: outputs[1][1]),
    Case(SpatialLatent, latents(input=(LATENT, 1, 1)), mixes=("train",)),
    Case(FlatImages, latents(x=LATENT)),
)
