"""CocoVID and plain COCO files: rows, boxes and names as the file says, and errors that name the entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.lab.datasets import DatasetError, load_coco_video, load_dataset
from heatprop.lab.datasets.findings import Finding
from lab.datasets.trees import HEIGHT, WIDTH, coco, write_coco


def load(tmp_path: Path, content: object) -> Any:
    return load_coco_video(write_coco(tmp_path / "data", content))


def test_boxes_tracks_and_flags_are_as_written(tmp_path: Path) -> None:
    boxes = [
        {"image_id": 2, "bbox": [1, 2, 10.5, 20], "category_id": 9, "iscrowd": 1},
        {"image_id": 1, "bbox": [-3, 0, 500, 4], "occluded": True, "instance_id": None, "track_id": 4},
        {"image_id": 2, "generated": 1, "bbox": [0, 0, 0, 0]},
    ]
    dataset = load(tmp_path, coco({"a": 2}, boxes))
    truth = dataset.truth
    assert dataset.classes == ("cat", "dog")
    assert dataset.class_ids == (3, 9)
    assert truth.frames.tolist() == [0, 1, 1]
    assert truth.boxes.tolist() == [[-3, 0, 497, 4], [1, 2, 11.5, 22], [0, 0, 0, 0]]
    assert truth.labels.tolist() == [0, 1, 0]
    assert truth.tracks.tolist() == [4, 7, 7]
    assert truth.crowd.tolist() == [False, True, False]
    assert truth.occluded.tolist() == [True, False, False]
    assert truth.generated.tolist() == [False, False, True]


def test_frames_are_sorted_within_their_video_and_videos_as_in_the_file(tmp_path: Path) -> None:
    content = coco({"late": 2, "empty": 0, "early": 2}, [{"image_id": 3}])
    content["images"].reverse()
    content["images"][0]["frame_id"] = 40
    dataset = load(tmp_path, content)
    assert [(video.name, video.start, video.length) for video in dataset.videos] == [
        ("late", 0, 2),
        ("early", 2, 2),
    ]
    assert dataset.frame_names == ("late/000000.jpg", "late/000001.jpg", "early/000000.jpg", "early/000001.jpg")
    assert dataset.frame_ids.tolist() == [1, 2, 3, 4]
    assert dataset.truth.frames.tolist() == [2]
    assert dataset.image_paths[0] == tmp_path / "data/late/000000.jpg"
    assert dataset.image_sizes.tolist() == [[WIDTH, HEIGHT]] * 4


def test_without_frame_ids_frames_stand_as_in_the_file(tmp_path: Path) -> None:
    content = coco({"a": 3})
    for image in content["images"]:
        del image["frame_id"]
    content["images"].reverse()
    assert load(tmp_path, content).frame_ids.tolist() == [3, 2, 1]


def test_evaluated_categories_are_kept_for_each_video(tmp_path: Path) -> None:
    content = coco({"a": 1, "b": 1, "c": 1})
    content["videos"][1]["evaluated_categories"] = ["dog"]
    content["videos"][2]["evaluated_categories"] = []
    dataset = load(tmp_path, content)
    assert [video.evaluated for video in dataset.videos] == [None, frozenset({1}), frozenset()]
    assert dataset.is_evaluated().tolist() == [[True, True], [False, True], [False, False]]


def test_each_image_of_a_plain_coco_file_is_a_video(tmp_path: Path) -> None:
    content = coco({"a": 2}, [{"image_id": 2}])
    del content["videos"]
    for image in content["images"]:
        del image["video_id"], image["frame_id"]
    dataset = load(tmp_path, content)
    assert [(video.name, video.start, video.length) for video in dataset.videos] == [
        ("a/000000.jpg", 0, 1),
        ("a/000001.jpg", 1, 1),
    ]
    assert dataset.truth.frames.tolist() == [1]


@pytest.mark.parametrize("entry", ["folder", "file", "only JSON file", "named file"])
def test_the_annotation_file_is_found(tmp_path: Path, entry: str) -> None:
    name = "annotations.json" if entry == "folder" else "with space.json"
    root = write_coco(tmp_path / "ä b", coco({"a": 1}), name=name)
    if entry == "named file":
        (root / "other.json").write_text("{}")
    dataset = load_coco_video(root / name if entry == "file" else root, name if entry == "named file" else None)
    assert dataset.root == root
    assert dataset.annotation_paths == (root / name,)


def test_no_file_two_files_or_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no JSON file in it and no annotations.json"):
        load_coco_video(tmp_path)
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"2 JSON files in it and no annotations.json"):
        load_coco_video(tmp_path)
    with pytest.raises(DatasetError, match=r"gone: no such folder or file"):
        load_dataset("coco-video", tmp_path / "gone")
    with pytest.raises(DatasetError, match=r"c.json: cannot be read"):
        load_coco_video(tmp_path, "c.json")


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(any),
    st.data(),
)
def test_every_row_box_and_label_can_be_found_again(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], data: st.DataObject
) -> None:
    content = coco({f"v{number}": length for number, length in enumerate(lengths)})
    images = data.draw(st.permutations(content["images"]))
    coordinate = st.integers(-50, 500) | st.floats(-50, 500)
    side = st.integers(0, 500) | st.floats(0, 500)
    boxes = data.draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "image_id": st.sampled_from([image["id"] for image in images]),
                    "category_id": st.sampled_from([3, 9]),
                    "bbox": st.tuples(coordinate, coordinate, side, side),
                    "track_id": st.integers(0, 9),
                }
            ),
            max_size=8,
        )
    )
    content["images"] = images
    content["annotations"] = [{"id": number} | box for number, box in enumerate(boxes)]
    dataset = load_coco_video(write_coco(tmp_path_factory.mktemp("coco"), content))
    by_id = {image["id"]: image for image in images}
    videos = {video["id"]: video["name"] for video in content["videos"]}
    for video in dataset.videos:
        frames = [by_id[dataset.frame_ids[row]] for row in video.rows]
        assert [frame["frame_id"] for frame in frames] == list(range(video.length))
        assert {videos[frame["video_id"]] for frame in frames} == {video.name}
    truth = dataset.truth
    found = zip(
        dataset.frame_ids[truth.frames].tolist(), [dataset.class_ids[label] for label in truth.labels],
        truth.boxes.tolist(), truth.tracks.tolist(), strict=True,
    )  # fmt: skip
    wanted = [
        (box["image_id"], box["category_id"], [x, y, x + w, y + h], box["track_id"])
        for box in boxes
        for x, y, w, h in [box["bbox"]]
    ]
    assert sorted(found) == sorted(wanted)


def damaged(change: str, **values: Any) -> dict[str, Any]:
    """Return a good file of two videos, with values of the second entry of a list overwritten."""
    content = coco({"a": 2, "b": 1}, [{}, {"image_id": 3}])
    content[change][1] |= values
    return content


NAN = float("nan")
DAMAGED: dict[str, tuple[object, str]] = {
    "no object": ([1, 2], r"annotations.json: holds a list"),
    "no images": ({"categories": [{"id": 1, "name": "a"}]}, r"json: its list 'images' is missing"),
    "zero images": (coco({"a": 0}), r"json: has no images"),
    "no categories": (coco({"a": 1}) | {"categories": []}, r"json: has no categories"),
    "images in an object": (coco({"a": 1}) | {"images": {}}, r"json: its list 'images' is a dict"),
    "an image that is a number": (
        coco({"a": 1}) | {"images": [3]},
        r"json: images\[0\] is 3; it must be an object",
    ),
    "an image without id": (damaged("images", id=None), r"json, images\[1\]: id is None"),
    "an image twice": (damaged("images", id=1), r"json, image 1: its id stands there twice"),
    "a video twice": (damaged("videos", id=1), r"json, video 1: its id stands there twice"),
    "a category twice": (damaged("categories", id=3), r"json, category 3: its id stands there twice"),
    "a name twice": (damaged("categories", name="cat"), r"json, category 3: has the name 'cat', as another has"),
    "a category without name": (
        damaged("categories", name=""),
        r"json, category 9: name is ''; it must be a text",
    ),
    "an annotation twice": (damaged("annotations", id=1), r"json, annotation 1: its id stands there twice"),
    "a missing image": (damaged("annotations", image_id=77), r"annotation 2: is of image 77, which is not among"),
    "a missing video": (damaged("images", video_id=5), r"image 2: is of video 5, which is not among the videos"),
    "an image of no video": (damaged("images", video_id=None), r"image 2: video_id is None"),
    "a frame twice": (damaged("images", frame_id=0), r"image 2: has the frame_id 0 of image 1 in its video"),
    "a frame without id": (damaged("images", frame_id=None), r"image 2: frame_id is None"),
    "no file name": (damaged("images", file_name=None), r"image 2: file_name is None"),
    "a side of 0": (damaged("images", width=0), r"image 2: is 0x48; sides are at least 1"),
    "an unknown category": (
        damaged("annotations", category_id=4),
        r"annotation 2: is of category 4, which is not",
    ),
    "a NaN": (
        damaged("annotations", bbox=[NAN, 0, 1, 1]),
        r"annotation 2: bbox is \[nan, 0, 1, 1\]; it must be 4 fin",
    ),
    "infinity": (damaged("annotations", bbox=[0, 0, float("inf"), 1]), r"annotation 2: bbox is \[0, 0, inf"),
    "a huge number": (damaged("annotations", bbox=[0, 0, 10**400, 1]), r"annotation 2: bbox is \[0, 0, 1000"),
    "a negative side": (damaged("annotations", bbox=[5, 5, 1, -2]), r"annotation 2: bbox has the sides 1 and -2"),
    "three numbers": (damaged("annotations", bbox=[5, 5, 1]), r"annotation 2: bbox is \[5, 5, 1\]; it must be 4"),
    "no box": (damaged("annotations", bbox=None), r"annotation 2: bbox is None"),
    "words": (damaged("annotations", bbox=["1", "2", "3", "4"]), r"annotation 2: bbox is \['1', '2'"),
    "a track in words": (damaged("annotations", instance_id="x"), r"annotation 2: instance_id is 'x'"),
    "two videos": (
        damaged("annotations", video_id=1),
        r"annotation 2: is of video 1, but its image is of video 2",
    ),
    "a crowd in words": (damaged("annotations", iscrowd="no"), r"annotation 2: iscrowd is 'no'"),
    "evaluated in words": (
        damaged("videos", evaluated_categories="cat"),
        r"video 2: evaluated_categories is 'cat'",
    ),
    "evaluated unknown": (
        damaged("videos", evaluated_categories=["cow"]),
        r"video 2: evaluated_categories holds 'cow'",
    ),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_refused_with_file_and_entry(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as refusal:
        load(tmp_path, content)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"annotations.json, line 1, column 1: is not whole JSON"),
        (b'{"images": [', r"annotations.json, line 1, column 13: is not whole JSON"),
        (b"\xff\xfe\xff", r"annotations.json.*is not"),
        (b"[" * 100_000, r"annotations.json: is nested too deep"),
        (b'{"images": ' + b"9" * 5000 + b"}", r"annotations.json: is nested too deep or holds too long a number"),
    ],
    ids=["empty", "cut off", "no text", "nested too deep", "a number too long"],
)
def test_a_file_that_is_no_whole_json_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "annotations.json").write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        load_coco_video(tmp_path)


@given(st.integers(0, 10**6))
def test_a_file_cut_off_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    whole = json.dumps(coco({"a": 1}, [{}]))
    path = tmp_path_factory.mktemp("cut") / "annotations.json"
    path.write_text(whole[: length % len(whole)])
    with pytest.raises(DatasetError, match=r"annotations\.json"):
        load_coco_video(path)


def test_damaged_annotations_can_be_collected_and_skipped(tmp_path: Path) -> None:
    findings: list[Finding] = []
    boxes = [{"category_id": 1}, {}, {"bbox": [0, 0, NAN, 1]}, {"bbox": [60, 0, 9, 9]}]
    dataset = load_coco_video(write_coco(tmp_path, coco({"a": 1}, boxes)), report=findings.append)
    assert len(dataset.truth) == 2
    assert [(finding.place[-12:], finding.is_damage) for finding in findings] == [
        ("annotation 1", True),
        ("annotation 3", True),
        ("annotation 4", False),
    ]
    assert findings[2].text == "box (60, 0, 69, 9) reaches beyond the image of 64x48"


def as_floats(value: Any) -> Any:
    """Return the content as tools built on pandas write it."""
    if isinstance(value, dict):
        return {name: as_floats(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_floats(one) for one in value]
    return float(value) if isinstance(value, int) else value


def test_whole_numbers_written_as_floats_are_the_same_numbers(tmp_path: Path) -> None:
    content = coco(
        {"a": 2, "b": 1}, [{"iscrowd": 1}, {"image_id": 3, "category_id": 9, "occluded": 1, "video_id": 2}]
    )
    whole, floats = load(tmp_path / "whole", content), load(tmp_path / "floats", as_floats(content))
    assert "64.0" in (tmp_path / "floats/data/annotations.json").read_text()
    assert (floats.class_ids, floats.videos, floats.frame_names) == (
        whole.class_ids,
        whole.videos,
        whole.frame_names,
    )
    assert floats.frame_ids.tolist() == whole.frame_ids.tolist()
    assert floats.image_sizes.tolist() == whole.image_sizes.tolist()
    for name in ("frames", "boxes", "labels", "tracks", "occluded", "crowd"):
        assert getattr(floats.truth, name).tolist() == getattr(whole.truth, name).tolist()


@pytest.mark.parametrize("value", ["1", 1.5, True, NAN, float("inf"), 1e300, [1], {}])
@pytest.mark.parametrize("field", ["id", "image_id", "category_id", "instance_id"])
def test_what_is_no_whole_number_is_refused(tmp_path: Path, field: str, value: object) -> None:
    with pytest.raises(DatasetError, match=rf"{field} is .*; it must be a whole number"):
        load(tmp_path, damaged("annotations", **{field: value}))


@pytest.mark.parametrize(
    "name",
    [
        "../a.jpg",
        "a/../../b.jpg",
        "/etc/passwd.jpg",
        "..",
        "a\\..\\..\\b.jpg",
        "\\b.jpg",
        "C:\\b.jpg",
        "C:b.jpg",
        "//h/b.jpg",
    ],
)
@pytest.mark.parametrize("is_plain", [False, True])
def test_a_file_name_may_not_lead_out_of_the_folder(tmp_path: Path, name: str, is_plain: bool) -> None:
    content = damaged("images", file_name=name)
    if is_plain:
        del content["videos"]
        for image in content["images"]:
            del image["video_id"]
    with pytest.raises(DatasetError, match=r"image 2: file_name is .*, which leads out of the dataset"):
        load(tmp_path, content)


@pytest.mark.parametrize("name", ["a/b.jpg", "a..b/..c.jpg", "./a.jpg", "ä b.jpg", "12:30.jpg"])
def test_other_file_names_are_taken(tmp_path: Path, name: str) -> None:
    dataset = load(tmp_path, damaged("images", file_name=name))
    assert dataset.image_paths[1] == tmp_path / "data" / name
