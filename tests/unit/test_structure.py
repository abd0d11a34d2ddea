"""Walking nested arguments and results."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import torch

from rpganify.structure import at_location, leaves_with_location, location_text, map_leaves, tensors_of

Pair = namedtuple("Pair", "one two")


def test_every_leaf_is_changed_and_the_nesting_stays() -> None:
    nested = {"a": (1, [2, 3]), "b": None, "c": slice(1, None, 2)}
    changed = map_leaves(nested, lambda leaf: ("leaf", leaf))
    leaf = lambda value: ("leaf", value)  # noqa: E731
    assert changed == {
        "a": (leaf(1), [leaf(2), leaf(3)]),
        "b": leaf(None),
        "c": slice(leaf(1), leaf(None), leaf(2)),
    }


def test_named_tuples_and_sizes_become_tuples_and_mappings_dicts() -> None:
    assert map_leaves(Pair(1, 2), str) == ("1", "2")
    assert type(map_leaves(Pair(1, 2), str)) is tuple
    assert map_leaves(torch.Size([2, 3]), str) == (2, 3)
    assert type(map_leaves(OrderedDict(a=1), str)) is dict


def test_locations_lead_back_to_their_leaves() -> None:
    tensors = [torch.tensor(float(i)) for i in range(3)]
    nested: Any = ({"fake": [tensors[0], None]}, Pair(tensors[1], "text"), tensors[2])
    found = list(leaves_with_location(nested))
    assert [location for location, _ in found] == [(0, "fake", 0), (0, "fake", 1), (1, 0), (1, 1), (2,)]
    assert all(at_location(nested, location) is leaf for location, leaf in found)
    assert [id(t) for t in tensors_of(nested)] == [id(t) for t in tensors]


def test_a_bare_leaf_has_an_empty_location() -> None:
    assert list(leaves_with_location(5)) == [((), 5)]
    assert at_location(5, ()) == 5
    assert location_text(()) == ""


def test_a_location_is_written_as_python_would() -> None:
    assert location_text(("fake", 0)) == "['fake'][0]"


def test_empty_structures_have_no_leaves() -> None:
    assert list(leaves_with_location({"a": [], "b": ()})) == []
    assert map_leaves([(), {}], str) == [(), {}]
