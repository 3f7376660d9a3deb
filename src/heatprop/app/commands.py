"""The command line and the Python that give what the page shows of a run."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from heatprop.app.run_folder import RunRecord
from heatprop.app.settings import SHOWN_FROM, Tuning
from heatprop.io.addresses import shown
from heatprop.layouts import AUTO
from heatprop.propagation import AdaptationConfig, PropagationConfig
from heatprop.zoo import ModelCard

_ON_THE_COMMAND_LINE = ("radius", "alpha", "beta")
DEFAULT_MODEL = "mb3-coco"


def commands_of(record: RunRecord, source: str, tuning: Tuning) -> dict[str, Any]:
    """Return the command line, as one for a shell, and the Python; each writes JSON Lines.

    Args:
        record: of the run.
        source: what its frames were read from.
        tuning: what to make of the outputs.

    Returns:
        `shell`, None where the command line lacks a setting; `note`, which says what it lacks; and `python`.
    """
    source, name = shown(source), f"{Path(record.name).stem or 'found'}.jsonl"
    lacking = list(_lacking(record, tuning))
    note = f"heatprop detect has no option for {', '.join(lacking)}; the Python has" if lacking else None
    shell = (
        None if lacking else shlex.join(["heatprop", "detect", source, "--json", name, *_options(record, tuning)])
    )
    return {"shell": shell, "note": note, "python": python_of(record, source, name, tuning)}


def _lacking(record: RunRecord, tuning: Tuning) -> Iterator[str]:
    """Yield what the command line cannot say."""
    if record.class_names is not None:
        yield "names of classes that are in no file"
    config = tuning.propagation
    if config is None:
        return
    form = PropagationConfig.paper() if config.adaptation is None else PropagationConfig.adaptive()
    for each in fields(config):
        if each.name not in (*_ON_THE_COMMAND_LINE, "adaptation") and getattr(config, each.name) != getattr(
            form, each.name
        ):
            yield each.name
    if config.adaptation is not None:
        yield from _changed(config.adaptation, form.adaptation)


def _options(record: RunRecord, tuning: Tuning) -> Iterator[str]:
    if record.model != DEFAULT_MODEL:
        yield from ("--model", record.model)
    if record.layout != AUTO:
        yield from ("--layout", record.layout)
    if record.input_size is not None:
        yield from ("--input-size", str(record.input_size))
    if tuning.score_threshold != SHOWN_FROM:
        yield from ("--score-threshold", f"{tuning.score_threshold:g}")
    config = tuning.propagation
    if config is None:
        yield "--no-propagation"
    else:
        if config.adaptation is None:
            yield from ("--propagation", "paper")
        for name in _ON_THE_COMMAND_LINE:
            if getattr(config, name) != getattr(PropagationConfig, name) and not _is_without_cells(record, name):
                yield from (f"--{name}", f"{getattr(config, name):g}")
    if record.classes:
        yield from ("--classes", *record.classes)


def _is_without_cells(record: RunRecord, name: str) -> bool:
    """Return whether a setting means nothing to a network that gives boxes."""
    return name == "radius" and bool(record.card) and ModelCard.from_json(record.card).gives_boxes


def python_of(record: RunRecord, source: str, name: str, tuning: Tuning) -> str:
    """Return a program that writes the detections."""
    arguments = [repr(record.model), f"propagation={_propagation(tuning.propagation)}"]
    if tuning.score_threshold != SHOWN_FROM:
        arguments.append(f"score_threshold={tuning.score_threshold!r}")
    if record.input_size is not None:
        arguments.append(f"input_size={record.input_size}")
    if record.layout != AUTO:
        arguments.append(f"layout={record.layout!r}")
    if record.class_names is not None:
        arguments.append(f"classes={list(record.class_names)!r}")
    if record.classes:
        arguments.append(f"only={list(record.classes)!r}")
    has_parts = tuning.propagation is not None and tuning.propagation.adaptation is not None
    parts = "from heatprop.propagation import AdaptationConfig\n" if has_parts else ""
    call = "".join(f"    {argument},\n" for argument in arguments)
    return f"""from heatprop import PropagationConfig, VideoDetector
from heatprop.io.results import ResultsHeader, ResultsWriter
{parts}
detector = VideoDetector(
{call})
header = ResultsHeader(detector.card.name, detector.card.classes)
with ResultsWriter({name!r}, header) as results:
    for frame, found in detector.stream({source!r}):
        results.write(frame.index, frame.time, found)
"""


def _propagation(config: PropagationConfig | None) -> str:
    if config is None:
        return "None"
    said = [f"{name}={_value(getattr(config, name))}" for name in _changed(config, PropagationConfig())]
    if config.adaptation is not None:
        changed = _changed(config.adaptation, AdaptationConfig())
        values = ", ".join(f"{name}={_value(getattr(config.adaptation, name))}" for name in changed)
        said.append(f"adaptation=AdaptationConfig({values})")
    return f"PropagationConfig({', '.join(said)})"


def _changed(config: Any, other: Any) -> list[str]:
    """Return the names of the settings in which two configurations differ, the adaptive parts apart."""
    names = (each.name for each in fields(config) if each.name != "adaptation")
    return [name for name in names if getattr(config, name) != getattr(other, name)]


def _value(value: object) -> str:
    return 'float("inf")' if value == math.inf else repr(value)
