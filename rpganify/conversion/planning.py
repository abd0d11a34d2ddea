"""Layers -> Plan: the buckets that were asked for, or the generator's own stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from rpganify.conversion.selection import select_layers
from rpganify.errors import PlanError
from rpganify.plan import BucketSpec, NormMode, Plan
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
    init: str = "fresh",
    ties: Sequence[frozenset[str]] = (),
    fixed: frozenset[str] = frozenset(),
) -> Plan:
    """The plan for these layers.

    Args:
        layers: the layer table.
        containers: names of modules that only hold others in a row (Sequential, ModuleList).
        buckets: how many; or one selection each (`select_layers`); None takes the natural stages.
        blocks: one number for all buckets, or one each.
        ties: layers that have to be in one bucket; automatic buckets keep them together.
        fixed: layers that cannot have blocks; automatic buckets leave them out.
    Raises:
        PlanError: selections that match nothing or overlap, more buckets than layers, wrong block counts.
    """
    movable = [layer for layer in layers if layer.name not in fixed]
    stages = natural_stages(movable, containers, norm, ties)
    if buckets is None:
        groups = stages
    elif _is_count(buckets):
        groups = group_stages(movable, containers, buckets, norm, ties)
    elif isinstance(buckets, (list, tuple)) and not buckets:
        raise PlanError("The list of buckets is empty; name at least one layer, or a number of buckets.")
    elif isinstance(buckets, (list, tuple)) and all(isinstance(entry, str) for entry in buckets):
        names = [stage.layers for stage in stages]
        groups = [Stage(entry, select_layers(entry, layers, names, norm)) for entry in buckets]
    else:
        raise PlanError(
            f"buckets={buckets!r} is neither a number of buckets nor a list with one selection of layers each: buckets=5, "
            'buckets=["l1", "block2,block3"].'
        )
    counts = _block_counts(blocks, len(groups))
    specs = tuple(BucketSpec(group.name, group.layers, count) for group, count in zip(groups, counts, strict=True))
    claimed = {name for spec in specs for name in spec.layers}
    return Plan(specs, tuple(layer.name for layer in layers if layer.name not in claimed), norm, init)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _block_counts(blocks: int | Sequence[int], num_buckets: int) -> list[int]:
    counts = [blocks] * num_buckets if _is_count(blocks) else blocks
    if not isinstance(counts, (list, tuple)) or not all(_is_count(count) for count in counts):
        raise PlanError(f"blocks={blocks!r} is neither a number of blocks nor a list with one number per bucket.")
    if len(counts) != num_buckets:
        raise PlanError(
            f"{len(counts)} block counts ({', '.join(map(str, counts))}) for {num_buckets} buckets; give one number for "
            f"all, or {num_buckets} of them."
        )
    if any(count < 1 for count in counts):
        raise PlanError(f"Every bucket needs at least 1 block, got {', '.join(map(str, counts))}.")
    return list(counts)


def natural_stages(
    layers: Sequence[Layer], containers: frozenset[str], norm: NormMode, ties: Sequence[frozenset[str]] = ()
) -> list[Stage]:
    """The generator's stages: its parametric top-level children, with the items of Sequentials apart.

    Args:
        norm: with norms per block, each norm layer belongs to the stage of the layer before it.
        ties: layers that have to stay together; they are where the first of them is.
    """
    return _completed(_leading_stages(layers, containers, ties), layers, norm, ties)


def group_stages(
    layers: Sequence[Layer],
    containers: frozenset[str],
    num_buckets: int,
    norm: NormMode = "shared",
    ties: Sequence[frozenset[str]] = (),
) -> list[Stage]:
    """The stages merged with their neighbours, or split, to a given number.

    Raises:
        PlanError: fewer layers than buckets, or no bucket asked for.
    """
    pieces = _leading_stages(layers, containers, ties)
    available = sum(len(stage.layers) for stage in pieces)
    if num_buckets < 1:
        raise PlanError(f"A conversion needs at least 1 bucket, got {num_buckets}.")
    if num_buckets > available:
        raise PlanError(
            f"{num_buckets} buckets, but this generator has only {available} layers to put into them. Ask for at most "
            f"{available}, e.g. `--buckets {min(available, len(pieces))}`."
        )
    while len(pieces) < num_buckets:
        index = max(range(len(pieces)), key=lambda i: len(pieces[i].layers))
        pieces[index : index + 1] = _split(pieces[index])
    sizes = {layer.name: layer.num_parameters for layer in layers}
    while len(pieces) > num_buckets:
        # The lightest pair of neighbours, so that no bucket swallows the generator.
        weights = [sum(sizes[name] for name in piece.layers) for piece in pieces]
        index = min(range(len(pieces) - 1), key=lambda i: (weights[i] + weights[i + 1], i))
        pieces[index : index + 2] = [_joined(pieces[index], pieces[index + 1])]
    return _completed(pieces, layers, norm, ties)


def _leading_stages(layers: Sequence[Layer], containers: frozenset[str], ties: Sequence[frozenset[str]]) -> list[Stage]:
    """The stages of the layers that decide: no norms, and of tied layers only the first."""
    followers = _followers(layers, ties)
    leading = [layer.name for layer in layers if not layer.is_norm and layer.name not in followers]
    return [Stage(name or "(generator)", names) for name, names in _children("", leading, containers)]


def _followers(layers: Sequence[Layer], ties: Sequence[frozenset[str]]) -> dict[str, str]:
    """Layer -> the first of those that it is tied to, for all but that one."""
    found: dict[str, str] = {}
    for tie in ties:
        first, *rest = [layer.name for layer in layers if layer.name in tie and not layer.is_norm] or [""]
        found.update({name: first for name in rest})
    return found


def _completed(
    stages: Sequence[Stage], layers: Sequence[Layer], norm: NormMode, ties: Sequence[frozenset[str]]
) -> list[Stage]:
    """The stages with the layers that follow others: tied ones, and norms where those are per block."""
    followers = _followers(layers, ties)
    home = {name: index for index, stage in enumerate(stages) for name in stage.layers}
    home.update({name: home[first] for name, first in followers.items()})
    latest = 0
    for layer in layers:
        latest = home.get(layer.name, latest)
        if layer.is_norm and norm == "per-block" and stages:
            home[layer.name] = latest
    members = [tuple(layer.name for layer in layers if home.get(layer.name) == index) for index in range(len(stages))]
    return [Stage(stage.name, names) for stage, names in zip(stages, members, strict=True)]


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


def _split(stage: Stage) -> list[Stage]:
    parts = _children(stage.name, stage.layers, frozenset())
    if len(parts) == 1:
        return [Stage(name, (name,)) for name in stage.layers]
    return [Stage(name, names) for name, names in parts]


def _joined(one: Stage, other: Stage) -> Stage:
    first, last = one.name.partition("..")[0], other.name.rpartition("..")[2]
    return Stage(f"{first}..{last}", one.layers + other.layers)
