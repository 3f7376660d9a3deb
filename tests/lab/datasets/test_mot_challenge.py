"""MOTChallenge's sequences are read as TrackEval reads them, and what is wrong in them is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heatprop.lab.datasets import DatasetError, load_dataset
from heatprop.lab.datasets.annotations import join_datasets, select_videos
from heatprop.lab.datasets.checking import check_dataset
from heatprop.lab.evaluation.runs.class_matching import match_classes
from lab.datasets.trees import write_image

PEDESTRIANS = ["1,1,10,20,30,40,1,1,0.9", "2,1,12,20,30,40,1,1,0.5", "1,4,100,20,30,40,1,1,1"]


def write(folder: Path, lines: list[str], *, length: int = 3) -> Path:
    """Write a sequence and return its folder."""
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text("".join(f"{line}\n" for line in lines))
    usual = f"name={folder.name}\nimDir=img1\nframeRate=25\nseqLength={length}\nimWidth=160\nimHeight=120\n"
    (folder / "seqinfo.ini").write_text(f"[Sequence]\n{usual}imExt=.jpg\n")
    return folder


def test_sequences_become_videos_and_boxes_stay_as_written(tmp_path: Path) -> None:
    write(tmp_path / "train" / "S-02", PEDESTRIANS[1:])
    write(tmp_path / "train" / "S-01", PEDESTRIANS, length=2)
    dataset = load_dataset("mot-challenge", tmp_path, "train")
    assert (dataset.layout, dataset.classes, dataset.class_ids) == ("mot-challenge", ("pedestrian",), (1,))
    assert [(video.name, video.start, video.length) for video in dataset.videos] == [
        ("S-01", 0, 2),
        ("S-02", 2, 3),
    ]
    assert dataset.truth.frames.tolist() == [0, 0, 1, 2, 3]
    assert dataset.truth.tracks.tolist() == [1, 4, 1, 4, 1]
    assert dataset.truth.boxes[0].tolist() == [10, 20, 40, 60]
    assert dataset.frame_names[2] == "S-02/000001"
    assert dataset.frame_ids.tolist() == [1, 2, 3, 4, 5]
    assert dataset.image_paths[1] == tmp_path / "train" / "S-01" / "img1" / "000002.jpg"
    assert dataset.image_sizes.tolist() == [[160, 120]] * 5


@pytest.mark.parametrize(("at", "root"), [("train", ""), ("train", "train"), ("", ""), ("", "S-01")])
def test_root_holds_splits_or_sequences_or_is_one(tmp_path: Path, at: str, root: str) -> None:
    write(tmp_path / at / "S-01", PEDESTRIANS)
    dataset = load_dataset("mot-challenge", tmp_path / root, "train")
    assert [video.name for video in dataset.videos] == ["S-01"]


def test_images_are_found_by_their_numbers_whatever_their_digits(tmp_path: Path) -> None:
    folder = write(tmp_path / "S-01", PEDESTRIANS)
    for number in (1, 2):
        write_image(folder / "img1" / f"{number:08d}.jpg")
    dataset = load_dataset("mot-challenge", tmp_path)
    assert [path.name for path in dataset.image_paths] == ["00000001.jpg", "00000002.jpg", "000003.jpg"]


def test_pedestrians_with_a_flag_are_scored_and_distractors_forgive(tmp_path: Path) -> None:
    others = ["1,7,0,0,20,20,0,7,1", "1,3,50,50,20,20,0,3,1", "1,5,70,50,20,20,0,1,1", "2,6,0,0,20,20,1,6,1"]
    write(tmp_path / "S-01", [*PEDESTRIANS, *others])
    truth = load_dataset("mot-challenge", tmp_path).truth
    assert truth.tracks.tolist() == [1, 4, -1, 1]
    assert truth.crowd.tolist() == [False, False, True, False]
    distractors = load_dataset("mot-challenge", tmp_path).distractors
    assert distractors is not None
    assert distractors.frames.tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert distractors.distracts.tolist() == [False, False, True, False, False, False, False]


def test_in_mot20_a_vehicle_that_is_no_car_distracts(tmp_path: Path) -> None:
    write(tmp_path / "MOT20-01", [*PEDESTRIANS, "2,6,0,0,20,20,1,6,1"])
    assert load_dataset("mot-challenge", tmp_path).truth.crowd.tolist() == [False, False, False, True]


@pytest.mark.parametrize("rest", ["-1,-1,-1", "-3.25,7.5,0", "2,5.25,0"])
def test_in_mot15_every_box_with_a_flag_is_a_pedestrian(tmp_path: Path, rest: str) -> None:
    lines = [f"1,1,10,20,30,40,1,{rest}", f"2,1,10,20,30,40,0,{rest}", "2,2,10,20,30,40,1,-1.5,3,0"]
    write(tmp_path / "S-01", lines)
    dataset = load_dataset("mot-challenge", tmp_path)
    assert dataset.truth.frames.tolist() == [0, 1]
    assert not dataset.truth.crowd.any()
    assert dataset.distractors is not None
    assert len(dataset.distractors.frames) == 0


def test_a_part_of_the_videos_keeps_what_distracts(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / name, [*PEDESTRIANS, "3,9,0,0,20,20,0,8,1"])
    whole = load_dataset("mot-challenge", tmp_path)
    for dataset in (select_videos(whole, [0, 2]), join_datasets([select_videos(whole, [n]) for n in (0, 2)])):
        assert dataset.distractors is not None
        assert dataset.distractors.frames.tolist() == [0, 0, 1, 2, 3, 3, 4, 5]
        assert dataset.truth.frames.tolist() == [0, 0, 1, 2, 3, 3, 4, 5]


def test_a_person_is_a_pedestrian() -> None:
    assert match_classes(["bicycle", "person"], ["pedestrian"]).channels.tolist() == [1]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1,x,1,1,5,5,1,1,1", "line 4: '1,x,1,1,5,5,1,1,1' is not frame, id, left"),
        ("1,9,1,1,5", "line 4: 5 fields; an object has frame, id, left"),
        ("1,9,nan,1,5,5,1,1,1", "line 4: a number is not finite"),
        ("4,9,1,1,5,5,1,1,1", "line 4: frame 4; the sequence has frames 1 to 3"),
        ("0,9,1,1,5,5,1,1,1", "line 4: frame 0; the sequence has frames 1 to 3"),
        ("1.5,9,1,1,5,5,1,1,1", "line 4: frame 1.5; the sequence has frames 1 to 3"),
        ("1,9.5,1,1,5,5,1,1,1", "line 4: id 9.5; ids are whole numbers"),
        ("1,9,1,1,-5,5,1,1,1", "line 4: width -5 and height 5; none may be negative"),
        ("1,9,1e300,1,5,5,1,1,1", "line 4: a number is beyond any image"),
        ("1,9,1,1,5,5,1,14,1", "line 4: class 14; classes are 1, pedestrian, to 13"),
        ("1,9,1,1,5,5,1,-1,1", "line 4: class -1; classes are 1, pedestrian, to 13"),
        ("1,4,1,1,5,5,1,1,1", "line 4: id 4 stands in frame 1 already; an id is one object"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, text: str) -> None:
    folder = write(tmp_path / "S-01", [*PEDESTRIANS, line])
    with pytest.raises(DatasetError) as raised:
        load_dataset("mot-challenge", tmp_path)
    assert str(raised.value).startswith(f"{folder / 'gt' / 'gt.txt'}, {text}")
    report = check_dataset(tmp_path)
    assert not report.is_usable
    assert (report.layout, report.boxes) == ("mot-challenge", 3)
    assert report.findings[0].count == 1


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda folder: (folder / "gt" / "gt.txt").unlink(), "gt.txt: cannot be read (No such file or directory)"),
        (lambda folder: (folder / "gt" / "gt.txt").write_bytes(b"\xff\xfe1"), "gt.txt: is no text"),
        (
            lambda folder: (folder / "seqinfo.ini").write_text("seqLength=3"),
            "seqinfo.ini: has no section [Sequence]",
        ),
        (
            lambda folder: (folder / "seqinfo.ini").write_text("[Sequence]\n"),
            "seqinfo.ini: 'seqLength' is missing",
        ),
        (
            lambda folder: (folder / "seqinfo.ini").write_text("[Sequence]\nseqLength=x\nimWidth=1\nimHeight=1"),
            "seqinfo.ini: seqLength, imWidth and imHeight must be whole numbers",
        ),
        (
            lambda folder: (folder / "seqinfo.ini").write_text("[Sequence]\nseqLength=0\nimWidth=1\nimHeight=1"),
            "seqinfo.ini: seqLength is 0, imWidth 1, imHeight 1; each must be at least 1",
        ),
        (
            lambda folder: (folder / "seqinfo.ini").write_text(
                "[Sequence]\nseqLength=1\nimWidth=1\nimHeight=1\nimDir=../x"
            ),
            "seqinfo.ini: imDir is '../x', which leads out of the sequence",
        ),
        (lambda folder: (folder / "seqinfo.ini").unlink(), "seqinfo.ini: cannot be read (No such file"),
    ],
)
def test_a_sequence_that_lacks_something_is_named(
    tmp_path: Path, spoil: Callable[[Path], object], text: str
) -> None:
    folder = write(tmp_path / "S-01", PEDESTRIANS)
    write(tmp_path / "S-02", PEDESTRIANS)
    spoil(folder)
    with pytest.raises(DatasetError) as raised:
        load_dataset("mot-challenge", tmp_path)
    assert text in str(raised.value)
    assert str(folder) in str(raised.value)
    report = check_dataset(tmp_path, "mot-challenge")
    assert not report.is_usable
    assert report.boxes == 3


def test_what_is_no_dataset_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        load_dataset("mot-challenge", tmp_path / "no")
    with pytest.raises(DatasetError, match=r"no sequence in it: a sequence is a folder with seqinfo\.ini"):
        load_dataset("mot-challenge", tmp_path)
    write(tmp_path / "test" / "S-01", PEDESTRIANS)
    write(tmp_path / "train" / "S-02", PEDESTRIANS)
    with pytest.raises(DatasetError, match="has no split 'val'; there are test, train: name one as split"):
        load_dataset("mot-challenge", tmp_path, "val")


def test_a_check_counts_what_is_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "train" / "S-01", [*PEDESTRIANS, "3,9,-4,0,20,20,0,8,1"])
    for number in (1, 2, 3, 4):
        write_image(folder / "img1" / f"{number:06d}.jpg", 160, 120)
    report = check_dataset(tmp_path, split="train")
    assert report.is_usable
    assert (report.layout, report.split, report.frames_from) == ("mot-challenge", "train", str(tmp_path / "train"))
    assert (report.videos, report.frames, report.boxes, report.tracks) == (1, 3, 4, 2)
    assert {group.kind for group in report.findings} == {
        "box outside the picture",
        "picture without annotation",
    }
    (folder / "img1" / "000002.jpg").unlink()
    assert not check_dataset(tmp_path, split="train").is_usable
