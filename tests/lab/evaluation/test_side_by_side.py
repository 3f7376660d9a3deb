"""Methods side by side find what each finds alone, and the network runs once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.runs.evaluation_folder import EvaluationFolder
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import detect_dataset, finished_detections
from heatprop.lab.evaluation.runs.side_by_side import detect_side_by_side
from heatprop.offline.seqnms import SeqNmsConfig
from lab.evaluation.small_runs import tiny_network, write_dataset

METHODS = {
    "alone": Method(name="network"),
    "interpolated": Method(name="interpolation"),
    "propagated": Method(seq_nms=SeqNmsConfig()),
}


def test_methods_side_by_side_find_what_each_finds_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    dataset = write_dataset(tmp_path / "images")
    network, backend = tiny_network(dataset)

    found = detect_side_by_side(dataset, network, METHODS)

    assert backend.runs == dataset.frame_count
    assert list(found) == list(METHODS)
    for name, method in METHODS.items():
        folder = EvaluationFolder(tmp_path / name, {})
        detect_dataset(dataset, network, method, folder)
        alone = DetectionTable.from_frames(finished_detections(dataset, method, folder))
        assert len(alone)
        for column in ("frames", "labels", "scores", "boxes"):
            np.testing.assert_array_equal(getattr(found[name], column), getattr(alone, column))
