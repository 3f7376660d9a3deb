"""Exports and commands over HTTP."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from heatprop.app.answers import library_of, posting, run_of
from heatprop.app.commands import commands_of
from heatprop.app.exports import Exports, export_request
from heatprop.app.library import RunStateError
from heatprop.app.views import full_key, tuning_of_key


def exports_of(request: Request) -> Exports:
    """Return the exports of the server."""
    exports = request.app.state.exports
    assert isinstance(exports, Exports)
    return exports


def _export(request: Request, body: dict[str, Any]) -> Any:
    run = run_of(request)
    run.index()
    if run.is_at_work or not run.frames:
        raise RunStateError(f"the run is {run.record.state}; it can be exported when it has ended")
    return exports_of(request).begin(run, export_request(body, run.frames)).to_json()


export = posting(_export)


def download(request: Request) -> Response:
    """Answer with the file of an export."""
    path = exports_of(request).file(request.path_params["job"], request.path_params["name"])
    return FileResponse(path, filename=path.name)


def commands(request: Request) -> Response:
    """Answer with the command line and the Python that give the same detections."""
    library, run = library_of(request), run_of(request)
    run.index()
    tuning = tuning_of_key(run, full_key(run, request.query_params.get("key", "")))
    if tuning is None or run.record.kind == "results":
        raise RunStateError("this run shows a file of results; the file says what made it")
    return JSONResponse(commands_of(run.record, library.source_of(run), tuning))
