"""A model with other numbers of blocks, each of them a copy of one that was there; and what models tell of their surgery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from rpganify.conversion.building import actual_blueprint, build_random_path_generator
from rpganify.conversion.dependence import find_block_dependence
from rpganify.conversion.replication import tensors_by_name
from rpganify.routing.generator import RandomPathGenerator

# Keys of a model's provenance: what was done to it, in order; and how many blocks of each bucket the last growth found.
SURGERY, NUM_OLD = "surgery", "num_old_blocks"


def stacked_tensors(model: RandomPathGenerator) -> dict[str, int]:
    """Every tensor with a block axis, several Z among them -> its bucket."""
    return dict(find_block_dependence(model.blueprint, model.plan).tensors)


def restack(
    model: RandomPathGenerator,
    rows: Sequence[Sequence[int]],
    record: Mapping[str, Any],
    num_old_blocks: Sequence[int] | None = None,
) -> RandomPathGenerator:
    """A new model whose buckets are made of blocks of this one; everything that all paths share is copied.

    Args:
        model: not changed, nothing is shared with it.
        rows: of each bucket, which block becomes block 0, 1, …; one may become several.
        record: what is done, plain JSON data; kept in the new model's provenance.
        num_old_blocks: how many blocks of each bucket count as old; None if all do.
    Returns:
        A model on the same device, in the same mode, of the same types.
    """
    plan = replace(
        model.plan,
        buckets=tuple(replace(b, num_blocks=len(kept)) for b, kept in zip(model.plan.buckets, rows, strict=True)),
    )
    provenance = {name: value for name, value in model.blueprint.provenance.items() if name != NUM_OLD}
    provenance[SURGERY] = [*history(model), dict(record)]
    if num_old_blocks is not None and tuple(num_old_blocks) != plan.num_blocks:
        provenance[NUM_OLD] = list(num_old_blocks)
    blueprint = replace(actual_blueprint(model).with_plan(plan), provenance=provenance)
    made = build_random_path_generator(blueprint)
    stacked, source = stacked_tensors(made), tensors_by_name(model)
    with torch.no_grad():
        for name, target in tensors_by_name(made).items():
            values = source[name]
            if name in stacked:
                values = values[torch.tensor(list(rows[stacked[name]]), device=values.device)]
            target.copy_(values)
    trained = dict(model.named_parameters())
    for name, parameter in made.named_parameters():
        parameter.requires_grad_(trained[name].requires_grad)
    return made.to(model.Z.device).train(model.training)


def history(model: RandomPathGenerator) -> list[dict[str, Any]]:
    """What was done to a model since its conversion, in order."""
    return [dict(record) for record in model.blueprint.provenance.get(SURGERY, ())]


def old_blocks(model: RandomPathGenerator) -> tuple[int, ...] | None:
    """How many blocks of each bucket were there before the model last grew; None if it has no newer ones.

    The old ones come first: block `old_blocks(model)[b]` is the first new one of bucket b.
    """
    found = model.blueprint.provenance.get(NUM_OLD)
    if not isinstance(found, (list, tuple)) or len(found) != model.plan.num_buckets:
        return None
    old = tuple(int(number) for number in found)
    is_possible = all(0 <= o <= m for o, m in zip(old, model.plan.num_blocks, strict=True))
    return old if is_possible and old != model.plan.num_blocks else None


def new_rows(model: RandomPathGenerator) -> dict[str, int]:
    """Every tensor that holds new blocks -> the row at which they begin; empty for a model without new blocks."""
    old = old_blocks(model)
    if old is None:
        return {}
    num_blocks = model.plan.num_blocks
    return {name: old[bucket] for name, bucket in stacked_tensors(model).items() if old[bucket] < num_blocks[bucket]}
