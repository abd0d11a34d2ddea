"""The server: bound to 127.0.0.1, and to nothing else."""

from __future__ import annotations

import errno
import importlib.util
import socket
from typing import TYPE_CHECKING

from rpganify.errors import ExplorerError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

HOST = "127.0.0.1"
_NEEDED = ("starlette", "uvicorn")


def check_is_installed() -> None:
    """Refuses where the page cannot be served for want of a package.

    Raises:
        ExplorerError: the extra `explore` is not installed.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ExplorerError(
            f"The explorer's page is served by {' and '.join(_NEEDED)}, and {' and '.join(missing)} cannot be found here. "
            "`pip install 'rpganify[explore]'` adds them; without them, `rpganify sample MODEL --vary 3` draws all blocks "
            "of a bucket."
        )


def open_socket(port: int) -> socket.socket:
    """A socket bound to 127.0.0.1.

    Args:
        port: 0 takes a free one.
    Raises:
        ExplorerError: the port is taken, or not for everybody.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free again at once
    try:
        opened.bind((HOST, port))
        opened.listen()  # so that a second one is refused now, not when it is first called
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            why = f"Port {port} on {HOST} is taken by another program"
        else:
            why = f"Port {port} on {HOST} cannot be had: {error.strerror}"
        raise ExplorerError(f"{why}. Leave out --port, and a free one is taken.") from error
    return opened


def address(opened: socket.socket) -> str:
    """Where a browser finds it."""
    return f"http://{HOST}:{opened.getsockname()[1]}/"


def make_server(app: ASGIApp) -> uvicorn.Server:
    """A server for the application; `run(sockets=[socket])` serves until Ctrl-C, which it raises again when all is closed."""
    import uvicorn

    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)
