from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heatprop.errors import BusyError, InvalidConfigError, OutputError
from heatprop.io.claims import FOLDER_LOCK, claim_folder
from heatprop.lab.datasets import DatasetError, load_imagenet_vid
from heatprop.lab.datasets.checking import check_dataset
from heatprop.lab.datasets.imagenet_det import load_imagenet_det
from heatprop.lab.datasets.training_sample import sample_training_frames
from heatprop.lab.synthesis.causes import ALL_CAUSES, read_causes
from heatprop.lab.synthesis.dataset import SPLITS, SynthesisSettings, synthesize
from heatprop.lab.synthesis.settings import SceneSettings
from heatprop.lab.synthesis.split_report import describe

SMALL = SynthesisSettings(videos=2, frames=6, stills=5, scene=SceneSettings(width=96, height=72))


def hashes(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthesis") / "small"
    synthesize(root, SMALL, workers=2)
    return root


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_workers(made: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "again", SMALL, workers=1)

    assert hashes(tmp_path / "again") == hashes(made)


def test_another_seed_gives_other_images_and_other_annotations(made: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "other", replace(SMALL, seed=1), workers=1)

    ours, theirs = hashes(made), hashes(tmp_path / "other")
    assert ours.keys() == theirs.keys()
    assert not {value for key, value in ours.items() if key.startswith("Data")} & set(theirs.values())


@pytest.mark.parametrize("split", SPLITS)
def test_each_split_is_a_dataset_of_imagenet_vid_without_damage(made: Path, split: str) -> None:
    report = check_dataset(made, "imagenet-vid", split, pictures="decoded")

    assert report.is_usable
    assert not report.findings
    dataset = load_imagenet_vid(made, split)
    assert [video.length for video in dataset.videos] == [6, 6]
    assert dataset.frame_ids.tolist() == list(range(1, 13))
    assert set(map(tuple, dataset.image_sizes.tolist())) == {(96, 72)}


def test_both_kinds_of_lists_say_the_same(made: Path) -> None:
    by_frame, by_video = load_imagenet_vid(made, "val"), load_imagenet_vid(made, "VID_val_videos")

    assert by_frame.frame_names == by_video.frame_names
    assert by_frame.frame_ids.tolist() == by_video.frame_ids.tolist()


def test_no_two_splits_share_a_scene(made: Path) -> None:
    truths = [load_imagenet_vid(made, split).truth.boxes for split in SPLITS]

    for place, ours in enumerate(truths):
        for theirs in truths[place + 1 :]:
            assert ours.shape != theirs.shape or not np.array_equal(ours, theirs)


def test_stills_are_images_of_imagenet_det_and_join_the_training_sample(made: Path) -> None:
    stills = load_imagenet_det(made, "train")
    sample = sample_training_frames(made, frames_a_video=3)

    assert stills.frame_count == 5
    assert all(path.is_file() for path in stills.image_paths)
    assert sample.frame_count == 5 + 2 * 3


def test_what_was_lost_is_made_again_to_the_same_bytes(tmp_path: Path) -> None:
    root = tmp_path / "again"
    synthesize(root, SMALL, workers=1)
    whole = hashes(root)
    # As a kill leaves it: images without their annotations, and half a video under another name.
    annotations = root / "Annotations" / "VID" / "val" / "synthetic_val_00000001"
    annotations.rename(annotations.with_name(".synthetic_val_00000001.part"))
    (root / "Data" / "VID" / "val" / ".synthetic_val_00000009.part").mkdir()
    (root / "ImageSets" / "VID" / "val.txt").unlink()

    synthesize(root, SMALL, workers=2)

    assert {key: value for key, value in hashes(root).items() if ".part" not in key} == whole


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-9]), lambda path: path.write_bytes(b"")],
)
@pytest.mark.parametrize("kind", ["Data/VID/*/*/*.JPEG", "Annotations/DET/*/*/*.xml", "checksums/VID/*/*"])
def test_a_file_that_is_gone_or_changed_is_made_again(
    made: Path, tmp_path: Path, kind: str, damage: Callable[[Path], object]
) -> None:
    root = Path(shutil.copytree(made, tmp_path / "damaged"))
    damage(sorted(root.glob(kind))[3 if "DET" in kind else -1])

    synthesize(root, SMALL, workers=2)

    assert hashes(root) == hashes(made)


