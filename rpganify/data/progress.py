"""How far the reading of a data set is, told to whoever listens, once it takes long enough to be worth it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

# What is under way, how many are done, how many there are.
OnProgress = Callable[[str, int, int], None]

QUIET_S = 2.0
_EVERY_S = 0.25

T = TypeVar("T")
# A variable of the context, because the factories of data sets are called with two arguments, strangers' too.
_listener: ContextVar[OnProgress | None] = ContextVar("listener", default=None)


@contextmanager
def progress_told(listener: OnProgress) -> Iterator[None]:
    """Inside, `listener` is told of whatever takes longer than two seconds, at most four times a second.

    Example:
        with progress_told(lambda what, done, total: print(what, done, total)):
            data = open_data("folder:photos", None, default_registry())
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tracked(
    items: Iterable[T], what: str, total: int, *, each: int = 1, clock: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """The items as they are; the listener of `progress_told`, if there is one, hears of those that are done.

    Args:
        items: whatever is worked through.
        what: what is done, e.g. `reading headers of folder:photos`.
        total: how many there are.
        each: how many of them an item stands for, the last one perhaps for fewer.
        clock: seconds, monotonic.
    """
    listener = _listener.get()
    if listener is None:
        yield from items
        return
    told_at: float | None = None
    begun, done = clock(), 0
    for item in items:
        yield item
        done = min(done + each, total)
        now = clock()
        if now - begun >= QUIET_S and (told_at is None or now - told_at >= _EVERY_S or done == total):
            listener(what, done, total)
            told_at = now
