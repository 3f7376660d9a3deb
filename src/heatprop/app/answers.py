"""What all routes share: errors as one line of JSON, bodies of bounded size, work apart from the event loop."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from heatprop.app.exports import UnknownExportError
from heatprop.app.library import Library, RunStateError, UnknownRunError
from heatprop.app.run import Run
from heatprop.app.uploads import TooLargeError, UnknownUploadError
from heatprop.app.views import UnknownKeyError
from heatprop.errors import BusyError, HeatpropError, InvalidConfigError

_LARGEST_BODY = 1 << 18
_STATUS: tuple[tuple[type[HeatpropError], int], ...] = (
    (UnknownRunError, 404),
    (UnknownUploadError, 404),
    (UnknownKeyError, 404),
    (UnknownExportError, 404),
    (RunStateError, 409),
    (BusyError, 409),
    (TooLargeError, 413),
    (HeatpropError, 400),
)


def library_of(request: Request) -> Library:
    """Return the library of the server."""
    library = request.app.state.library
    assert isinstance(library, Library)
    return library


def run_of(request: Request) -> Run:
    """Return the run that a path names.

    Raises:
        UnknownRunError: there is none.
    """
    return library_of(request).get(request.path_params["id"])


def posting(work: Callable[[Request, dict[str, Any]], Any]) -> Callable[[Request], Awaitable[Response]]:
    """Return a route for requests with a JSON object, or nothing, as their body; `work` runs in a thread.

    What it returns is the answer, as JSON.
    """

    async def answer(request: Request) -> Response:
        body = await _body(request)
        return JSONResponse(await run_in_threadpool(work, request, body))

    return answer


async def _body(request: Request) -> dict[str, Any]:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _LARGEST_BODY:
            raise TooLargeError(f"the request has more than {_LARGEST_BODY:,} bytes")
    try:
        value = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidConfigError("the request's body is no JSON object")
    return value


def number_in(request: Request, name: str, default: int, least: int = 0, most: int = 1 << 31) -> int:
    """Return a whole number of the address.

    Raises:
        InvalidConfigError: it is none, or outside its range.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most):
        raise InvalidConfigError(f"{name} is {text[:20]!r}; it must be a whole number from {least} to {most}")
    return int(text)


async def heatprop_error(_: Request, error: Exception) -> Response:
    """Answer with what heatprop says of a bad request."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    # What is left of a body that is too large is not read: the connection ends.
    headers = {"Connection": "close"} if status == 413 else None
    return JSONResponse({"error": " ".join(str(error).split())}, status, headers)


async def http_error(_: Request, error: Exception) -> Response:
    """Answer where there is no such address or method."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def fault(_: Request, error: Exception) -> Response:
    """Answer where heatprop itself is at fault."""
    return JSONResponse({"error": f"a fault in heatprop: {type(error).__name__}: {error}"}, 500)
