"""What the page is told of a model: buckets, blocks, layers, and the command that makes its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rpganify.explorer.conditions import Field
from rpganify.explorer.painting import MAX_TILES, Painter


@dataclass(frozen=True, slots=True)
class Naming:
    """How the user named the model.

    Args:
        model: as typed.
        options: of the command line that a reproducing command needs as well, such as `--trust-source`.
        told: what was opened under that name, such as a run's newest weights; empty if there is nothing to say.
    """

    model: str
    options: tuple[str, ...] = ()
    told: str = ""


def describe(painter: Painter, fields: Sequence[Field], naming: Naming) -> dict[str, Any]:
    """Plain data about a model, for the page.

    Args:
        painter: of the model.
        fields: its further inputs.
        naming: how the user named it.
    """
    model, space = painter.model, painter.paths
    parameters = [
        sum(value[0].numel() for value in model.bucket_parameters(i).values()) for i in range(space.num_buckets)
    ]
    start = space.sample(1, generator=torch.Generator().manual_seed(painter.seed))[0]
    tile_height, tile_width = painter.tile_size
    seeded = ("--seed", str(painter.seed)) if painter.seed else ()
    return {
        "model": naming.model,
        "told": naming.told,
        "generator": model.blueprint.name,
        "buckets": [
            {
                "name": bucket.name,
                "layers": list(bucket.layers),
                "numBlocks": bucket.num_blocks,
                "numParameters": number,
            }
            for bucket, number in zip(model.plan.buckets, parameters, strict=True)
        ],
        "cardinality": str(space.cardinality),  # it may exceed what JavaScript's numbers hold
        "imageShape": list(model.image_shape),
        "image": {"height": painter.height, "width": painter.width},
        "tile": {"height": tile_height, "width": tile_width},
        "maxTiles": MAX_TILES,
        "start": start.tolist(),
        "conditions": [field.to_json() for field in fields],
        "command": ["rpganify", "sample", naming.model, *naming.options, *seeded],
    }
