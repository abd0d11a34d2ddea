"""Random changes that real and fake images go through alike before the discriminator sees them.

What the discriminator may not rely on is changed in both, differentiably, so that few real images last longer and the
generator does not learn the changes. Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN
Training", sections 3.2 and 4, with its kinds of change and their ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rpganify.data.display import is_picture
from rpganify.errors import TrainingError, closest

Operation = Callable[[Tensor, torch.Generator], Tensor]

# Of the image's sides: how far it is moved at most, and how large a square is cut out.
_LARGEST_SHIFT = 1 / 8
_CUTOUT = 1 / 2


@dataclass(frozen=True, slots=True)
class Augmentation:
    """A policy: which changes, each drawn anew for every image, one after the other.

    Args:
        policy: names joined by commas, in the order in which they are applied: `brightness`, `saturation`, `contrast`,
            `translation`, `cutout`; or `diffaugment` for all of these. Empty for none.
    Raises:
        TrainingError: a name that does not exist, or one twice.
    """

    policy: str

    def __post_init__(self) -> None:
        names = self.names
        for name in names:
            if name not in _OPERATIONS:
                raise TrainingError(
                    f"There is no augmentation {name!r}.{closest(name, list(_OPERATIONS))} There are: "
                    f"{', '.join(_OPERATIONS)}; diffaugment is all of them."
                )
            if names.count(name) > 1:
                raise TrainingError(f"The augmentation {self.policy!r} names {name} twice; once is enough.")

    @property
    def names(self) -> tuple[str, ...]:
        """The changes, in the order in which they are applied."""
        if self.policy.strip() == "diffaugment":
            return tuple(_OPERATIONS)
        return tuple(name.strip() for name in self.policy.split(",")) if self.policy.strip() else ()

    def check(self, image_shape: tuple[int, ...]) -> None:
        """Refuse what is no picture.

        Args:
            image_shape: of one image.
        Raises:
            TrainingError: it is not `(C, H, W)` of one or three channels, and the policy is not empty.
        """
        if self.names and not is_picture(tuple(image_shape)):
            raise TrainingError(
                f"The augmentation {self.policy!r} changes pictures, 1×H×W or 3×H×W, but these samples are "
                f"{'×'.join(map(str, image_shape))}. Train without it (--augment '')."
            )

    def __call__(self, images: Tensor, chance: torch.Generator) -> Tensor:
        """The images, each changed in its own way; differentiable in them.

        Args:
            images: float `(N, C, H, W)` in about [-1, 1]; not changed in place. The result may leave that range.
            chance: a CPU generator: the same seed gives the same changes on every device.
        Raises:
            TrainingError: they are no pictures.
        """
        self.check(tuple(images.shape[1:]))
        for name in self.names:
            images = _OPERATIONS[name](images, chance)
        return images


def _uniform(images: Tensor, chance: torch.Generator) -> Tensor:
    """One number in [0, 1) for each image, `(N, 1, 1, 1)`."""
    return torch.rand(len(images), 1, 1, 1, generator=chance).to(images)


def _whole(count: int, low: int, high: int, chance: torch.Generator, device: torch.device) -> Tensor:
    """Whole numbers from low to high, both included: int64 `(count, 1)`."""
    return torch.randint(low, high + 1, (count, 1), generator=chance).to(device)


def _brightness(images: Tensor, chance: torch.Generator) -> Tensor:
    """All of an image brighter or darker by up to 0.5, a quarter of the range."""
    return images + (_uniform(images, chance) - 0.5)


def _saturation(images: Tensor, chance: torch.Generator) -> Tensor:
    """Each pixel's colours up to twice as far from its grey, or down to it; nothing for grey images."""
    grey = images.mean(dim=1, keepdim=True)
    return torch.lerp(grey, images, 2 * _uniform(images, chance))


def _contrast(images: Tensor, chance: torch.Generator) -> Tensor:
    """Each pixel 0.5 to 1.5 times as far from the image's mean."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, _uniform(images, chance) + 0.5)


def _translation(images: Tensor, chance: torch.Generator) -> Tensor:
    """Each image moved by whole pixels, up to an eighth of its height and width; what comes in is 0, mid grey."""
    count, channels, height, width = images.shape
    reach = [round(size * _LARGEST_SHIFT) for size in (height, width)]
    padded = functional.pad(images, (reach[1], reach[1], reach[0], reach[0]))
    down, right = (_whole(count, 0, 2 * most, chance, images.device) for most in reach)
    rows = down + torch.arange(height, device=images.device)  # (N, H)
    columns = right + torch.arange(width, device=images.device)  # (N, W)
    tall = padded.gather(2, rows[:, None, :, None].expand(-1, channels, -1, padded.shape[3]))
    return tall.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))


def _cutout(images: Tensor, chance: torch.Generator) -> Tensor:
    """A rectangle of half the height and width set to 0, mid grey; its centre is anywhere, so part may lie outside."""
    count, _, height, width = images.shape
    is_inside = []
    for size in (height, width):
        extent = round(size * _CUTOUT)
        first = _whole(count, 0, size - 1, chance, images.device) - extent // 2
        offset = torch.arange(size, device=images.device) - first  # (N, size)
        is_inside.append((offset >= 0) & (offset < extent))
    is_cut = is_inside[0][:, None, :, None] & is_inside[1][:, None, None, :]  # (N, 1, H, W)
    return images.masked_fill(is_cut, 0.0)


_OPERATIONS: dict[str, Operation] = {
    "brightness": _brightness,
    "saturation": _saturation,
    "contrast": _contrast,
    "translation": _translation,
    "cutout": _cutout,
}
