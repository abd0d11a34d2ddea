"""Paths painted: PNG files of one image, or of a bucket's blocks side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import cast

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.generation import ImageMaker, evaluating, to_uint8
from rpganify.data.display import as_pictures
from rpganify.errors import ExplorerError
from rpganify.paths import PathSpace
from rpganify.routing.generator import RandomPathGenerator

# Thumbnails are shown at some 60 pixels: twice that on fine screens.
MAX_TILE = 96
# Blocks per request at most: 64 of 96x96 pixels are a file of some 300 kB.
MAX_TILES = 64

Conditions = Mapping[str, Tensor]


class Painter:
    """Draws what a model makes of paths; the same path gives the same pixels, alone or beside others.

    Not for several threads at once: noise that a generator draws itself comes from the global random state.

    Args:
        model: a converted generator, left as it is; on the device where it is to run.
        conditions: a value for each further input, for the first image.
        seed: of noise that the generator draws itself, as that of `rpganify sample`.
    """

    def __init__(self, model: RandomPathGenerator, conditions: Conditions, seed: int = 0) -> None:
        self.model = model
        self.seed = seed
        self._device = next(model.parameters()).device
        first = model.paths.check(torch.zeros(1, model.paths.num_buckets, dtype=torch.int64))
        with evaluating(model, seed):
            before = self._random_state()
            picture = self._pictures(first, conditions)
            self.draws_noise = not torch.equal(before, self._random_state())
        self.channels, self.height, self.width = picture.shape[1:]

    @property
    def tile_size(self) -> tuple[int, int]:
        """Height and width in pixels of a block's picture: the image's, or smaller."""
        scale = min(1.0, MAX_TILE / max(self.height, self.width))
        return max(1, round(self.height * scale)), max(1, round(self.width * scale))

    def image(self, path: Tensor, conditions: Conditions) -> bytes:
        """The image of a path `(num_buckets,)` as a PNG file, in its own size."""
        return to_png(self._paint(path[None], conditions))

    def blocks(self, path: Tensor, bucket: int, first: int, count: int, conditions: Conditions) -> bytes:
        """What the image of a path would be with other blocks of a bucket, side by side as one PNG file.

        Args:
            path: `(num_buckets,)`.
            bucket: which, from 0.
            first: the first block.
            count: how many, 1 to 64; their pictures have `tile_size`.
            conditions: a value for each further input.
        Raises:
            ExplorerError: blocks that are not there, or too many at once.
        """
        varied = self.paths.vary(path, bucket)
        if not (0 <= first < len(varied) and 1 <= count <= min(MAX_TILES, len(varied) - first)):
            raise ExplorerError(
                f"Bucket {bucket + 1} has blocks 0 to {len(varied) - 1}, and at most {MAX_TILES} are drawn at once; "
                f"{count} from {first} on were asked for."
            )
        return to_png(self._paint(varied[first : first + count], conditions, self.tile_size))

    @property
    def paths(self) -> PathSpace:
        """Of the model."""
        return self.model.paths

    def _paint(self, paths: Tensor, conditions: Conditions, size: tuple[int, int] | None = None) -> Tensor:
        # A generator's own noise is drawn for a whole batch: one by one, every image gets what it would get alone.
        groups = paths.split(1) if self.draws_noise else [paths]
        made = []
        for group in groups:
            with evaluating(self.model, self.seed):
                made.append(self._pictures(group, conditions))
        pictures = torch.cat(made)
        if size is not None and tuple(pictures.shape[2:]) != size:
            pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
        return to_uint8(pictures)

    def _pictures(self, paths: Tensor, conditions: Conditions) -> Tensor:
        context = AnalysisContext(conditions=conditions, device=self._device)
        return as_pictures(ImageMaker(cast(PathModel, self.model), context).values(paths))

    def _random_state(self) -> Tensor:
        return torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else torch.get_rng_state()


def to_png(pictures: Tensor) -> bytes:
    """Pictures side by side as a PNG file.

    Args:
        pictures: uint8 `(N, C, H, W)`, C 1 or 3.
    """
    array = torch.cat(list(pictures), dim=2).permute(1, 2, 0).numpy()  # (H, N·W, C)
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    with io.BytesIO() as file:
        image.save(file, "PNG", compress_level=1)  # nothing is saved on the way to the same machine
        return file.getvalue()
