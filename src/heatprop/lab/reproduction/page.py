"""The report as one HTML page that needs nothing else: no network, no script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from math import isnan
from typing import TYPE_CHECKING, Any

from heatprop.errors import MissingPackageError
from heatprop.lab.reproduction import page_plots, reported, shown, trends, words
from heatprop.lab.reproduction.vector_graphics import NO_TEXT

if TYPE_CHECKING:
    from jinja2 import Environment

_RADII = {float(radius): value for radius, value in reported.RADII.items()}
_UNCOVERED = {float(radius): share for radius, share in reported.UNCOVERED.items()}
_SWEEPS = (("radius", "P", _RADII), ("alpha", "α", reported.ALPHAS), ("beta", "β", reported.BETAS))
_AFTER = {"network alone": "decode", "interpolation": "interpolation", "HP": "propagation"}
_BETTER = {"recovered": "Recovered objects", "corrected": "Corrected boxes"}
_WORSE = {"ghost": "Ghosts: HP sees what is not there", "lost": "Lost: HP spoils what the network had"}
_KINDS = (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"RIFF", "image/webp")
_MAX_CHANGED = 3


def render_page(report: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    """Return a report as one self-contained HTML page, light and dark, for desktop and phone.

    Args:
        report: as in ``report.json``; a part that is absent, null or empty becomes a sentence that says so.
        images: JPEG, PNG or WebP by the names that stand in the report's scenes.

    Raises:
        MissingPackageError: Jinja2 or matplotlib is not installed.
    """
    template = _environment().get_template("page.html.j2")
    return NO_TEXT.sub("", template.render(_view(report, images))) + "\n"


@cache
def _environment() -> Environment:
    try:
        from jinja2 import ChainableUndefined, Environment, PackageLoader, Undefined  # noqa: PLC0415 (optional)
    except ImportError:
        raise MissingPackageError("the page needs jinja2; pip install 'heatprop[evaluate]'") from None

    def finalize(value: object) -> object:
        is_nothing = value is None or isinstance(value, Undefined) or (isinstance(value, float) and isnan(value))
        return shown.NOTHING if is_nothing else value

    environment = Environment(
        loader=PackageLoader("heatprop.lab.reproduction", "."),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    environment.filters.update(
        percent=shown.percent, decimals=shown.decimals, signed=shown.signed, whole=shown.whole, plain=shown.plain
    )
    return environment


def _view(report: Mapping[str, Any], images: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what the template names."""
    models = [_model(model) for model in shown.rows(report.get("models"))]
    first = models[0] if models else {}
    sweeps = {
        name: _sweep(name, symbol, shown.mapping(report.get(name)), theirs) for name, symbol, theirs in _SWEEPS
    }
    claims = [claim for each in sweeps.values() for claim in each["claims"]]
    curves, speed = shown.mapping(report.get("curves")), shown.mapping(report.get("speed"))
    track = shown.mapping(report.get("track"))
    classes, difficulties = (shown.rows(report.get(name)) for name in ("classes", "difficulties"))
    scenes = [_scene(scene, images) for scene in shown.rows(report.get("scenes"))]
    changed = sorted(
        (row for row in map(_with_change, classes) if row["change"] is not None), key=lambda row: -row["change"]
    )
    return {
        "report": report,
        "made": _when(report.get("made")),
        "dataset": shown.mapping(report.get("dataset")),
        "machine": shown.mapping(report.get("machine")),
        "packages": shown.mapping(report.get("packages")),
        "notes": [str(note) for note in report.get("notes") or []],
        "answer": [words.gains_sentence(first), words.cost_sentence(first), trends.agreement_sentence(claims)],
        "models": models,
        "others": reported.OTHERS,
        "paper_title": reported.TITLE,
        "sweeps": sweeps,
        "rules": trends.rules(shown.mapping(report.get("radius")).get("frames")),
        "speed": {**speed, "rows": [_speed_row(row, speed) for row in shown.rows(speed.get("rows"))]},
        "speed_says": words.speed_sentences(speed),
        "curves": {
            "frames": curves.get("frames"),
            "plots": {
                group: _svg(page_plots.speed_curves(curves, group, "HP, P=2")) for group in page_plots.GROUPS
            },
        },
        "track": track,
        "track_plot": _svg(page_plots.score_track(track)),
        "track_says": words.track_sentence(track) if track else "",
        "examples": shown.rows(report.get("examples")),
        "classes": [_with_change(row) for row in classes],
        "classes_plot": _svg(page_plots.changes("classes", classes)),
        "difficulties": [_with_change(row) for row in difficulties],
        "difficulties_plot": _svg(page_plots.changes("difficulties", difficulties)),
        "better": [row for row in changed if row["change"] > 0][:_MAX_CHANGED],
        "worse": [row for row in reversed(changed) if row["change"] < 0][:_MAX_CHANGED],
        "better_scenes": {title: [s for s in scenes if s["kind"] == kind] for kind, title in _BETTER.items()},
        "worse_scenes": {title: [s for s in scenes if s["kind"] == kind] for kind, title in _WORSE.items()},
    }


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model with the stages and the gain of each of its rows."""
    timing = shown.mapping(model.get("timing"))
    stages = shown.mapping(timing.get("milliseconds"))
    table = shown.rows(model.get("rows"))
    base = next((r.get("mAP") for r in table if r.get("method") == "network alone" and not r.get("seq_nms")), None)
    rows = [
        {
            **row,
            "gain": None if row.get("mAP") is base else shown.difference(row.get("mAP"), base),
            "after": stages.get(_AFTER.get(str(row.get("method")), "")),
            "rescoring": stages.get("seq_nms") if row.get("seq_nms") else None,
        }
        for row in table
    ]
    return {**model, "rows": rows, "stages": stages, "timed": timing.get("frames")}


def _sweep(name: str, symbol: str, table: Mapping[str, Any], theirs: Mapping[float, float]) -> dict[str, Any]:
    """Return table 2, 4 or 5 with the paper's numbers, its plot and what it says."""
    measured = shown.rows(table.get("rows"))
    default = next((row for row in measured if row.get("default")), {})
    at = shown.known(default.get("value"))
    base = None if at is None else theirs.get(at)
    rows = []
    for row in measured:
        value = shown.known(row.get("value"))
        there = None if value is None else theirs.get(value)
        rows.append(
            {
                **row,
                "above": None if row is default else shown.difference(row.get("mAP"), default.get("mAP")),
                "paper": there,
                "paper_above": None if there is None or base is None or row is default else there - base,
                "paper_uncovered": None if value is None else _UNCOVERED.get(value),
            }
        )
    claims = trends.sweep_claims(symbol, table, theirs) if measured else []
    if name == "radius" and measured:
        claims.append(trends.uncovered_claim(table, _UNCOVERED, theirs))
    close = trends.too_close(table.get("frames"))
    return {
        "symbol": symbol,
        "frames": table.get("frames"),
        "rows": rows,
        "claims": claims,
        "close": close,
        "plot": _svg(page_plots.sweep(name, symbol, table, theirs, close)),
    }


