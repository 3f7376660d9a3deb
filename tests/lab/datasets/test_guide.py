"""What the guide shows is what the readers read."""

from __future__ import annotations

import re
from pathlib import Path

from heatprop.lab.datasets import load_coco_video

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "datasets.md"


def test_the_cocovid_example_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "annotations.json").write_text(example)
    dataset = load_coco_video(tmp_path)
    assert [(video.name, video.length, video.evaluated) for video in dataset.videos] == [
        ("garden", 2, None),
        ("street", 1, frozenset({1})),
    ]
    assert dataset.truth.boxes.tolist() == [[20, 30, 120, 110], [24, 31, 124, 111]]
    assert dataset.truth.tracks.tolist() == [1, 1]
