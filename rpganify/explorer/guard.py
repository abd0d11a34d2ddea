"""Who may ask: pages of this explorer, called by this machine's own names; and what their answers may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Any port: behind `ssh -L 9000:127.0.0.1:8000` a browser calls it localhost:9000.
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),  # the next explorer on this port shows another model
)


def host_name(host: str) -> str:
    """The name in a Host header, without the port: `127.0.0.1:8000` gives `127.0.0.1`."""
    name, colon, port = host.strip().lower().rpartition(":")
    return name if colon and port.isdigit() else host.strip().lower()


def refusal(headers: list[tuple[bytes, bytes]], path: str) -> str:
    """Why a request is not answered, in a sentence; empty if it is.

    A foreign page can point a name of its own at 127.0.0.1 (DNS rebinding); its browser then says that name as Host. And it
    can ask for our address directly; its browser then says `Sec-Fetch-Site: cross-site`.

    Args:
        headers: of the request, names in lower case.
        path: of the address.
    """
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    if len(hosts) != 1 or host_name(hosts[0]) not in LOCAL_NAMES:
        called = hosts[0] if hosts else "nothing"
        return f"The explorer answers to 127.0.0.1 and localhost only, and was called {called[:100]!r}."
    sites = [value.decode("latin-1") for name, value in headers if name == b"sec-fetch-site"]
    if path != "/" and any(site not in ("same-origin", "none") for site in sites):
        return "The explorer answers to its own page only; open it at its address."
    return ""


class Guard:
    """Answers 403 to whoever may not ask, and puts headers on every answer that keep it to its own page.

    Args:
        app: what is guarded.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        reason = refusal(scope["headers"], scope["path"])
        if not reason:
            await self.app(scope, receive, guarded)
            return
        body = f"{reason}\n".encode()
        plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await guarded({"type": "http.response.start", "status": 403, "headers": plain})
        await guarded({"type": "http.response.body", "body": body})
