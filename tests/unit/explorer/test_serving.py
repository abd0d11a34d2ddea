"""Sockets and packages."""

import pytest

from rpganify.errors import ExplorerError
from rpganify.explorer import serving
from rpganify.explorer.serving import address, check_is_installed, open_socket


def test_a_free_port_of_127_0_0_1_alone_is_taken():
    with open_socket(0) as one:
        host, port = one.getsockname()
        assert host == "127.0.0.1" and port > 0
        assert address(one) == f"http://127.0.0.1:{port}/"


def test_a_port_that_is_taken_is_refused_with_the_way_out():
    with open_socket(0) as one:
        port = one.getsockname()[1]
        with pytest.raises(ExplorerError, match=rf"Port {port} on 127\.0\.0\.1 is taken .* Leave out --port"):
            open_socket(port)


def test_a_port_is_free_again_at_once():
    with open_socket(0) as one:
        port = one.getsockname()[1]
    with open_socket(port) as again:
        assert again.getsockname()[1] == port


def test_the_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch):
    check_is_installed()
    monkeypatch.setattr(serving, "_NEEDED", ("uvicorn", "starlette_that_is_not_there"))
    with pytest.raises(ExplorerError, match=r"starlette_that_is_not_there cannot be found .*'rpganify\[explore\]'"):
        check_is_installed()
