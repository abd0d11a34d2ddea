"""Ctrl-C during a training: the step is finished first, so that what is saved is consistent."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType, TracebackType

log = logging.getLogger(__name__)


class FinishOnInterrupt:
    """While open, the first SIGINT only sets `is_requested`; a second one raises KeyboardInterrupt at once.

    Outside the main thread, and where SIGINT is ignored (a job in the background), nothing is installed.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._is_installed = False

    def __enter__(self) -> FinishOnInterrupt:
        is_main = threading.current_thread() is threading.main_thread()
        self._before = signal.getsignal(signal.SIGINT)
        if is_main and self._before not in (signal.SIG_IGN, None):
            signal.signal(signal.SIGINT, self._handle)
            self._is_installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_installed:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.is_requested:
            raise KeyboardInterrupt
        self.is_requested = True
        log.warning("Interrupted: the step is finished and saved first. Ctrl-C again stops at once, without saving.")
