"""The addresses of the server: what each answers is in the module of its noun."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from heatprop.app import about, events, export_routes, run_routes, summary_routes, tuning_routes, view_routes
from heatprop.app.answers import fault, heatprop_error, http_error
from heatprop.app.exports import Exports
from heatprop.app.library import Library
from heatprop.app.summaries import Summaries
from heatprop.errors import HeatpropError

PAGE = Path(__file__).parent / "page"


def make_app(library: Library) -> Starlette:
    """Return what answers requests that got through the `Gate`."""
    run = "/api/runs/{id}"
    app = Starlette(
        routes=[
            Route("/api/about", about.about),
            Route("/api/events", events.events),
            Route("/api/uploads", run_routes.upload, methods=["POST"]),
            Route("/api/runs", run_routes.listed),
            Route("/api/runs", run_routes.begin, methods=["POST"]),
            Route(run, run_routes.one),
            Route(run, run_routes.delete, methods=["DELETE"]),
            *(
                Route(f"{run}/{name}", getattr(run_routes, name), methods=["POST"])
                for name in ("pause", "resume", "cancel", "rename", "truth")
            ),
            Route(f"{run}/video", view_routes.video),
            Route(f"{run}/frames/{{number:int}}.jpg", view_routes.frame),
            Route(f"{run}/detections", view_routes.detections),
            Route(f"{run}/overview", summary_routes.overview),
            Route(f"{run}/score", summary_routes.score),
            Route(f"{run}/truth", summary_routes.truth),
            Route(f"{run}/tune", tuning_routes.tune, methods=["POST"]),
            Route(f"{run}/export", export_routes.export, methods=["POST"]),
            Route(f"{run}/commands", export_routes.commands),
            Route("/api/exports/{job}/{name}", export_routes.download),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        exception_handlers={HeatpropError: heatprop_error, HTTPException: http_error, Exception: fault},
    )
    app.state.library = library
    app.state.summaries = Summaries()
    app.state.exports = Exports(library)
    return app
