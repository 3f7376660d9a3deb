"""ImageNet VID in its true layout: frames from lists or folders, objects from XML."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from heatprop.lab.datasets import DatasetError, load_dataset, load_imagenet_vid
from heatprop.lab.datasets.findings import Finding
from lab.datasets.trees import (
    CAR,
    DOG,
    GOLDEN,
    ZEBRA,
    coco,
    frame_lines,
    write_coco,
    write_list,
    write_vid,
    xml,
    xml_object,
)
from reference import voc_xml as reference

TWO = {"ILSVRC2015_val_00000000": 3, "ILSVRC2015_val_00000001": 2}
BATCH = "ILSVRC2015_VID_train_0000/ILSVRC2015_train_0000000"


def test_the_golden_tree_is_read_as_its_files_say() -> None:
    dataset = load_dataset("imagenet-vid", GOLDEN)
    lines = (GOLDEN / "ImageSets/VID/val.txt").read_text().split()
    assert list(dataset.frame_names) == lines[::2]
    assert dataset.frame_ids.tolist() == [int(number) for number in lines[1::2]]
    assert [(video.start, video.length) for video in dataset.videos] == [(0, 15), (15, 15), (30, 15), (45, 15)]
    assert dataset.videos[0].name == "val/ILSVRC2015_val_00000720"
    for row, name in enumerate(dataset.frame_names):
        width, height, objects = reference.read((GOLDEN / "Annotations/VID/val" / f"{name}.xml").read_bytes())
        here = dataset.truth.select(dataset.truth.frames == row)
        assert dataset.image_sizes[row].tolist() == [width, height]
        assert [tuple(box) for box in here.boxes.tolist()] == [one["box"] for one in objects]
        assert here.tracks.tolist() == [one["track"] for one in objects]
        assert here.occluded.tolist() == [one["occluded"] for one in objects]
        assert here.generated.tolist() == [one["generated"] for one in objects]
    assert not dataset.truth.crowd.any()


def test_detections_of_the_golden_tree_name_its_frames_and_classes() -> None:
    dataset = load_imagenet_vid(GOLDEN)
    numbers = dict(zip(dataset.frame_names, dataset.frame_ids.tolist(), strict=True))
    for line in (GOLDEN / "detections.jsonl").read_text().splitlines():
        detection = json.loads(line)
        assert numbers[detection["frame"]] == detection["frame_id"]
        assert detection["class"] in dataset.class_ids


@pytest.mark.parametrize("inside", [".", "ILSVRC2015", "ILSVRC"])
def test_the_root_is_the_folder_or_the_one_that_holds_it(tmp_path: Path, inside: str) -> None:
    write_vid(tmp_path / inside, TWO)
    dataset = load_imagenet_vid(tmp_path)
    first = tmp_path / inside / "Data/VID/val/ILSVRC2015_val_00000000/000000.JPEG"
    assert dataset.frame_count == 5
    assert dataset.image_paths[0] == first


def test_a_missing_list_is_made_from_the_folders(tmp_path: Path) -> None:
    made = load_imagenet_vid(write_vid(tmp_path / "a", TWO))
    write_list(write_vid(tmp_path / "b", TWO), "val.txt", frame_lines(TWO))
    listed = load_imagenet_vid(tmp_path / "b")
    assert list(made.frame_names) == list(listed.frame_names)
    assert made.videos == listed.videos
    assert made.frame_ids.tolist() == listed.frame_ids.tolist() == [1, 2, 3, 4, 5]


def test_without_a_list_an_image_without_annotation_is_refused(tmp_path: Path) -> None:
    first, second = (f"val/{name}" for name in TWO)
    write_vid(tmp_path, TWO, images=True)
    assert load_imagenet_vid(tmp_path).frame_count == 5
    (tmp_path / f"Annotations/VID/{first}/000001.xml").unlink()
    with pytest.raises(DatasetError, match=rf"Data/VID/{first}/000001\.JPEG: has no annotation; restore it, or"):
        load_imagenet_vid(tmp_path)
    write_list(tmp_path, "val.txt", frame_lines({"ILSVRC2015_val_00000001": 2}))
    assert load_imagenet_vid(tmp_path).frame_count == 2
    (tmp_path / "ImageSets/VID/val.txt").unlink()
    shutil.rmtree(tmp_path / f"Annotations/VID/{first}")
    with pytest.raises(DatasetError, match=rf"Data/VID/{first}/000000\.JPEG: has no annotation"):
        load_imagenet_vid(tmp_path)
    shutil.rmtree(tmp_path / f"Data/VID/{first}")
    assert [video.name for video in load_imagenet_vid(tmp_path).videos] == [second]


def test_the_list_of_videos_serves_as_well(tmp_path: Path) -> None:
    write_vid(tmp_path, TWO)
    path = tmp_path / "ImageSets" / "VID_val_videos.txt"
    path.parent.mkdir()
    path.write_text("val/ILSVRC2015_val_00000001 1 0 2\nval/ILSVRC2015_val_00000000 3 0 3\n")
    dataset = load_imagenet_vid(tmp_path)
    assert [video.name[-1] for video in dataset.videos] == ["1", "0"]
    assert dataset.frame_names[0] == "ILSVRC2015_val_00000001/000000"
    assert dataset.frame_ids.tolist() == [1, 2, 3, 4, 5]


def test_train_is_the_union_of_the_lists_of_its_classes(tmp_path: Path) -> None:
    write_vid(tmp_path, {f"{BATCH}{n}": n + 1 for n in range(4)}, split="train")
    write_list(tmp_path, "train_1.txt", [f"{BATCH}2 1", f"{BATCH}0 1", f"{BATCH}3 -1"])
    write_list(tmp_path, "train_9.txt", [f"{BATCH}0 1"])
    dataset = load_imagenet_vid(tmp_path, "train")
    assert [(video.name, video.length) for video in dataset.videos] == [
        (f"train/{BATCH}0", 1),
        (f"train/{BATCH}2", 3),
    ]
    assert dataset.frame_names[1] == f"{BATCH}2/000000"
    assert dataset.annotation_paths[1] == tmp_path / f"Annotations/VID/train/{BATCH}2/000000.xml"


@pytest.mark.parametrize("label", [False, True])
def test_train_txt_lists_frames_numbered_or_labelled(tmp_path: Path, label: bool) -> None:
    snippets = {f"{BATCH}0": 2, f"{BATCH}1": 1}
    lines = frame_lines(snippets)
    write_vid(tmp_path, snippets, split="train")
    write_list(tmp_path, "train.txt", [f"{line.split()[0]} 1" for line in lines] if label else lines)
    assert load_imagenet_vid(tmp_path, "train").frame_ids.tolist() == [1, 2, 3]


def test_train_without_lists_is_found_in_its_batches(tmp_path: Path) -> None:
    write_vid(tmp_path, {f"{BATCH}1": 1, f"{BATCH}0": 2}, split="train")
    dataset = load_imagenet_vid(tmp_path, "train")
    assert [video.name for video in dataset.videos] == [f"train/{BATCH}0", f"train/{BATCH}1"]


def test_a_list_of_chosen_frames_is_a_split_of_its_own(tmp_path: Path) -> None:
    write_vid(tmp_path, {f"{BATCH}0": 9}, split="train")
    write_list(tmp_path, "VID_train_15frames.txt", [f"train/{BATCH}0 1 {frame} 9" for frame in (1, 4, 7)])
    dataset = load_imagenet_vid(tmp_path, "VID_train_15frames")
    assert [name[-1] for name in dataset.frame_names] == ["1", "4", "7"]
    assert dataset.frame_ids.tolist() == [1, 2, 3]


def test_objects_stay_with_their_frames_and_empty_frames_count(tmp_path: Path) -> None:
    write_vid(tmp_path, {"a": 3})
    folder = tmp_path / "Annotations/VID/val/a"
    (folder / "000000.xml").write_text(xml(xml_object(ZEBRA, track=5), xml_object(CAR, generated=1)))
    (folder / "000001.xml").write_text(xml())
    (folder / "000002.xml").write_text(xml(xml_object(DOG, box=(-3, 0, 99, 7), occluded=1)))
    truth = load_imagenet_vid(tmp_path).truth
    assert truth.frames.tolist() == [0, 0, 2]
    assert truth.labels.tolist() == [29, 6, 8]
    assert truth.tracks.tolist() == [5, 0, 0]
    assert truth.generated.tolist() == [False, True, False]
    assert truth.occluded.tolist() == [False, False, True]
    assert truth.boxes[2].tolist() == [-3, 0, 99, 7]


def test_links_and_spaces_in_names_are_followed(tmp_path: Path) -> None:
    snippets = {"my first snippet": 2, "über 2 0": 1}
    write_list(write_vid(tmp_path / "real files", snippets), "val.txt", frame_lines(snippets))
    (tmp_path / "link").symlink_to(tmp_path / "real files", target_is_directory=True)
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "real files/Annotations/VID/val/my first snippet", moved)
    (tmp_path / "real files/Annotations/VID/val/my first snippet").symlink_to(moved, target_is_directory=True)
    listed = load_imagenet_vid(tmp_path / "link")
    assert listed.frame_names[:2] == ("my first snippet/000000", "my first snippet/000001")
    (tmp_path / "real files/ImageSets/VID/val.txt").unlink()
    assert load_imagenet_vid(tmp_path / "link").frame_names == listed.frame_names


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    write_vid(tmp_path, {"a": 1})
    (tmp_path / "Annotations/VID/val/loop").symlink_to(tmp_path / "Annotations/VID/val", target_is_directory=True)
    assert load_imagenet_vid(tmp_path).frame_names[0] == "a/000000"


def test_a_part_of_the_snippets_may_be_listed(tmp_path: Path) -> None:
    write_list(write_vid(tmp_path, TWO), "val.txt", frame_lines({"ILSVRC2015_val_00000001": 2}, start=4))
    assert load_imagenet_vid(tmp_path).frame_ids.tolist() == [4, 5]


LINES = frame_lines(TWO)
BAD_LISTS = {
    "a frame too many": (
        [*LINES, "ILSVRC2015_val_00000001/000002 6"],
        r"00000001/000002.xml: is not there, but .*val",
    ),
    "a frame too few": (LINES[1:], r"00000000/000000.xml: is not in .*val.txt, which lists the other frames"),
    "an unknown snippet": (["gone/000000 1", *LINES[1:]], r"gone/000000.xml: is not there"),
    "empty": ([], r"val.txt: lists no frames"),
    "a line without number": (
        [*LINES[:2], "ILSVRC2015_val_00000000/000002"],
        r"val.txt, line 3: .* is not a path and",
    ),
    "a number twice": (
        [*LINES[:2], LINES[2].replace(" 3", " 2"), *LINES[3:]],
        r"val.txt: frame number 2 stands there",
    ),
    "a frame twice": ([LINES[0], LINES[0].replace(" 1", " 9")], r"val.txt, line 2: .*000000 is listed twice"),
    "a snippet torn apart": ([LINES[0], LINES[3], LINES[1]], r"val.txt, line 3: .*00000000 begins a second time"),
    "out of the dataset": (["../../etc/000000 1"], r"val.txt, line 1: .* leads out of the dataset"),
    "an absolute path": (["/etc/000000 1"], r"val.txt, line 1: .* leads out of the dataset"),
    "a frame of no snippet": (["000000 1"], r"val.txt, line 1: '000000' names no snippet"),
}


@pytest.mark.parametrize(("lines", "message"), BAD_LISTS.values(), ids=BAD_LISTS)
def test_a_list_that_is_damaged_or_disagrees_with_the_folders_is_refused(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    write_list(write_vid(tmp_path, TWO), "val.txt", lines)
    with pytest.raises(DatasetError, match=message):
        load_imagenet_vid(tmp_path)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_list(write_vid(tmp_path, TWO), "val.txt", []).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"val.txt: is not text in UTF-8"):
        load_imagenet_vid(tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere: no such folder"):
        load_imagenet_vid(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"no Annotations/VID in it"):
        load_imagenet_vid(tmp_path)
    write_vid(tmp_path, TWO)
    with pytest.raises(DatasetError, match=r"no split 'test' .*splits that are there: val"):
        load_imagenet_vid(tmp_path, "test")


def test_a_dataset_of_zero_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Annotations/VID/val").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"Annotations/VID: no frame in it"):
        load_imagenet_vid(tmp_path)


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"layout 'voc' is unknown; choose one of imagenet-vid, coco-video"):
        load_dataset("voc", tmp_path)  # type: ignore[arg-type]


def test_damage_is_raised_or_collected(tmp_path: Path) -> None:
    write_vid(tmp_path, TWO)
    (tmp_path / "Annotations/VID/val/ILSVRC2015_val_00000000/000001.xml").write_text("<annotation>")
    with pytest.raises(DatasetError, match=r"00000000/000001.xml, line 1: is not whole XML"):
        load_imagenet_vid(tmp_path)
    findings: list[Finding] = []
    dataset = load_imagenet_vid(tmp_path, report=findings.append)
    assert [finding.kind for finding in findings] == ["damaged annotation"]
    assert np.flatnonzero((dataset.image_sizes == 0).all(axis=1)).tolist() == [1]
    assert dataset.truth.frames.tolist() == [0, 2, 3, 4]


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    load_imagenet_vid(write_vid(tmp_path, TWO), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (5, 5)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    whole = f"import sys; from heatprop.lab.datasets import *; {code}"
    return subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False)


def test_reading_cocovid_or_nothing_loads_no_xml_library(tmp_path: Path) -> None:
    write_coco(tmp_path, coco({"a": 1}))
    done = run_python(f"load_coco_video({str(tmp_path)!r}); print('lxml' in sys.modules)")
    assert done.stdout == "False\n"


def test_without_lxml_the_remedy_is_named(tmp_path: Path) -> None:
    write_vid(tmp_path, TWO)
    done = run_python(f"sys.modules['lxml'] = None; load_imagenet_vid({str(tmp_path)!r})")
    assert "annotations in XML need lxml; install it: pip install 'heatprop[evaluate]'" in done.stderr
