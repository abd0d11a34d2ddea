"""Layers -> Plan: the buckets that were asked for, or the generator's own stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rpganify.conversion.selection import select_layers
from rpganify.errors import PlanError
from rpganify.plan import BucketSpec, InitMode, NormMode, Plan
from rpganify.routing.blueprint import Layer

DEFAULT_BLOCKS = 10
# Containers whose items are stages of their own; any other module (a residual block) stays in one piece.
CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})


@dataclass(frozen=True, slots=True)
class Stage:
    """Layers that stand together in the generator.

    Args:
        name: dotted name of the module that holds them.
        layers: their names, in order of the forward pass.
    """

    name: str
    layers: tuple[str, ...]


def make_plan(
    layers: Sequence[Layer],
    containers: frozenset[str],
    buckets: int | Sequence[str] | None,
    blocks: int | Sequence[int],
    norm: NormMode = "shared",
    init: InitMode = "fresh",
    ties: Sequence[frozenset[str]] = (),
) -> Plan:
    """The plan for these layers.

    Args:
        layers: the layer table.
        containers: names of modules that only hold others in a row (Sequential, ModuleList).
        buckets: how many; or one selection each (`select_layers`); None takes the natural stages.
        blocks: one number for all buckets, or one each.
        ties: layers that have to be in one bucket; automatic buckets keep them together.
    Raises:
        PlanError: selections that match nothing or overlap, more buckets than layers, wrong block counts.
    """
    stages = natural_stages(layers, containers, norm, ties)
    if buckets is None:
        groups = [(stage.name, stage.layers) for stage in stages]
    elif isinstance(buckets, int):
        grouped = group_stages(stages, layers, buckets, ties)
        groups = [(_joined_name(group), _layers_of(group, layers)) for group in grouped]
    else:
        if not buckets:
            raise PlanError("The list of buckets is empty; name at least one layer, or a number of buckets.")
        names = [stage.layers for stage in stages]
        groups = [(entry, select_layers(entry, layers, names, norm)) for entry in buckets]
    counts = _block_counts(blocks, len(groups))
    specs = tuple(BucketSpec(name, chosen, count) for (name, chosen), count in zip(groups, counts, strict=True))
    claimed = {name for spec in specs for name in spec.layers}
    return Plan(specs, tuple(layer.name for layer in layers if layer.name not in claimed), norm, init)


def _block_counts(blocks: int | Sequence[int], num_buckets: int) -> list[int]:
    counts = [blocks] * num_buckets if isinstance(blocks, int) else list(blocks)
    if len(counts) != num_buckets:
        raise PlanError(
            f"{len(counts)} block counts ({', '.join(map(str, counts))}) for {num_buckets} buckets; give one number for "
            f"all, or {num_buckets} of them."
        )
    if any(count < 1 for count in counts):
        raise PlanError(f"Every bucket needs at least 1 block, got {', '.join(map(str, counts))}.")
    return counts


def natural_stages(
    layers: Sequence[Layer], containers: frozenset[str], norm: NormMode, ties: Sequence[frozenset[str]] = ()
) -> list[Stage]:
    """The generator's stages: its parametric top-level children, with the items of Sequentials apart.

    With norms per block each norm layer belongs to the stage of the layer before it.

    Args:
        ties: layers that have to stay together; they are where the first of them is.
    """
    routable = [layer.name for layer in layers if not layer.is_norm]
    followers = _followers(routable, ties)
    routable = [name for name in routable if name not in followers]
    stages = [Stage(name or "(generator)", names) for name, names in _children("", routable, containers)]
    stages = [_with_followers(stage, followers, layers) for stage in stages]
    if norm == "shared" or not stages:
        return stages
    members = {name: index for index, stage in enumerate(stages) for name in stage.layers}
    latest, joined = 0, [list(stage.layers) for stage in stages]
    for layer in layers:
        if layer.name in members:
            latest = members[layer.name]
        else:
            joined[latest].append(layer.name)
    order = {layer.name: index for index, layer in enumerate(layers)}
    return [
        Stage(stage.name, tuple(sorted(names, key=order.__getitem__)))
        for stage, names in zip(stages, joined, strict=True)
    ]


def _children(prefix: str, names: Sequence[str], containers: frozenset[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Splits layers by the child of `prefix` that they are in, descending through containers and only children."""
    start = f"{prefix}." if prefix else ""
    groups: dict[str, list[str]] = {}
    for name in names:
        child = name if name == prefix else start + name[len(start) :].partition(".")[0]
        groups.setdefault(child, []).append(name)
    if len(groups) == 1:
        ((child, only),) = groups.items()
        return [(child, tuple(only))] if only == [child] else _children(child, only, containers)
    found: list[tuple[str, tuple[str, ...]]] = []
    for child, members in groups.items():
        if child in containers and len(members) > 1:
            found += _children(child, members, containers)
        else:
            found.append((child, tuple(members)))
    return found


