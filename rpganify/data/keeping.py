"""Data sets that fit into memory are kept there decoded, so that drawing from them only copies."""

from __future__ import annotations

import logging
import math

import torch

from rpganify.data.images import MEMORY_LIMIT_BYTES, ImageData, MemoryImages, is_in_memory
from rpganify.data.progress import tracked

log = logging.getLogger(__name__)

_CHUNK = 256


def keep_in_memory(data: ImageData) -> ImageData:
    """The same images decoded in memory, where they take at most `MEMORY_LIMIT_BYTES`; else the data set itself.

    What is no picture stays as it is, as does what lies in memory already.

    Raises:
        DataError: an image cannot be read.
    """
    if is_in_memory(data) or len(data.image_shape) != 3:
        return data
    num_bytes = len(data) * math.prod(data.image_shape)
    if num_bytes > MEMORY_LIMIT_BYTES:
        log.info(
            "%s: %s images of %s, %.1f GB decoded, are read as they are drawn",
            data.name,
            f"{len(data):,}",
            "×".join(map(str, data.image_shape)),
            num_bytes / 1e9,
        )
        return data
    pixels = torch.empty(len(data), *data.image_shape, dtype=torch.uint8)
    chunks = torch.arange(len(data)).split(_CHUNK)
    for chunk in tracked(chunks, f"bringing {data.name} into memory", len(data), each=_CHUNK):
        pixels[chunk[0] : chunk[-1] + 1] = data.images(chunk)
    return MemoryImages(data.name, pixels, data.labels, data.class_names, data.note)
