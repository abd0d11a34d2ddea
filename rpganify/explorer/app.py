"""The explorer as a web application: the page's files, and what it asks for."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rpganify.errors import RpganifyError
from rpganify.explorer.asking import Query
from rpganify.explorer.conditions import Field, read_fields
from rpganify.explorer.describing import Naming, describe
from rpganify.explorer.guard import Guard
from rpganify.explorer.painting import Painter

log = logging.getLogger(__name__)

Answer = Callable[[Request], Awaitable[Response]]

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def build_app(painter: Painter, fields: Sequence[Field], naming: Naming, executor: Executor) -> ASGIApp:
    """The application.

    Args:
        painter: of the model.
        fields: the model's further inputs.
        naming: how the user named the model.
        executor: one thread, where the model runs; the page is answered beside it.
    """
    told = describe(painter, fields, naming)

    async def model(request: Request) -> Response:
        return JSONResponse(told)

    async def image(request: Request) -> Response:
        query = Query(request.url.query)
        path = painter.paths.parse(query.one("path"))
        conditions = read_fields(fields, query.many("condition"))
        return await paint(lambda: painter.image(path, conditions))

    async def blocks(request: Request) -> Response:
        query = Query(request.url.query)
        path = painter.paths.parse(query.one("path"))
        conditions = read_fields(fields, query.many("condition"))
        bucket, first, count = (query.integer(name) for name in ("bucket", "first", "count"))
        return await paint(lambda: painter.blocks(path, bucket, first, count, conditions))

    async def way(request: Request) -> Response:
        query = Query(request.url.query)
        start, end = (painter.paths.parse(query.one(name)) for name in ("start", "end"))
        steps = painter.paths.walk(start, end, is_backward=query.many("order") == ["backward"])
        return JSONResponse([{"path": step.path, "bucket": step.bucket, "block": step.block} for step in steps])

    async def paint(draw: Callable[[], bytes]) -> Response:
        png = await asyncio.get_running_loop().run_in_executor(executor, draw)
        return Response(png, media_type="image/png")

    asked = {"model": model, "image": image, "blocks": blocks, "walk": way}
    routes = [Route(f"/api/{name}", _answering(answer)) for name, answer in asked.items()]
    # Around all of it, so that whatever is answered has the guard's headers.
    return Guard(Starlette(routes=[*_page_routes(), *routes]))


def _page_routes() -> list[Route]:
    """A route for each file of the page, all read now: nothing but these is ever opened."""
    routes = []
    for file in sorted(files("rpganify.explorer").joinpath("page").iterdir(), key=lambda one: one.name):
        suffix = file.name[file.name.rfind(".") :]
        if suffix in _TYPES:
            place = "/" if file.name == "index.html" else f"/{file.name}"
            routes.append(Route(place, functools.partial(_answer_file, file.read_bytes(), _TYPES[suffix])))
    return routes


async def _answer_file(content: bytes, media_type: str, request: Request) -> Response:
    return Response(content, media_type=media_type)


def _answering(answer: Answer) -> Answer:
    """The same answer; what is refused becomes a sentence for the page, and so does a failure, which is logged too."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except RpganifyError as error:
            return JSONResponse({"error": " ".join(str(error).split())}, status_code=400)
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            log.warning("no answer to %s: %s", request.url.path, told)
            return JSONResponse({"error": told}, status_code=500)

    return answered
