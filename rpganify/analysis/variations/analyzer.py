"""Variations: what one image becomes when a single bucket's block changes (RPGAN, figures 3, 9, 12, 15)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel, require_paths
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.provenance import provenance
from rpganify.analysis.variations.figure import VariationRow, draw_variations
from rpganify.errors import AnalysisError
from rpganify.paths import PathSpace
from rpganify.report.report import Cell, Column, Figure, Report, Table

NUM_BLOCKS = 10

DEFINITION = """
On top is the image of one path. Each row changes that path in one bucket only, to other blocks of the bucket; all other
buckets stay frozen. So a row shows what the bucket's layers are responsible for. Below each picture is the number of
the block that made it; blocks count from 0, buckets from 1.

The blocks of a row are random ones of the bucket in rising order, all of them where there are no more. Source: RPGAN,
figures 3, 9, 12 and 15, which show ten per bucket.
"""


@dataclass(frozen=True, slots=True)
class Variation:
    """One base path, and the blocks that each bucket is varied to.

    Args:
        path: the base path, int64 `(num_buckets,)`.
        blocks: per bucket, other blocks than the path's; empty for a bucket of one block.
    """

    path: Tensor
    blocks: tuple[tuple[int, ...], ...]

    def paths(self) -> Tensor:
        """The base path, then every varied one, bucket by bucket: int64 `(1 + Σ blocks, num_buckets)`."""
        varied = [self.path]
        for bucket, blocks in enumerate(self.blocks):
            for block in blocks:
                one = self.path.clone()
                one[bucket] = block
                varied.append(one)
        return torch.stack(varied)


class Variations:
    """The analyzer `variations`.

    Args:
        num_paths: base paths to draw when the context names none; a figure each.
        num_blocks: other blocks per bucket; the paper shows ten.
    """

    name = "variations"

    def __init__(self, num_paths: int = 1, num_blocks: int = NUM_BLOCKS) -> None:
        if num_paths < 1 or num_blocks < 1:
            raise AnalysisError(
                f"Variations need at least 1 path and 1 other block, got {num_paths} and {num_blocks}. "
                "The paper shows one path and ten blocks."
            )
        self.num_paths = num_paths
        self.num_blocks = num_blocks

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """How many images it makes at most."""
        num_buckets = require_paths(model, self.name).paths.num_buckets
        return (len(context.paths) or self.num_paths) * (1 + num_buckets * self.num_blocks)

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """A figure per base path: `context.paths`, or random ones."""
        rp = require_paths(model, self.name)
        variations = choose_variations(rp.paths, context, self.num_paths, self.num_blocks)
        codes = [variation.paths() for variation in variations]
        total = sum(len(paths) for paths in codes)
        with evaluating(model, context.seed):
            maker = ImageMaker(rp, context)
            images = maker(torch.cat(codes), lambda done: context.progress("variations", done, total))
        parts = torch.split(images, [len(paths) for paths in codes])
        figures = [_figure(rp, variation, part) for variation, part in zip(variations, parts, strict=True)]
        settings = {"base paths": len(variations), "other blocks per bucket": self.num_blocks}
        return Report(
            name=self.name,
            title="Variations, bucket by bucket",
            definition=DEFINITION,
            tables=(_table(rp, variations),),
            figures=tuple(figures),
            provenance=provenance(model, context, settings),
            notes=(*maker.notes(), *_notes(rp)),
        )


def choose_variations(
    space: PathSpace, context: AnalysisContext, num_paths: int, num_blocks: int
) -> tuple[Variation, ...]:
    """Base paths, and for each bucket random other blocks in rising order.

    Args:
        space: of the model.
        context: its `paths` are the base paths if it has any; its seed draws the rest.
        num_paths: base paths to draw if the context names none.
        num_blocks: other blocks per bucket, at most.
    Raises:
        AnalysisError: a base path is named twice.
        PathError: a base path is not in the path space.
    """
    chance = torch.Generator().manual_seed(context.seed)
    bases = space.check(torch.tensor(context.paths)) if context.paths else space.sample(num_paths, generator=chance)
    printed = [space.format(path) for path in bases.tolist()]
    if context.paths and len(set(printed)) < len(printed):
        raise AnalysisError(f"A base path is named twice among {', '.join(printed)}; once is enough.")
    variations = []
    for path in dict(zip(printed, bases, strict=True)).values():  # chance may draw a path of a small space twice
        blocks = []
        for bucket, available in enumerate(space.num_blocks):
            order = torch.randperm(available, generator=chance)
            others = order[order != path[bucket]][:num_blocks]
            blocks.append(tuple(sorted(int(block) for block in others)))
        variations.append(Variation(path, tuple(blocks)))
    return tuple(variations)


def _figure(rp: PathModel, variation: Variation, images: Tensor) -> Figure:
    base, *parts = torch.split(images, [1, *(len(blocks) for blocks in variation.blocks)])
    rows = [
        VariationRow(index + 1, bucket.name, bucket.num_blocks, int(variation.path[index]), blocks, part)
        for index, (bucket, blocks, part) in enumerate(zip(rp.plan.buckets, variation.blocks, parts, strict=True))
    ]
    path = rp.paths.format(variation.path)
    drawing = draw_variations(path, base[0], rows)
    caption = (
        f"Top: path {path}. Each row changes one bucket to other blocks, whose numbers are below the pictures; "
        "all other buckets stay frozen."
    )
    return Figure(path, caption, drawing)


def _table(rp: PathModel, variations: tuple[Variation, ...]) -> Table:
    columns = (Column("base path"), Column("bucket"), Column("name"), Column("column"), Column("block"), Column("path"))
    rows: list[tuple[Cell, ...]] = []
    for variation in variations:
        base = rp.paths.format(variation.path)
        varied = iter(variation.paths()[1:])
        for index, blocks in enumerate(variation.blocks):
            for column, block in enumerate(blocks):
                name = rp.plan.buckets[index].name
                rows.append((base, index + 1, name, column + 1, block, rp.paths.format(next(varied))))
    return Table("pictures", "the path of every picture", columns, tuple(rows), is_raw=True)


def _notes(rp: PathModel) -> list[str]:
    single = [f"{i + 1} ({b.name})" for i, b in enumerate(rp.plan.buckets) if b.num_blocks == 1]
    return [f"Of one block only, so their rows are empty: bucket {', '.join(single)}."] if single else []