def test_what_is_whole_is_not_made_again(made: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "copy"))
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*.JPEG")}

    synthesize(root, SMALL, workers=2)

    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.JPEG")} == times


def test_checksums_are_those_of_all_images_and_annotations(made: Path) -> None:
    lines = [line for path in made.glob("checksums/**/*.sha256") for line in path.read_text().splitlines()]
    digests = hashes(made)

    said = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert said == {name: digest for name, digest in digests.items() if name.startswith(("Data", "Annotations"))}


def test_a_folder_in_which_another_run_works_is_left_alone(made: Path) -> None:
    before = hashes(made)

    with claim_folder(made):
        with pytest.raises(BusyError, match="is in use by another run"):
            synthesize(made, SMALL, workers=1)
        assert {name: digest for name, digest in hashes(made).items() if name != FOLDER_LOCK} == before


def test_a_dataset_can_be_extended_by_splits_and_videos(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "grown"
    synthesize(root, replace(SMALL, splits=("val",), videos=1), workers=1)
    synthesize(root, replace(SMALL, splits=("val",)), workers=1)
    synthesize(root, replace(SMALL, splits=tuple(split for split in SPLITS if split != "val")), workers=1)

    whole = hashes(made)
    grown = hashes(root)
    assert {key: grown[key] for key in grown if key != "synthesis.json"} == {
        key: whole[key] for key in whole if key != "synthesis.json"
    }


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 3}, "seed: 0, not 3"),
        ({"frames": 7}, "frames of train: 6, not 7"),
        ({"scene": SceneSettings(width=96, height=80)}, "scene.height: 72, not 80"),
    ],
)
def test_a_folder_with_a_dataset_of_other_settings_is_left_alone(
    made: Path, changed: dict[str, object], named: str
) -> None:
    before = hashes(made)

    with pytest.raises(OutputError, match=named):
        synthesize(made, replace(SMALL, **changed), workers=1)  # type: ignore[arg-type]

    assert hashes(made) == before


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(OutputError, match=r"is not empty, and no synthetic dataset"):
        synthesize(tmp_path, SMALL, workers=1)

    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"splits": {"val": 3}}'])
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "synthesis.json").write_text(content)

    with pytest.raises(OutputError, match=r"synthesis\.json: is damaged"):
        synthesize(tmp_path, SMALL, workers=1)


@pytest.mark.parametrize(
    "changed", [{"videos": 0}, {"frames": 0}, {"stills": -1}, {"seed": -1}, {"splits": ("test2",)}]
)
def test_impossible_settings_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InvalidConfigError):
        replace(SMALL, **changed)  # type: ignore[arg-type]


def test_causes_are_those_of_the_frames(made: Path) -> None:
    dataset = load_imagenet_vid(made, "val")
    causes = read_causes(dataset, "val")

    assert tuple(causes) == ALL_CAUSES
    occluded = np.zeros(dataset.frame_count, np.bool_)
    occluded[dataset.truth.frames[dataset.truth.occluded]] = True
    np.testing.assert_array_equal(causes["occlusion"], occluded)
    for name in ("motion_blur", "darkness", "crowd", "fast", "occlusion", "cuts"):
        assert not (causes["clear"] & causes[name]).any()


def test_causes_of_a_dataset_that_is_none_of_ours_are_not_guessed(made: Path, tmp_path: Path) -> None:
    dataset = load_imagenet_vid(made, "val")

    with pytest.raises(DatasetError, match="only synthetic datasets"):
        read_causes(replace(dataset, root=tmp_path), "val")
    (tmp_path / "causes.json").write_text(json.dumps({"val": {}}))
    with pytest.raises(DatasetError, match="is not of this dataset"):
        read_causes(replace(dataset, root=tmp_path), "val")


def test_a_report_counts_what_is_there(made: Path) -> None:
    report, dataset = describe(made, "val"), load_imagenet_vid(made, "val")

    assert (report.videos, report.frames, report.objects) == (2, 12, len(dataset.truth))
