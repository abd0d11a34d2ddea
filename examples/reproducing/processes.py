"""Runs `rpganify` commands as processes of their own, with their time, and stops them in good order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Args:
        code: its exit code.
        stdout: what it printed as data.
        wall_s, cpu_s: how long it ran, and the processors' time that it took, its workers' included.
    """

    code: int
    stdout: str
    wall_s: float
    cpu_s: float


class Execute(Protocol):
    """Runs `rpganify WORDS`; what it says goes to the end of the file `log`."""

    def __call__(self, words: Sequence[str], log: Path) -> Ended: ...

    def stop(self, number: int) -> None:
        """Ask everything that runs to stop, by this signal, and let nothing begin any more."""


@dataclass(slots=True)
class Processes:
    """Each command in a process and session of its own, so that Ctrl-C reaches it once, through `stop`.

    Args:
        num_threads: of each process; None leaves that to torch.
        is_shown: whether what commands say also goes to this program's stderr, rather than to the log alone.
    """

    num_threads: int | None = None
    is_shown: bool = False
    _running: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: int = 0

    def __call__(self, words: Sequence[str], log: Path) -> Ended:
        """Run a command to its end."""
        environment = dict(os.environ)
        if self.num_threads is not None:
            environment.setdefault("OMP_NUM_THREADS", str(self.num_threads))
        start = time.monotonic()
        with log.open("ab") as file:
            with self._lock:
                if self._stopped:
                    return Ended(128 + self._stopped, "", 0.0, 0.0)
                process = subprocess.Popen(
                    [sys.executable, "-m", "rpganify", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=None if self.is_shown else file,
                    env=environment,
                    start_new_session=True,
                )
                self._running.add(process.pid)
            assert process.stdout is not None
            stdout = process.stdout.read()
            # wait4 tells the time of this process and its children; getrusage would mix those that run side by side.
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stdout.close()
        with self._lock:
            self._running.discard(process.pid)
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        text = stdout.decode("utf-8", "replace")
        return Ended(code, text, time.monotonic() - start, used.ru_utime + used.ru_stime)

    def stop(self, number: int) -> None:
        """Send the signal to what runs; a training finishes its step, saves, and ends."""
        with self._lock:
            self._stopped = number
            for pid in self._running:
                os.kill(pid, signal.Signals(number))
