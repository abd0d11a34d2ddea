"""How far a long step is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from rpganify.cli.console import Write, is_speaking, say, speak_above
from rpganify.cli.formatting import format_duration

# A log gets a line every five seconds at first, and fewer as the work goes on: one a minute after twenty.
_LINE_EVERY_S, _LONGEST_BETWEEN_LINES_S, _LINES_PER_WORK = 5.0, 60.0, 20
# Drawing takes a millisecond or two of the thread that works: a bar is drawn so seldom that it costs less than
# half a percent.
_DRAW_EVERY_S, _DRAWING_SHARE = 0.25, 0.004
_BAR_WIDTH = 30


@dataclass(slots=True)
class _Part:
    """One step of the work: where and when it was first heard of, how far it is, when last told, and its bar."""

    first_done: int
    started_s: float
    done: int
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
        self._live: Live | None = None
        self._write_before: Write | None = None
        # Descriptions may hold foreign names, so nothing here is read as markup.
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(_BAR_WIDTH),
            TextColumn("{task.fields[count]} ", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
            console=self._console,
        )
        self._next_drawing_s = 0.0
        self._parts: dict[str, _Part] = {}

    def __enter__(self) -> ProgressTalk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            speak_above(self._write_before)

    def update(
        self,
        what: str,
        done: int,
        total: int | None,
        details: str | Callable[[], str] = "",
        *,
        is_urgent: bool = False,
    ) -> None:
        """Says that `done` of `total` of a part are done.

        Args:
            what: name of the part; a new name begins a new one.
            done: 0 to `total`; where it is less than before, the part has gone back.
            total: how many there are; None if nobody knows.
            details: numbers worth seeing beside it, in one or several lines; a function is called when they are told.
            is_urgent: tell it now, even if something was told just before.
        """
        if not is_speaking():
            return
        now = self._clock()
        part = self._parts.get(what)
        is_new = part is None
        if part is None:
            part = self._parts[what] = _Part(done, now, done, now)
        elif done < part.done:
            part.first_done, part.started_s = done, now
        part.done = done
        is_urgent = is_urgent or is_new or (total is not None and done >= total)
        if self._console.is_terminal:
            if is_urgent or now >= self._next_drawing_s:
                self._draw(part, what, total, details() if callable(details) else details)
        elif is_urgent or now - part.told_s >= self._pause_s(part, now):
            part.told_s = now
            lines = (details() if callable(details) else details).splitlines()
            count = f"{what} {done:,}" if total is None else f"{what} {done:,}/{total:,}"
            say(_joined(count, *lines, self._time_left(part, total, now)))

    def _draw(self, part: _Part, what: str, total: int | None, details: str) -> None:
        begun = time.perf_counter()
        now = self._clock()
        if self._live is None:
            # Not by a thread of its own, which would draw whether there is something new or not.
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
            self._live.start()
            self._write_before = speak_above(lambda text: self._console.print(Text(text)))
        count = f"{part.done:,}" if total is None else f"{part.done:,}/{total:,}"
        left = self._time_left(part, total, now)
        if part.bar is None:
            part.bar = self._bars.add_task(what, total=total, count=count, left=left)
        self._bars.update(part.bar, completed=part.done, total=total, count=count, left=left)
        below = [Text(line) for line in details.splitlines()]
        self._live.update(Group(self._bars.get_renderable(), *below), refresh=True)
        cost_s = time.perf_counter() - begun
        self._next_drawing_s = now + max(_DRAW_EVERY_S, cost_s / _DRAWING_SHARE)

    def _pause_s(self, part: _Part, now: float) -> float:
        return min(max((now - part.started_s) / _LINES_PER_WORK, _LINE_EVERY_S), _LONGEST_BETWEEN_LINES_S)

    def _time_left(self, part: _Part, total: int | None, now: float) -> str:
        fresh = part.done - part.first_done
        if total is None or fresh <= 0 or part.done >= total:
            return ""
        return f"{format_duration((now - part.started_s) / fresh * (total - part.done))} left"


def _joined(*parts: str) -> str:
    return "  ".join(part for part in parts if part)
