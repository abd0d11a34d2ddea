"""What people write to choose layers -> the layers: names, globs, regular expressions, types, ranges, stages."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from rpganify.errors import PlanError, closest
from rpganify.plan import NormMode
from rpganify.routing.blueprint import Layer


def select_layers(
    entry: str, layers: Sequence[Layer], stages: Sequence[Sequence[str]], norm: NormMode
) -> tuple[str, ...]:
    """The layers of one bucket, in order of the forward pass.

    Args:
        entry: patterns joined by commas. A pattern is a layer (`block2.c1`) or a parameter of it, a module that holds
            layers (`block2`), a glob (`block*.c?`), a regular expression (`re:block[23]`), a type
            (`type:ConvTranspose2d`), a range (`main.0..main.5`), or a stage, counted from 1 (`stage:2`).
        layers: the layer table.
        stages: layer names of each natural stage.
        norm: "shared" leaves norm layers out.
    Raises:
        PlanError: a pattern that matches nothing, or norm layers only while those are shared.
    """
    chosen: set[str] = set()
    for pattern in entry.split(","):
        matched = _match(pattern.strip(), layers, stages)
        routable = {
            layer.name for layer in layers if layer.name in matched and not (layer.is_norm and norm == "shared")
        }
        if not routable:
            raise PlanError(
                f"{pattern.strip()!r} selects norm layers only, and norm layers are shared by all paths. Give every block "
                'its own with norm="per-block" (`--norm per-block`).'
            )
        chosen |= routable
    return tuple(layer.name for layer in layers if layer.name in chosen)


def _match(pattern: str, layers: Sequence[Layer], stages: Sequence[Sequence[str]]) -> set[str]:
    names = [layer.name for layer in layers]
    kind, _, rest = pattern.partition(":")
    if kind == "re" and rest:
        try:
            expression = re.compile(rest)
        except re.error as error:
            raise PlanError(f"{rest!r} is no regular expression: {error}.") from error
        found = {name for name in names if expression.search(name)}
    elif kind == "type" and rest:
        found = {layer.name for layer in layers if fnmatch.fnmatchcase(layer.kind, rest)}
        if not found:
            kinds = sorted({layer.kind for layer in layers})
            raise PlanError(f"No layer of type {rest!r}; this generator has {', '.join(kinds)}.{closest(rest, kinds)}")
    elif kind == "stage" and rest:
        if not (rest.isascii() and rest.isdigit()) or not 1 <= int(rest) <= len(stages):
            raise PlanError(f"There is no stage {rest!r}: this generator has stages 1 to {len(stages)}.")
        found = set(stages[int(rest) - 1])
    elif ".." in pattern:
        first, last = (_match(end.strip(), layers, stages) for end in pattern.split("..", 1))
        positions = [index for index, name in enumerate(names) if name in first | last]
        found = set(names[min(positions) : max(positions) + 1])
    else:
        owners = {parameter: layer.name for layer in layers for parameter in layer.parameters}
        found = (
            {owners[pattern]}
            if pattern in owners
            else {
                name
                for name in names
                if name == pattern or name.startswith(f"{pattern}.") or fnmatch.fnmatchcase(name, pattern)
            }
        )
    if not found:
        known = sorted(set(names) | {name.rpartition(".")[0] for name in names if "." in name})
        raise PlanError(
            f"No layer of this generator matches {pattern!r}.{closest(pattern, known)} `rpganify inspect` lists all "
            f"{len(names)} layers."
        )
    return found
