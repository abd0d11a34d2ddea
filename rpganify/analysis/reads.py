"""Which parts of its context an analyzer reads: what its report depends on, found out rather than declared."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from rpganify.analysis.analyzer import AnalysisContext

_FIELDS = frozenset(field.name for field in dataclasses.fields(AnalysisContext))


class WatchedContext(AnalysisContext):
    """A context that notes the names of the fields that are read; made by `watched`, not by hand.

    A copy by `dataclasses.replace` is an analyzer's own; making it counts as reading everything.
    """

    __slots__ = ("_reads",)
    _reads: set[str]

    def __getattribute__(self, name: str) -> Any:
        if name in _FIELDS:
            with contextlib.suppress(AttributeError):  # a copy, which nobody watches
                object.__getattribute__(self, "_reads").add(name)
        return object.__getattribute__(self, name)


def watched(context: AnalysisContext) -> tuple[AnalysisContext, set[str]]:
    """The same context, and the set into which the names of its fields go as they are read."""
    values = {name: getattr(context, name) for name in _FIELDS}
    reads: set[str] = set()
    copy = WatchedContext(**values)
    object.__setattr__(copy, "_reads", reads)
    return copy, reads
