"""Walks the nested tuples, lists, dicts and slices that arguments and results are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def map_leaves(structure: Any, change: Callable[[Any], Any]) -> Any:
    """`structure` with every leaf replaced; named tuples and sizes become tuples, mappings become dicts."""
    if isinstance(structure, torch.Size):
        return tuple(structure)
    if isinstance(structure, tuple):
        return tuple(map_leaves(item, change) for item in structure)
    if isinstance(structure, list):
        return [map_leaves(item, change) for item in structure]
    if isinstance(structure, Mapping):
        return {key: map_leaves(item, change) for key, item in structure.items()}
    if isinstance(structure, slice):
        return slice(
            map_leaves(structure.start, change), map_leaves(structure.stop, change), map_leaves(structure.step, change)
        )
    return change(structure)


def leaves_with_location(
    structure: Any, location: tuple[int | str, ...] = ()
) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """Every leaf with its location: the keys and indices that lead to it, e.g. `("fake", 0)`."""
    if isinstance(structure, (tuple, list)):
        for index, item in enumerate(structure):
            yield from leaves_with_location(item, (*location, index))
    elif isinstance(structure, Mapping):
        for key, item in structure.items():
            yield from leaves_with_location(item, (*location, key))
    else:
        yield location, structure


def tensors_of(structure: Any) -> list[Tensor]:
    """All tensors, in order."""
    return [leaf for _, leaf in leaves_with_location(structure) if isinstance(leaf, Tensor)]


def at_location(structure: Any, location: tuple[int | str, ...]) -> Any:
    """The leaf that `leaves_with_location` found there."""
    for key in location:
        structure = structure[key]
    return structure


def location_text(location: tuple[int | str, ...]) -> str:
    """A location as one would write it: `[1]`, `['fake'][0]`; empty for the whole."""
    return "".join(f"[{key!r}]" for key in location)
