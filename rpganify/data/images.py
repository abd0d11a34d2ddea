"""What a data set is, and the one of images that lies in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from rpganify.errors import DataError

# Sets up to this size are kept in memory; images of larger ones are made again each time they are drawn.
MEMORY_LIMIT_BYTES = 2**30


@runtime_checkable
class ImageData(Protocol):
    """Real images of one shape, drawn by index; the same index gives the same image each time.

    What is no picture, such as sound `(channels, samples)`, comes through here as well: its shape has another number of
    axes, and its values are int16 or float32.
    """

    @property
    def name(self) -> str:
        """As the user would write it, e.g. `mnist[0-6]`."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(C, H, W)` of every image."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per label, label 0 first; empty without labels."""

    @property
    def num_classes(self) -> int | None:
        """How many labels the set knows; None without labels. A filter leaves it, and the labels, as they are."""

    @property
    def labels(self) -> Tensor | None:
        """int64 `(len,)`, in [0, num_classes); None without labels."""

    @property
    def note(self) -> str:
        """What was done to the images on reading, as sentences for the user; empty if nothing."""

    def __len__(self) -> int:
        """Number of images."""

    def images(self, indices: Tensor) -> Tensor:
        """The images at int64 `(B,)` indices in [0, len): uint8 `(B, C, H, W)`, on the CPU.

        What is no picture: uint8, int16 or float32 in [-1, 1], `(B, *image_shape)`; `to_float` reads all three.
        A training with workers calls this in a thread of its own, one call at a time.
        """


@runtime_checkable
class InMemory(Protocol):
    """A data set that says whether its samples are there as they are drawn, so that reading them ahead gains nothing."""

    @property
    def is_in_memory(self) -> bool:
        """Whether `images` only copies."""


@runtime_checkable
class FitsItself(Protocol):
    """A data set that can bring itself to another shape, better than a general rule would: sounds cut to a length."""

    def fitted(self, shape: tuple[int, ...]) -> tuple[ImageData, str]:
        """The same data in that shape, and what was done, as sentences for the user.

        Args:
            shape: of the generator's output.
        Raises:
            DataError: it cannot be brought to that shape.
        """


@dataclass(frozen=True, slots=True, eq=False)
class MemoryImages:
    """Images that lie in memory.

    Args:
        name: as the user would write it.
        pixels: uint8 `(N, C, H, W)`.
        labels: int64 `(N,)`, or None.
        class_names: one per label; empty without labels.
        note: what was done to the images on reading.
    Raises:
        DataError: no image, another shape or type, or labels that do not match images or class names.
    """

    name: str
    pixels: Tensor
    labels: Tensor | None = None
    class_names: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if self.pixels.dim() != 4 or self.pixels.dtype != torch.uint8 or self.pixels.numel() == 0:
            raise DataError(
                f"The images of {self.name} are {self.pixels.dtype} {tuple(self.pixels.shape)}; "
                "a data set holds at least one image, as uint8 (N, C, H, W)."
            )
        check_labels(self.name, self.labels, len(self.pixels), self.class_names)

    @property
    def is_in_memory(self) -> bool:
        """Always."""
        return True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(C, H, W)` of every image."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    @property
    def num_classes(self) -> int | None:
        """How many labels the set knows; None without labels."""
        return len(self.class_names) or None

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, indices: Tensor) -> Tensor:
        """The images at int64 `(B,)` indices: uint8 `(B, C, H, W)`."""
        return self.pixels[indices]


@dataclass(frozen=True, slots=True, eq=False)
class SelectedImages:
    """Some images of another set, which stay where they are.

    Args:
        base: the set they come from.
        indices: int64 `(N,)`, which of them.
        name: as the user would write it.
    """

    base: ImageData
    indices: Tensor
    name: str

    @property
    def is_in_memory(self) -> bool:
        """Whether the whole set is."""
        return is_in_memory(self.base)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(C, H, W)` of every image."""
        return self.base.image_shape

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the whole set."""
        return self.base.class_names

    @property
    def num_classes(self) -> int | None:
        """That of the whole set."""
        return self.base.num_classes

    @property
    def labels(self) -> Tensor | None:
        """int64 `(len,)`, numbered as in the whole set."""
        return None if self.base.labels is None else self.base.labels[self.indices]

    @property
    def note(self) -> str:
        """That of the whole set."""
        return self.base.note

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def sample_rate(self) -> int | None:
        """That of the whole set."""
        return sample_rate_of(self.base)

    def images(self, indices: Tensor) -> Tensor:
        """The images at int64 `(B,)` indices: uint8 `(B, C, H, W)`."""
        return self.base.images(self.indices[indices])


def check_labels(name: str, labels: Tensor | None, num_images: int, class_names: Sequence[str]) -> None:
    """Refuse labels that do not match the images or the class names.

    Raises:
        DataError: a label per image is missing, a label has no class name, or names come without labels.
    """
    if labels is None:
        if class_names:
            raise DataError(f"{name} names {len(class_names)} classes but has no labels.")
        return
    if labels.dtype != torch.int64 or labels.shape != (num_images,):
        raise DataError(
            f"{name} has {num_images} images and labels {labels.dtype} {tuple(labels.shape)}; "
            f"they must be int64 ({num_images},)."
        )
    if num_images and not 0 <= int(labels.min()) <= int(labels.max()) < len(class_names):
        raise DataError(
            f"{name} has labels from {int(labels.min())} to {int(labels.max())}, and names for 0 to "
            f"{len(class_names) - 1}. The file is damaged or of another data set."
        )


def is_in_memory(data: ImageData) -> bool:
    """Whether samples are only copied when drawn; False where the data set does not say (`InMemory`)."""
    return isinstance(data, InMemory) and data.is_in_memory


def sample_rate_of(data: object) -> int | None:
    """Samples per second, if the data is sound and says so; None for pictures."""
    rate = getattr(data, "sample_rate", None)
    return int(rate) if rate else None


def to_float(values: Tensor) -> Tensor:
    """What a data set gives, as float32 in [-1, 1].

    Args:
        values: uint8, where 0 becomes -1 and 255 becomes 1, exactly; int16, where -32768 becomes -1 and 32767 almost 1;
            or float32, which is taken as it is.
    Raises:
        DataError: another type.
    """
    if values.dtype == torch.uint8:
        return values.to(torch.float32).div_(127.5).sub_(1.0)
    if values.dtype == torch.int16:
        return values.to(torch.float32).div_(32768.0)
    if values.dtype == torch.float32:
        return values
    raise DataError(
        f"A data set gives uint8, int16 or float32 values, not {values.dtype}; convert them where it is read."
    )


def read_images(data: ImageData, indices: Tensor) -> Tensor:
    """The images at int64 `(n,)` indices, as the data set gives them.

    Raises:
        DataError: an image is missing or damaged, or there are more, fewer or others than asked for.
    """
    try:
        images = data.images(indices)
    except OSError as error:
        raise DataError(
            f"{data.name} cannot be read: {error}. Check the disk that holds it, and start again."
        ) from error
    expected = (len(indices), *data.image_shape)
    if tuple(images.shape) != expected:
        raise DataError(
            f"{data.name} gave {tuple(images.shape)} for {len(indices)} indices; it promises {expected}. Its `images` has "
            "to return one sample of `image_shape` for each index."
        )
    return images
