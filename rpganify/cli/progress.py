"""How far a long step is: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from rpganify.cli.console import say
from rpganify.cli.formatting import format_duration

_LINE_EVERY_S = 5.0


@dataclass(slots=True)
class _Part:
    """One step of the work: where and when it was first heard of, when last told, and its bar."""

    first_done: int
    started_s: float
    told_s: float
    bar: TaskID | None = None


class ProgressTalk:
    """Tells on stderr what is under way; a context manager, since a bar has to be taken off the terminal.

    Args:
        clock: seconds, monotonic.
        console: where a bar is drawn; by default stderr.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, console: Console | None = None) -> None:
        self._clock = clock
        self._console = console or Console(stderr=True)
        self._bars: Progress | None = None
        self._parts: dict[str, _Part] = {}

    def __enter__(self) -> ProgressTalk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def update(self, what: str, done: int, total: int, details: str = "") -> None:
        """Says that `done` of `total` of a part are done.

        Args:
            what: name of the part; a new name begins a new one.
            done: 0 to `total`.
            total: how many there are.
            details: numbers worth seeing beside it.
        """
        now = self._clock()
        part = self._parts.get(what)
        is_new = part is None
        if part is None:
            part = self._parts[what] = _Part(done, now, now)
        told = _joined(details, self._time_left(part, done, total, now))
        if self._console.is_terminal:
            self._draw(part, what, done, total, told)
        elif is_new or done >= total or now - part.told_s >= _LINE_EVERY_S:
            part.told_s = now
            say(_joined(f"{what} {done:,}/{total:,}", told))

    def _draw(self, part: _Part, what: str, done: int, total: int, told: str) -> None:
        if self._bars is None:
            # Descriptions may hold foreign names, so nothing here is read as markup.
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[details]}", markup=False),
                console=self._console,
            )
            self._bars.start()
        if part.bar is None:
            part.bar = self._bars.add_task(what, total=total, details=told)
        self._bars.update(part.bar, completed=done, total=total, details=told)

    def _time_left(self, part: _Part, done: int, total: int, now: float) -> str:
        fresh = done - part.first_done
        if fresh <= 0 or done >= total:
            return ""
        return f"{format_duration((now - part.started_s) / fresh * (total - done))} left"


def _joined(*parts: str) -> str:
    return "  ".join(part for part in parts if part)
