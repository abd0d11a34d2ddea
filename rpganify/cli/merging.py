"""What `rpganify merge` proves, times and draws of a merged model and the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.inversion.figure import PictureRow, draw_pictures
from rpganify.bench.timing import run_in_turn
from rpganify.cli.files import write_bytes
from rpganify.cli.operations import NUM_COMPARED
from rpganify.report.report import Figure
from rpganify.report.style import shorten
from rpganify.report.writing import figure_to_png
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.merge import merged_paths, original_paths
from rpganify.surgery.restack import history

_NUM_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged model and the one before.

    Args:
        before, after: in eval mode, on the same device.
        conditions: one value, without the batch axis, for each further input of both.
        seed: of everything random.
    """

    before: RandomPathGenerator
    after: RandomPathGenerator
    conditions: Mapping[str, Tensor]
    seed: int

    @property
    def column(self) -> int:
        """The bucket that is a product."""
        return int(history(self.after)[-1]["first"])

    @torch.no_grad()
    def difference(self) -> tuple[float, float]:
        """The largest difference of images, every product at least once, and the largest value in them."""
        num_products = self.after.plan.num_blocks[self.column]
        paths = self._draw(max(NUM_COMPARED, num_products))
        paths[:num_products, self.column] = torch.arange(num_products)
        largest = scale = 0.0
        for part in paths.split(NUM_COMPARED):
            given = self._given(len(part))
            theirs = self.before.images(original_paths(self.after, part), **given)
            ours = self.after.images(part, **given)
            largest = max(largest, float((theirs.double() - ours.double()).abs().max()))
            scale = max(scale, float(theirs.abs().max()))
        return largest, scale

    @torch.no_grad()
    def speed(self, size: int, num_rounds: int) -> tuple[int, float, float, float]:
        """Batch size, seconds for a batch before and after, and how many times as fast it became."""
        draws, given = torch.Generator().manual_seed(self.seed), self._given(size)
        one, two = self.before.draw(size, draws), self.after.draw(size, draws)
        found = run_in_turn(
            {"before": lambda: self.before(one, **given), "after": lambda: self.after(two, **given)},
            num_rounds=num_rounds,
            device=self.after.Z.device,
        )
        return size, found["before"].median_s, found["after"].median_s, found["before"].ratio(found["after"])

    def sizes(self) -> tuple[int, int]:
        """Numbers in one product, and in the blocks that it stands for."""
        layers = {layer.name: layer.num_parameters for layer in self.before.blueprint.layers}
        merged = {layer.name: layer.num_parameters for layer in self.after.blueprint.layers}
        count = len(history(self.after)[-1]["buckets"])
        old = self.before.plan.buckets[self.column : self.column + count]
        return merged[self.after.plan.buckets[self.column].name], sum(layers[n] for b in old for n in b.layers)

    def kind(self) -> str:
        """Of the layer that the product is."""
        return self.after.blueprint.layer_configs[self.after.plan.buckets[self.column].name].kind

    def covered_share(self, used: Tensor) -> float:
        """How many of the paths in use, as a share, there still are."""
        return float(merged_paths(self.after, used)[1].double().mean())

    def draw(self, file: Path, used: Tensor | None) -> None:
        """Writes images of the same paths before and after, one row each, as a PNG file.

        Args:
            file: made with its folders, aside first.
            used: paths of the model before, of which those that there still are come first; None takes random ones.
        """
        paths = self._draw(_NUM_SHOWN)
        if used is not None:
            paths = torch.cat([merged_paths(self.after, used)[0], paths])[:_NUM_SHOWN]
        context = AnalysisContext(seed=self.seed, conditions=self.conditions)
        images = []
        for model, these in ((self.before, original_paths(self.after, paths)), (self.after, paths)):
            with evaluating(model, self.seed):
                images.append(ImageMaker(cast(PathModel, model), context)(these))
        names = history(self.after)[-1]["buckets"]
        rows = [
            PictureRow("Before", shorten(", ".join(names), 30), images[0]),
            PictureRow("Merged", f"{self.after.plan.num_blocks[self.column]} products", images[1]),
        ]
        drawing = draw_pictures(rows, [self.after.paths.format(path) for path in paths], "path, merged")
        write_bytes(file, figure_to_png(Figure("merged", "", drawing)))

    def _draw(self, count: int) -> Tensor:
        return self.after.draw(count, torch.Generator().manual_seed(self.seed))

    def _given(self, count: int) -> dict[str, Any]:
        device = self.after.Z.device
        return {name: value.expand(count, *value.shape).to(device) for name, value in self.conditions.items()}
