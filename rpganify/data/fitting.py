"""Images brought to another shape: cropped to its aspect, resized, grey made RGB or the other way."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from rpganify.data.images import ImageData

# ITU-R BT.601, the luma of JPEG and of Pillow's "L".
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True, eq=False)
class FittedImages:
    """Images of another set, brought to a shape when drawn.

    Args:
        base: where they come from.
        image_shape: `(C, H, W)` wanted; C is the base's, or 3 for 1, or 1 for 3.
    """

    base: ImageData
    image_shape: tuple[int, int, int]

    @property
    def name(self) -> str:
        """That of the base."""
        return self.base.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the base."""
        return self.base.class_names

    @property
    def num_classes(self) -> int | None:
        """That of the base."""
        return self.base.num_classes

    @property
    def labels(self) -> Tensor | None:
        """Those of the base."""
        return self.base.labels

    @property
    def note(self) -> str:
        """That of the base."""
        return self.base.note

    def __len__(self) -> int:
        return len(self.base)

    def images(self, indices: Tensor) -> Tensor:
        """The images at int64 `(B,)` indices: uint8 `(B, C, H, W)`."""
        return fit_pixels(self.base.images(indices), self.image_shape)


def fit_pixels(pixels: Tensor, image_shape: tuple[int, int, int]) -> Tensor:
    """uint8 `(N, c, h, w)` as uint8 `(N, C, H, W)`: cropped to the aspect H:W, resized (bilinear, antialiased).

    Args:
        pixels: of any size; c is C, or 1 where C is 3, or 3 where C is 1 (weighted to luma).
        image_shape: `(C, H, W)`.
    """
    num_channels, height, width = image_shape
    kept_height, kept_width = kept_size(pixels.shape[2], pixels.shape[3], height, width)
    top, left = (pixels.shape[2] - kept_height) // 2, (pixels.shape[3] - kept_width) // 2
    values = pixels[:, :, top : top + kept_height, left : left + kept_width].to(torch.float32)
    if num_channels == 1 and pixels.shape[1] == 3:
        values = (values * torch.tensor(_LUMA)[:, None, None]).sum(dim=1, keepdim=True)  # (N, 1, h, w)
    if (kept_height, kept_width) != (height, width):
        values = F.interpolate(values, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
    fitted = values.round_().clamp_(0, 255).to(torch.uint8)
    if num_channels == 3 and pixels.shape[1] == 1:
        fitted = fitted.repeat(1, 3, 1, 1)
    return fitted


def kept_size(height: int, width: int, to_height: int, to_width: int) -> tuple[int, int]:
    """Height and width of the largest part of an image that has the aspect `to_height`:`to_width`; each at least 1."""
    if height * to_width > width * to_height:
        return max(1, round(width * to_height / to_width)), width
    return height, max(1, round(height * to_width / to_height))
