"""What the page must know before anything else: version, models, settings and limits."""

from __future__ import annotations

from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from heatprop import __version__, layouts, zoo
from heatprop.app.answers import library_of
from heatprop.app.columns import MOST_FRAMES
from heatprop.app.run_folder import AT_WORK
from heatprop.app.settings import FORMS, described_settings


def about(request: Request) -> Response:
    """Answer with it."""
    limits = {"detections": MOST_FRAMES, "states_at_work": list(AT_WORK)}
    return JSONResponse({**_facts(), "max_upload": library_of(request).uploads.largest, "limits": limits})


@cache
def _facts() -> dict[str, Any]:
    models = [
        {
            "name": card.name,
            "title": card.title,
            "classes": list(card.classes),
            "input": {"longest_side": card.input.longest_side, "multiple": card.input.multiple},
            "bytes": zoo.find(card.name).stat().st_size,
        }
        for card in zoo.models()
    ]
    return {
        "version": __version__,
        "models": models,
        "layouts": [layouts.AUTO, *layouts.names()],
        "forms": list(FORMS),
        "settings": described_settings(),
    }
