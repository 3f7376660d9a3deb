"""What happens, as server-sent events: each listener is told of what changed, four times a second at most."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from heatprop.app.answers import library_of
from heatprop.app.exports import Exports
from heatprop.app.library import Library

_SECONDS = 0.25
_TICKS_OF_SILENCE = 40


async def events(request: Request) -> Response:
    """Answer with events until the listener leaves or the server stops."""
    stream = _changes(library_of(request), request.app.state.exports, request)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _changes(library: Library, exports: Exports, request: Request) -> AsyncIterator[str]:
    told: dict[str, dict[Any, Any]] = {"run": {}, "tuning": {}, "export": {}}
    silent = 0
    yield ": heatprop\n\n"
    while not request.app.state.is_stopping and not await request.is_disconnected():
        lines = list(_news(library, exports, told))
        silent = 0 if lines else silent + 1
        for line in lines:
            yield line
        if silent >= _TICKS_OF_SILENCE:
            silent = 0
            yield ": still here\n\n"
        await asyncio.sleep(_SECONDS)


def _news(library: Library, exports: Exports, told: dict[str, dict[Any, Any]]) -> list[str]:
    """Return the events since the last call, and remember them in `told`."""
    runs = {run.record.id: run for run in library.runs()}
    news = [_event("gone", {"id": gone}) for gone in told["run"].keys() - runs.keys()]
    told["run"] = {key: told["run"][key] for key in told["run"].keys() & runs.keys()}
    for key, run in runs.items():
        if told["run"].get(key) != (run, run.version):
            told["run"][key] = (run, run.version)
            news.append(_event("run", run.to_json()))
    reports = {(report.run, report.key): report for report in library.tuner.reports()}
    news += [
        _event("tuning", report.to_json()) for key, report in reports.items() if told["tuning"].get(key) != report
    ]
    told["tuning"] = reports
    jobs = {job.id: job for job in exports.jobs()}
    news += [_event("export", job.to_json()) for key, job in jobs.items() if told["export"].get(key) != job]
    told["export"] = jobs
    return news


def _event(name: str, value: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n"
