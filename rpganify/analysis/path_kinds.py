"""The kinds of paths that a model's images may be drawn of: all, and in a model that has grown old and new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.quality.samples import conditions_for, generated_batches, require_samples
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.new_paths import sample_new_paths, sample_old_paths
from rpganify.surgery.restack import old_blocks

ALL, OLD, NEW = "all", "old", "new"
TITLES = {ALL: "all paths", OLD: "old paths", NEW: "paths with a new block"}


@dataclass(frozen=True, slots=True)
class PathKind:
    """Where images are drawn from.

    Args:
        key: `all`, `old` or `new`.
        title: in words.
        draw: number and CPU generator to codes, on the CPU.
    """

    key: str
    title: str
    draw: Callable[[int, torch.Generator], Tensor]


def path_kinds(model: nn.Module, asker: str) -> tuple[PathKind, ...]:
    """All of the model's paths (or latents); of one that has grown, also old ones, and those through a new block.

    Args:
        model: any generator.
        asker: who asks, for messages.
    Raises:
        AnalysisError: it draws nothing, or makes no pictures.
    """
    sampled = require_samples(model, asker)
    old = old_blocks(model) if isinstance(model, RandomPathGenerator) else None
    if not isinstance(model, RandomPathGenerator) or old is None or min(old) < 1:
        return (PathKind(ALL, "this model", sampled.draw),)
    return (
        PathKind(OLD, TITLES[OLD], partial(sample_old_paths, model)),
        PathKind(NEW, TITLES[NEW], partial(sample_new_paths, model)),
        PathKind(ALL, TITLES[ALL], sampled.draw),
    )


def kind_batches(
    model: nn.Module, kind: PathKind, num_images: int, seed: int, context: AnalysisContext
) -> Iterator[Tensor]:
    """Images of random paths of a kind, batch by batch: uint8 `(B, C, H, W)`, on the CPU.

    Args:
        model: in eval mode.
        kind: of its paths.
        num_images: in all.
        seed: of the paths, and of labels where it takes any.
        context: conditions that are given, data whose labels are drawn otherwise, and how much is made at once.
    Raises:
        AnalysisError: a condition is missing, or the images cannot be shown.
    """
    sampled = require_samples(model, "This analysis")
    chance = torch.Generator().manual_seed(seed)
    codes = kind.draw(num_images, chance)
    labels = None if context.data is None else context.data.labels
    conditions = conditions_for(sampled, num_images, context.conditions, labels, chance)
    return generated_batches(sampled, codes, conditions, context.batch_pixels)
