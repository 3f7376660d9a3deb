"""Validation says what `heatprop evaluate` would say of the network alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from heatprop.backends.torch import TorchBackend, load_model
from heatprop.lab.datasets import load_dataset
from heatprop.lab.networks import load_checkpoint
from heatprop.lab.training.board import lay_over, show_frame
from heatprop.lab.training.validation import Predictor, average_precision, detections_of
from heatprop.letterbox import boxes_to_frame, fit_letterbox, letterbox
from heatprop.propagation import decode
from heatprop.types import Detections, ImageArray
from small_checkpoints import small_checkpoint
from small_video_datasets import write_coco_video


@pytest.fixture(scope="module")
def root(street_image: ImageArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco_video(
        tmp_path_factory.mktemp("data") / "clips", street_image, classes=("cat", "dog", "rabbit")
    )


def test_it_finds_what_a_backend_finds(root: Path) -> None:
    from heatprop.io.image_files import read_image

    dataset = load_dataset("coco-video", root)
    checkpoint = load_checkpoint(small_checkpoint())
    predictor = Predictor(checkpoint.network, checkpoint.card.input, torch.device("cpu"), batch_size=2)
    predicted = [each for batch in predictor.predict(dataset, [0, 2, 5]) for each in batch]
    assert [frame.row for frame, _ in predicted] == [0, 2, 5]
    backend = TorchBackend(load_model(small_checkpoint()), threads=1)
    for frame, output in predicted:
        image = read_image(Path(dataset.image_paths[frame.row]))
        assert image is not None
        fitted = fit_letterbox(image.shape[1], image.shape[0], checkpoint.card.input)
        (alone,) = backend.infer(letterbox(image, fitted)[None])
        np.testing.assert_allclose(output.heatmap, alone.heatmap, atol=1e-4)
        np.testing.assert_allclose(output.size, alone.size, atol=1e-3)
        found, wanted = detections_of(frame, output), decode(output)
        assert np.array_equal(found.boxes, boxes_to_frame(wanted.boxes, fitted, 4))
        assert np.array_equal(found.scores, wanted.scores)


def test_truth_itself_scores_1_and_nothing_scores_0(root: Path) -> None:
    dataset = load_dataset("coco-video", root)
    truth = dataset.truth
    perfect = [
        (row, Detections(truth.boxes[here], np.ones(here.sum()), truth.labels[here]))
        for row in reversed(range(dataset.frame_count))
        for here in [truth.frames == row]
    ]
    assert average_precision(dataset, perfect) == pytest.approx(1)
    assert average_precision(dataset, []) == 0


def test_a_shown_frame_has_truth_findings_and_heatmap_side_by_side(root: Path) -> None:
    dataset = load_dataset("coco-video", root)
    checkpoint = load_checkpoint(small_checkpoint())
    predictor = Predictor(checkpoint.network, checkpoint.card.input, torch.device("cpu"))
    ((frame, output),) = (each for batch in predictor.predict(dataset, [0]) for each in batch)
    shown = show_frame(frame, output, dataset)
    height, width = frame.image.shape[:2]
    assert shown.shape == (height, 3 * width, 3)
    assert (shown[:, :width] != frame.image).any()


def test_a_heatmap_is_clear_where_it_is_0(street_image: ImageArray) -> None:
    heatmap = np.zeros((2, 68, 160), np.float32)
    assert (lay_over(heatmap, street_image) == street_image).all()
    heatmap[1, 30:38, 76:84] = 1
    shown = lay_over(heatmap, street_image)
    assert (shown[:100] == street_image[:100]).all()
    assert np.abs(shown[136, 320].astype(int) - street_image[136, 320]).max() > 30
