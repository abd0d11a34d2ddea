"""Decoding image files with Pillow, strictly: a damaged one is an error that names it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rpganify.errors import DataError

_GREY_MODES = ("1", "L", "LA")
_COLOUR_MODES = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its image before it is decoded.

    Args:
        height: pixels.
        width: pixels.
        is_grey: one channel.
        has_alpha: some of it may be transparent.
    """

    height: int
    width: int
    is_grey: bool
    has_alpha: bool


def read_header(source: Path | bytes, name: Path | str) -> Header:
    """The header of an image file.

    Args:
        source: the file or its content.
        name: how messages call it.
    Raises:
        DataError: no image, damaged, or not of 8 bits.
    """
    with _opened(source, name) as image:
        if image.mode not in _GREY_MODES + _COLOUR_MODES:
            raise DataError(
                f"{name} has Pillow's mode {image.mode!r}; only 8 bits a channel are read. "
                "Convert it, for example to an RGB or grey PNG, or take it out of the data set."
            )
        has_alpha = "A" in image.mode or "transparency" in image.info
        return Header(image.height, image.width, image.mode in _GREY_MODES, has_alpha)


def decode(source: Path | bytes, name: Path | str, num_channels: int, height: int, width: int) -> NDArray[np.uint8]:
    """One image: uint8 `(num_channels, height, width)`.

    Transparent parts are laid over white. An image of another size is resized (antialiased, bilinear) until it
    covers the wanted one, and cropped around its centre.

    Args:
        source: the file or its content.
        name: how messages call it.
        num_channels: 1 for grey, 3 for RGB.
        height: pixels.
        width: pixels.
    Raises:
        DataError: no image, truncated or damaged.
    """
    with _opened(source, name) as image:
        try:
            image.load()
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:  # a damaged size asks for too much
            raise DataError(
                f"{name} is truncated or damaged: {error or 'too large'}. Fetch it again, or take it away."
            ) from error
        flat = _flat(image, "L" if num_channels == 1 else "RGB")
        array = np.array(_covering(flat, height, width), np.uint8)  # (H, W) or (H, W, 3)
    return array.reshape(height, width, num_channels).transpose(2, 0, 1)


def _opened(source: Path | bytes, name: Path | str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} is too large to be an image for a GAN: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:  # UnidentifiedImageError is an OSError
        reason = getattr(error, "strerror", None) or "its content is of no known format"
        raise DataError(f"{name} is no image that can be read: {reason}. Fetch it again, or take it away.") from error


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """The image in that mode, without transparency."""
    if "A" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image if image.mode == mode else image.convert(mode)


def _covering(image: Image.Image, height: int, width: int) -> Image.Image:
    """The image, resized so that it just covers height x width, its centre cropped to that."""
    if image.size == (width, height):
        return image
    scale = max(width / image.width, height / image.height)
    # The part of the original that survives, in its own pixels: one resampling does both.
    half_width, half_height = width / scale / 2, height / scale / 2
    centre_x, centre_y = image.width / 2, image.height / 2
    box = (
        max(centre_x - half_width, 0.0),
        max(centre_y - half_height, 0.0),
        min(centre_x + half_width, float(image.width)),
        min(centre_y + half_height, float(image.height)),
    )
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
