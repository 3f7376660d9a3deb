"""What a file of results says of what made it, as `heatprop detect` says it."""

from __future__ import annotations

from typing import Any

from heatprop.app.run_folder import RunRecord
from heatprop.app.settings import Tuning
from heatprop.io.results import ResultsHeader
from heatprop.runtime.wanted_classes import numbers_of
from heatprop.zoo import ModelCard


def header_of(record: RunRecord, tuning: Tuning | None) -> ResultsHeader:
    """Return the header of a run's results.

    Args:
        record: of the run.
        tuning: what made them; None for a file of results, as it is.
    """
    settings: dict[str, Any] = dict(record.file_settings)
    if tuning is not None:
        settings |= {
            "propagation": tuning.propagation,
            "seq_nms": None,
            "score_threshold": tuning.score_threshold,
            "forget_at_cuts": True,
            "keyframes": None,
            "backend": record.backend,
        }
    name = record.model
    if record.card:
        card = ModelCard.from_json(record.card)
        name = card.name
        if card.gives_boxes:
            settings["layout"] = card.layout
        if record.classes:
            settings["only"] = [record.labels[number] for number in numbers_of(record.classes, record.labels)]
        if record.input_size is not None:
            settings["input_size"] = record.input_size
    return ResultsHeader(name, record.labels, record.facts, settings)
