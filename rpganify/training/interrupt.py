"""Ctrl-C, or a request to terminate, during a training: the step is finished first, so that what is saved is consistent."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class FinishOnInterrupt:
    """While open, the first SIGINT or SIGTERM is only noted; a second one stops at once, as it would otherwise.

    Outside the main thread, and where a signal is ignored (SIGINT in a job in the background), nothing is installed.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def is_requested(self) -> bool:
        """Whether a signal came."""
        return self.signal is not None

    def __enter__(self) -> FinishOnInterrupt:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        self.signal = signal.Signals(number)
        what = "Interrupted" if number == signal.SIGINT else "Asked to terminate"
        log.warning("%s: the step is finished and saved first. Once more stops at once, without saving.", what)
