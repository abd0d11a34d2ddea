"""What was measured, in one form for numbers of `z` and for blocks: interventions, their effects, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.concepts.interventions import BlockInterventions, LatentInterventions, correlations
from rpganify.analysis.concepts.table import Effects, Importance, importance, judge


@dataclass(frozen=True, slots=True)
class Group:
    """Interventions that are shown side by side.

    Args:
        title: of the group: "z_i := +3", "1 project".
        rows: of the effects, ascending.
    """

    title: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Effects of all interventions on all concepts.

    Args:
        concepts: names of the classes, columns of the effects.
        labels: of each intervention, row of the effects: "z17 := +3", "block 7 of bucket 1".
        variables: for each, the index of the variable that it sets.
        names: of each variable: "17", "1:7".
        groups: of the interventions, together all of them.
        effects: `(num_interventions, num_concepts)`.
        importance: of each variable.
        base: class probabilities of images before any intervention, `(n, num_concepts)`.
        sureness: mean probability of the likeliest class after each intervention, `(num_interventions,)`.
    """

    concepts: tuple[str, ...]
    labels: tuple[str, ...]
    variables: tuple[int, ...]
    names: tuple[str, ...]
    groups: tuple[Group, ...]
    effects: Effects
    importance: Importance
    base: Tensor
    sureness: Tensor

    def strongest(self, concept: int, sign: int) -> int | None:
        """The intervention that raises (1) or lowers (-1) a concept most, of those that are told to; None if none is."""
        effect = sign * self.effects.mean[:, concept]
        told = torch.where(self.effects.is_significant[:, concept] & (effect > 0), effect, -torch.inf)
        row = int(told.argmax())
        return row if torch.isfinite(told[row]) else None


@dataclass(frozen=True, slots=True)
class Dose:
    """What setting `z_i` to ±δ does, for one δ.

    Args:
        delta: in standard deviations.
        num_told: cells with an effect that is told, of all `2 · dim · num_concepts`.
        largest: the largest effect, with its sign.
        moved: probability that is moved, on average over all interventions.
    """

    delta: float
    num_told: int
    largest: float
    moved: float


@dataclass(frozen=True, slots=True)
class Correlated:
    """How the numbers of `z`, as they are drawn, go together with the class probabilities.

    Args:
        values: Pearson's correlation, `(dim, num_concepts)`.
        num_observed: images that it was taken from.
        agreement: of the interventions' swings (the effect of +δ less that of −δ) where one of the two effects is told, the
            share that has the correlation's sign; None where nothing is told.
    """

    values: Tensor
    num_observed: int
    agreement: float | None


def measure_latents(found: LatentInterventions, seed: int) -> tuple[Measured, tuple[Dose, ...]]:
    """The effects of the largest δ, and how they grow with δ."""
    doses, dim = [], found.dim
    for step, delta in enumerate(found.deltas):
        changes = found.changes[step].permute(1, 0, 2, 3).flatten(1, 2)  # (n, 2 · dim, num_concepts): −δ first
        effects = judge(changes, seed)
        peak = effects.mean.flatten()[effects.mean.abs().argmax()]
        moved = effects.mean.abs().sum(dim=1).mean() / 2
        doses.append(Dose(delta, int(effects.is_significant.sum()), float(peak), float(moved)))
    delta, variables = found.deltas[-1], torch.arange(dim).repeat(2)
    sides = (f"\N{MINUS SIGN}{delta:g}", f"+{delta:g}")
    return (
        Measured(
            found.concepts,
            tuple(f"z{index} := {side}" for side in sides for index in range(dim)),
            tuple(variables.tolist()),
            tuple(str(index) for index in range(dim)),
            tuple(
                Group(f"z_i := {side}", tuple(range(number * dim, (number + 1) * dim)))
                for number, side in ((1, sides[1]), (0, sides[0]))
            ),
            effects,
            importance(changes, variables, seed),
            found.base,
            (found.base[:, None] + changes).amax(dim=2).mean(dim=0),
        ),
        tuple(doses),
    )


def correlate(measured: Measured, latents: Tensor, probabilities: Tensor) -> Correlated:
    """The correlation of `z` as drawn with the class probabilities, and whether interventions agree with it.

    Args:
        measured: of `measure_latents`.
        latents: `(n, dim)`.
        probabilities: `(n, num_concepts)`.
    """
    values = correlations(latents, probabilities)
    lowered, raised = measured.effects.mean.unflatten(0, (2, -1))
    is_told = measured.effects.is_significant.unflatten(0, (2, -1)).any(dim=0)
    agrees = ((raised - lowered).sign() == values.sign())[is_told]
    return Correlated(values, len(latents), float(agrees.double().mean()) if len(agrees) else None)


def measure_blocks(found: BlockInterventions, observed: Tensor, names: Sequence[str], seed: int) -> Measured:
    """The effects of forcing each block.

    Args:
        found: the interventions.
        observed: class probabilities of the paths as they were, `(n, num_concepts)`.
        names: of the buckets.
        seed: of intervals and bands.
    """
    pairs = list(zip(found.buckets.tolist(), found.blocks.tolist(), strict=True))
    changes = found.changes
    groups = []
    for bucket in found.buckets.unique().tolist():
        rows = tuple(row for row, (one, _) in enumerate(pairs) if one == bucket)
        groups.append(Group(f"{bucket + 1} {names[bucket]}", rows))
    return Measured(
        found.concepts,
        tuple(f"block {block} of bucket {bucket + 1}" for bucket, block in pairs),
        tuple(range(len(pairs))),
        tuple(f"{bucket + 1}:{block}" for bucket, block in pairs),
        tuple(groups),
        judge(changes, seed),
        importance(changes, torch.arange(len(pairs)), seed),
        observed,
        found.probabilities.amax(dim=2).mean(dim=0),
    )
