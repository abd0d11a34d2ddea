"""Those whom a training tells what it does, as one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rpganify.training.callbacks import Alarm, Callback, Quality, StepMetrics, TrainResult, TrainStart


class Audience:
    """Tells every callback, in their order, and closes those that can be closed.

    A plugin's callback that was written for fewer methods is told only what it has a method for.

    Args:
        callbacks: the run's own writers first.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = tuple(callbacks)

    def on_start(self, start: TrainStart) -> None:
        """Before the first step."""
        self._tell("on_start", start)

    def on_step(self, metrics: StepMetrics) -> None:
        """After each step."""
        self._tell("on_step", metrics)

    def on_checkpoint(self, step: int, directory: Path) -> None:
        """After each checkpoint."""
        self._tell("on_checkpoint", step, directory)

    def on_alarm(self, alarm: Alarm) -> None:
        """When something is wrong."""
        self._tell("on_alarm", alarm)

    def on_quality(self, quality: Quality) -> None:
        """After each measurement."""
        self._tell("on_quality", quality)

    def on_rollback(self, start: TrainStart) -> None:
        """When steps are taken back."""
        self._tell("on_rollback", start)

    def on_end(self, result: TrainResult) -> None:
        """After the last step."""
        self._tell("on_end", result)

    def close(self) -> None:
        """Let go of files and the like, however the training ended."""
        with ExitStack() as stack:  # which closes the others too where one fails
            for callback in reversed(self._callbacks):
                if close := getattr(callback, "close", None):
                    stack.callback(close)

    def _tell(self, method: str, *what: object) -> None:
        for callback in self._callbacks:
            if told := getattr(callback, method, None):
                told(*what)