def _followers(names: Sequence[str], ties: Sequence[frozenset[str]]) -> dict[str, str]:
    """Layer -> the first of those that it is tied to, for all but that one."""
    found: dict[str, str] = {}
    for tie in ties:
        first, *rest = [name for name in names if name in tie] or [""]
        found.update({name: first for name in rest})
    return found


def _with_followers(stage: Stage, followers: Mapping[str, str], layers: Sequence[Layer]) -> Stage:
    chosen = {*stage.layers, *(name for name, first in followers.items() if first in stage.layers)}
    return Stage(stage.name, tuple(layer.name for layer in layers if layer.name in chosen))


def group_stages(
    stages: Sequence[Stage], layers: Sequence[Layer], num_buckets: int, ties: Sequence[frozenset[str]] = ()
) -> list[list[Stage]]:
    """The stages as `num_buckets` groups of neighbours; stages are split where there are too few of them.

    Raises:
        PlanError: fewer layers than buckets, or no bucket asked for.
    """
    followers = _followers([name for stage in stages for name in stage.layers], ties)
    stages = [Stage(s.name, tuple(name for name in s.layers if name not in followers)) for s in stages]
    available = sum(len(stage.layers) for stage in stages)
    if num_buckets < 1:
        raise PlanError(f"A conversion needs at least 1 bucket, got {num_buckets}.")
    if num_buckets > available:
        raise PlanError(
            f"{num_buckets} buckets, but this generator has only {available} layers to put into them. Ask for at most "
            f"{available}, e.g. `--buckets {min(available, len(stages))}`."
        )
    pieces = list(stages)
    while len(pieces) < num_buckets:
        index = max(range(len(pieces)), key=lambda i: len(pieces[i].layers))
        pieces[index : index + 1] = _split(pieces[index])
    sizes = {layer.name: layer.num_parameters for layer in layers}
    groups = [[piece] for piece in pieces]
    while len(groups) > num_buckets:
        # The lightest pair of neighbours, so that no bucket swallows the generator.
        weights = [sum(sizes[name] for stage in group for name in stage.layers) for group in groups]
        index = min(range(len(groups) - 1), key=lambda i: (weights[i] + weights[i + 1], i))
        groups[index : index + 2] = [groups[index] + groups[index + 1]]
    return [[_with_followers(stage, followers, layers) for stage in group] for group in groups]


def _split(stage: Stage) -> list[Stage]:
    parts = _children(stage.name, stage.layers, frozenset())
    if len(parts) == 1:
        return [Stage(name, (name,)) for name in stage.layers]
    return [Stage(name, names) for name, names in parts]


def _layers_of(group: Sequence[Stage], layers: Sequence[Layer]) -> tuple[str, ...]:
    members = {name for stage in group for name in stage.layers}
    return tuple(layer.name for layer in layers if layer.name in members)


def _joined_name(group: Sequence[Stage]) -> str:
    names = [stage.name for stage in group]
    return names[0] if len(names) == 1 else f"{names[0]}..{names[-1]}"