def _speed_row(row: Mapping[str, Any], speed: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of table 3 with its pairs and the paper's."""
    group, recall = str(row.get("group")), shown.known(row.get("recall"))
    there = {} if recall is None else reported.SPEEDS.get(recall, {})
    return {**row, "pairs": shown.mapping(speed.get("pairs")).get(group), "paper": there.get(group)}


def _with_change(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "change": shown.difference(row.get("propagation"), row.get("network"))}


def _scene(scene: Mapping[str, Any], images: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a scene whose images are data."""
    steps = [
        {
            **step,
            **{name: _data_uri(images.get(str(step.get(name)))) for name in ("network", "propagation")},
        }
        for step in shown.rows(scene.get("steps"))
    ]
    return {**scene, "steps": steps}


def _data_uri(image: bytes | None) -> str | None:
    """Return an image as an address that needs no network; None for what is none."""
    kind = next((kind for start, kind in _KINDS if image and image.startswith(start)), None)
    return None if image is None or kind is None else f"data:{kind};base64,{b64encode(image).decode()}"


def _svg(text: str) -> Any:
    """Return our own drawing for the template, which must not escape it."""
    from markupsafe import Markup  # noqa: PLC0415 (comes with Jinja2)

    return Markup(text)  # names in it were escaped when it was drawn


def _when(text: object) -> str | None:
    """Return a time as a person writes it; as it stands where it is none."""
    try:
        return datetime.fromisoformat(str(text)).strftime("%-d %B %Y, %H:%M %Z").strip(" ,")
    except ValueError:
        return None if text is None else str(text)
