"""Tuning over HTTP: the answer is a preview, and the whole run follows in the background."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from heatprop.app.answers import library_of, posting, run_of
from heatprop.app.columns import range_of_columns
from heatprop.app.library import RunStateError
from heatprop.app.preview import preview_of
from heatprop.app.settings import alone_key, tuning_of
from heatprop.errors import InvalidConfigError


def _tune(request: Request, body: dict[str, Any]) -> Any:
    library, run = library_of(request), run_of(request)
    tuning = tuning_of(body.get("settings", {}))
    at = body.get("at", 0)
    if not isinstance(at, int) or isinstance(at, bool):
        raise InvalidConfigError("at is the number of a frame")
    run.index()
    if not run.record.is_tunable:
        raise RunStateError(
            "this file holds detections that were propagated already; open its video to tune propagation"
        )
    if not run.record.labels or not run.frames:
        raise RunStateError("the run has no frames yet")
    with library.tuner.resting():
        preview = preview_of(run, tuning, at)
    follower = run.follow(tuning)
    run.prefer(tuning)
    library.tuner.want(run, follower)
    return {
        "key": tuning.key,
        "alone": alone_key(tuning.score_threshold),
        "settings": tuning.to_json(),
        "preview": range_of_columns(preview.start, preview.frames),
        "exact": preview.is_exact,
    }


tune = posting(_tune)
