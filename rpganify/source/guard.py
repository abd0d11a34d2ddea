"""What a script's own statements may not do while they are loaded: write, download, start programs, ask."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_EFFECTS: dict[str, str] = {
    "os.mkdir": "create the folder {0!r}",
    "os.rename": "rename {0!r}",
    "os.remove": "delete {0!r}",
    "os.rmdir": "delete the folder {0!r}",
    "os.link": "link {0!r}",
    "os.symlink": "link {0!r}",
    "os.truncate": "overwrite {0!r}",
    "shutil.rmtree": "delete the folder {0!r}",
    "os.system": "run the command {0!r}",
    "os.exec": "start the program {0!r}",
    "os.posix_spawn": "start the program {0!r}",
    "os.fork": "start a process",
    "subprocess.Popen": "start the program {0!r}",
    "socket.connect": "open a network connection",
    "socket.getaddrinfo": "open a network connection to {0!r}",
    "urllib.Request": "download {0!r}",
    "builtins.input": "ask for input",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_state = threading.local()
_installed = threading.Lock()
_is_installed = False


class RefusedEffect(PermissionError):
    """A statement wanted to change the world outside; the message says what: "create the folder 'images'"."""


@contextmanager
def effects_refused(is_user_file: Callable[[str], bool]) -> Iterator[None]:
    """While this lasts, effects that come from the user's files raise `RefusedEffect` in this thread.

    What an installed package does while it is being *imported* (byte code, font caches) is let through.

    Args:
        is_user_file: tells whether a code object's file name is one of the user's.
    """
    _install()
    previous = getattr(_state, "is_user_file", None)
    _state.is_user_file = is_user_file
    try:
        yield
    finally:
        _state.is_user_file = previous


def _install() -> None:
    """Adds the audit hook, once per process: such hooks cannot be taken away, so this one sleeps when not needed."""
    global _is_installed
    with _installed:
        if not _is_installed:
            sys.addaudithook(_watch)
            _is_installed = True


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event != "open" and event not in _EFFECTS:
        return
    is_user_file = getattr(_state, "is_user_file", None)
    if is_user_file is None:
        return
    effect = _written_file(args) if event == "open" else _EFFECTS[event].format(*args, "")
    if effect and _is_users_doing(sys._getframe(1), is_user_file):
        raise RefusedEffect(effect)


def _written_file(args: tuple[Any, ...]) -> str | None:
    path, mode, flags = args
    is_written = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & _WRITING)
    return f"write the file {path!r}" if is_written and path != os.devnull else None


def _is_users_doing(frame: FrameType | None, is_user_file: Callable[[str], bool]) -> bool:
    """Whether the nearest user frame is reached from here before any running import."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return False
        if is_user_file(name):
            return True
        frame = frame.f_back
    return False
