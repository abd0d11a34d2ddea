"""Small things about the nodes of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx

from rpganify.structure import map_leaves


def map_nodes(structure: Any, change: Callable[[fx.Node], Any]) -> Any:
    """A node's arguments with each node replaced, as plain tuples, lists and dicts."""
    return map_leaves(structure, lambda leaf: change(leaf) if isinstance(leaf, fx.Node) else leaf)
