"""What is computed of a whole run, over HTTP: the strip, and the scores of an object over time."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from heatprop.app.answers import library_of, number_in, run_of
from heatprop.app.summaries import Summaries, curve_of, overview_to_json
from heatprop.errors import InvalidConfigError


def overview(request: Request) -> Response:
    """Answer with the strip, as far as detections are computed."""
    run = run_of(request)
    found = summaries_of(request).overview(library_of(request), run, request.query_params.get("key", ""))
    return JSONResponse(overview_to_json(found, run))


def score(request: Request) -> Response:
    """Answer with the scores of an object over time."""
    run, key = run_of(request), request.query_params.get("key", "")
    if "id" not in request.query_params:
        raise InvalidConfigError("say which object is meant by its id")
    number, at = number_in(request, "id", 0), number_in(request, "at", 0)
    library = library_of(request)
    found = summaries_of(request).overview(library, run, key)
    return JSONResponse(curve_of(library, run, found, key=key, number=number, at=at))


def truth(request: Request) -> Response:
    """Answer with average precision and false alarms."""
    run = run_of(request)
    run.index()
    found = summaries_of(request).truth(library_of(request), run, request.query_params.get("key", ""))
    return JSONResponse(found)


def summaries_of(request: Request) -> Summaries:
    """Return the overviews of the server."""
    summaries = request.app.state.summaries
    assert isinstance(summaries, Summaries)
    return summaries
