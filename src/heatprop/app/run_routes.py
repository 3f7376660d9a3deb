"""Runs over HTTP: uploads, and runs begun, listed, paused, resumed, cancelled, named and deleted."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from heatprop.app.answers import library_of, posting, run_of
from heatprop.errors import InvalidConfigError


async def upload(request: Request) -> Response:
    """Take a file."""
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else None
    uploads = library_of(request).uploads
    made, count = await uploads.receive(request.query_params.get("name", ""), announced, request.stream())
    return JSONResponse({"upload": made, "bytes": count})


def listed(request: Request) -> Response:
    """Answer with all runs, the newest first."""
    return JSONResponse([run.to_json() for run in library_of(request).runs()])


def one(request: Request) -> Response:
    """Answer with all that is known of a run."""
    run = run_of(request)
    run.index()
    with run.lock:
        times, cuts = run.times.tolist(), list(run.cuts)
    more = {"times": [round(time, 4) for time in times], "cuts": cuts, "keyframes": None}
    return JSONResponse({**run.to_json(), **more, "labels": list(run.record.labels)})


def _begin(request: Request, body: dict[str, Any]) -> Any:
    return library_of(request).begin(body).to_json()


def _pause(request: Request, _: dict[str, Any]) -> Any:
    run = run_of(request)
    library_of(request).pause(run)
    return run.to_json()


def _resume(request: Request, _: dict[str, Any]) -> Any:
    run = run_of(request)
    library_of(request).resume(run)
    return run.to_json()


def _cancel(request: Request, _: dict[str, Any]) -> Any:
    run = run_of(request)
    library_of(request).cancel(run)
    return run.to_json()


def _rename(request: Request, body: dict[str, Any]) -> Any:
    run = run_of(request)
    if not isinstance(body.get("name"), str):
        raise InvalidConfigError("give the run's new name as a text")
    library_of(request).rename(run, body["name"])
    return run.to_json()


def _truth(request: Request, body: dict[str, Any]) -> Any:
    run, path = run_of(request), body.get("path")
    if path is not None and not isinstance(path, str):
        raise InvalidConfigError("give the path of annotations as a text, or null for none")
    library_of(request).annotate(run, path or None)
    return run.to_json()


def _delete(request: Request, _: dict[str, Any]) -> Any:
    run = run_of(request)
    library_of(request).delete(run)
    return {"id": run.record.id}


begin, delete = posting(_begin), posting(_delete)
pause, resume, cancel = posting(_pause), posting(_resume), posting(_cancel)
rename, truth = posting(_rename), posting(_truth)
