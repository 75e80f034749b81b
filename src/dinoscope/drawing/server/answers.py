"""What both local pages answer with: JSON, refusals in words, the page and its files. Needs Starlette."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dinoscope.errors import DinoscopeError

_TYPES = {".mjs": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """ASCII, so that a file name that is no text can be told too; a number that is none is refused."""
    return Response(json.dumps(value, allow_nan=False), status, headers, "application/json")


async def refused(request: Request, error: Exception) -> Response:
    """A refusal with its status; without one it is this program's fault."""
    found = error if isinstance(error, HTTPException) else HTTPException(500)
    return json_answer({"reason": found.detail}, found.status_code, found.headers)


async def unusable(request: Request, error: Exception) -> Response:
    """What was asked for cannot be done: 422, and why."""
    return json_answer({"reason": str(error)}, 422)


REFUSALS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    HTTPException: refused,
    DinoscopeError: unusable,
}
"""An app's exception handlers."""


def page_routes(html: str) -> tuple[Route, Route]:
    """The page itself, and everything it loads."""
    statics = static_files()

    async def page(request: Request) -> Response:
        return Response(html, media_type="text/html; charset=utf-8")

    async def static(request: Request) -> Response:
        found = statics.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "there is no such file")
        return Response(found[0], headers={"content-type": found[1]})

    return Route("/", page), Route("/static/{name}", static)


def static_files() -> dict[str, tuple[bytes, str]]:
    """Everything served as a file, by name: bytes and type. Read once; no request names a path."""
    folder = files("dinoscope.drawing.view").joinpath("static")
    return {
        item.name: (item.read_bytes(), _TYPES[item.name[item.name.rindex(".") :]])
        for item in folder.iterdir()
        if item.name.endswith(tuple(_TYPES))
    }
