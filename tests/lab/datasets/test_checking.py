"""A check finds every kind of damage, counts it, and does not stop at the first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from heatprop.lab.datasets import DatasetError, load_coco_video, load_imagenet_vid
from heatprop.lab.datasets.checking import ImageCheck, check_dataset, find_layout
from heatprop.lab.datasets.dataset_report import DatasetReport
from lab.datasets.trees import (
    DOG,
    GOLDEN,
    HEIGHT,
    WIDTH,
    coco,
    frame_lines,
    write_coco,
    write_det,
    write_image,
    write_list,
    write_vid,
    xml,
    xml_object,
)

TWO = {"ILSVRC2015_val_00000000": 3, "ILSVRC2015_val_00000001": 2}
FIRST, SECOND = TWO


def kinds(report: DatasetReport) -> dict[str, int]:
    return {group.kind: group.count for group in report.findings}


def example(report: DatasetReport, kind: str) -> str:
    (group,) = (group for group in report.findings if group.kind == kind)
    return ": ".join(group.examples[0])


@pytest.fixture
def vid(tmp_path: Path) -> Path:
    """Return a whole VID tree of two snippets, five frames, with images and list."""
    write_list(write_vid(tmp_path, TWO, images=True), "val.txt", frame_lines(TWO))
    return tmp_path


def annotation(root: Path, frame: int = 0) -> Path:
    return root / f"Annotations/VID/val/{FIRST}/{frame:06d}.xml"


def image(root: Path, frame: int = 0) -> Path:
    return root / f"Data/VID/val/{FIRST}/{frame:06d}.JPEG"


@pytest.mark.parametrize("images", ["decoded", "quick", "not checked"])
def test_a_whole_dataset_is_counted_and_usable(vid: Path, images: str) -> None:
    annotation(vid, 1).write_text(xml())
    annotation(vid, 2).write_text(
        xml(xml_object(), xml_object(box=(9, 5, 20, 30), track=1), xml_object(DOG, track=2))
    )
    report = check_dataset(vid, pictures=images)  # type: ignore[arg-type]
    assert report.is_usable
    assert report.findings == ()
    assert (report.layout, report.split, report.pictures) == ("imagenet-vid", "val", images)
    assert report.frames_from == str(vid / "ImageSets/VID/val.txt")
    assert (report.videos, report.frames, report.empty_frames, report.boxes, report.tracks) == (2, 5, 1, 6, 4)
    counts = {one.name: (one.id, one.videos, one.tracks, one.boxes) for one in report.classes if one.boxes}
    assert counts == {"car": (7, 2, 3, 5), "dog": (9, 1, 1, 1)}
    assert json.loads(json.dumps(report.to_json()))["usable"] is True


def test_the_golden_tree_has_no_images_and_is_usable_for_scoring() -> None:
    report = check_dataset(GOLDEN)
    assert report.is_usable
    assert kinds(report) == {"no pictures": 1}
    assert report.pictures == "not checked"
    assert (report.videos, report.frames) == (4, 60)


def test_every_kind_of_damage_is_found_at_once(vid: Path) -> None:
    annotation(vid, 0).write_text("<annotation>")
    annotation(vid, 1).write_text(
        xml(xml_object(box=(9, 9, 3, 3)), xml_object("cow"), xml_object(box=(0, 0, 99, 9)))
    )
    annotation(vid, 2).write_text(xml(xml_object(), xml_object(DOG), width=65))
    second = vid / "Annotations/VID/val" / SECOND
    (second / "000000.xml").unlink()
    (second / "000007.xml").write_text('<!DOCTYPE a [<!ENTITY x "y">]><annotation/>')
    images = vid / "Data/VID/val" / SECOND
    (images / "000000.JPEG").unlink()
    data = (images / "000001.JPEG").read_bytes()
    (images / "000001.JPEG").write_bytes(data[: len(data) // 2])
    write_image(images / "000009.JPEG")
    report = check_dataset(vid)
    assert not report.is_usable
    assert kinds(report) == {
        "missing annotation": 1,
        "annotation not listed": 1,
        "damaged annotation": 1,
        "inverted box": 1,
        "unknown class": 1,
        "missing picture": 1,
        "damaged picture": 1,
        "size of the picture": 1,
        "picture without annotation": 1,
        "box outside the picture": 1,
        "track twice in a frame": 1,
        "track of several classes": 1,
    }
    track = example(report, "track of several classes")
    assert track == f"val/{FIRST}: track 0 is car and dog; identities are scored class by class"
    assert example(report, "inverted box").startswith(f"{annotation(vid, 1)}, line 14: ")
    assert example(report, "size of the picture") == f"{image(vid, 2)}: is 64x48, but annotated as 65x48"
    assert example(report, "missing picture") == f"{images / '000000.JPEG'}: is missing"
    assert example(report, "damaged picture").startswith(f"{images / '000001.JPEG'}: is cut off")
    damage = [group.is_damage for group in report.findings]
    assert damage == sorted(damage, reverse=True)


def test_only_the_first_few_of_a_kind_are_shown_but_all_are_counted(tmp_path: Path) -> None:
    write_vid(tmp_path, {"a": 30}, text="<annotation>")
    (group,) = (group for group in check_dataset(tmp_path).findings if group.is_damage)
    assert (group.kind, group.count, len(group.examples)) == ("damaged annotation", 30, 5)


def test_lists_and_folders_that_lack_something_are_told(vid: Path) -> None:
    write_list(vid, "val.txt", frame_lines({FIRST: 3}))
    assert kinds(check_dataset(vid)) == {"snippet not listed": 1}
    (vid / "ImageSets/VID/val.txt").unlink()
    report = check_dataset(vid)
    assert kinds(report) == {"missing list": 1}
    assert report.is_usable
    write_image(vid / "Data/VID/val/new/000000.JPEG")
    assert kinds(check_dataset(vid)) == {"snippet without annotations": 1, "missing list": 1}


def test_a_damaged_list_is_damage_and_the_folders_take_its_place(vid: Path) -> None:
    write_list(vid, "val.txt", ["rubbish"])
    report = check_dataset(vid)
    assert (
        example(report, "damaged list")
        == f"{vid / 'ImageSets/VID/val.txt'}, line 1: 'rubbish' is not a path and a number"
    )
    assert (report.frames, report.frames_from) == (5, "folders")


def test_det_is_counted_by_images_of_the_30_classes(tmp_path: Path) -> None:
    write_image(write_det(tmp_path, images=True) / "Data/DET/train/ILSVRC2013_train/n03/without_annotation.JPEG")
    report = check_dataset(tmp_path, split="train")
    assert (report.layout, report.split, report.frames_from) == ("imagenet-det", "train", "folders")
    assert (report.videos, report.frames, report.boxes) == (4, 4, 6)
    assert {one.name: (one.videos, one.boxes) for one in report.classes if one.boxes} == {
        "car": (3, 4), "dog": (1, 1), "zebra": (1, 1),
    }  # fmt: skip
    assert kinds(report) == {"missing list": 1}
    assert report.is_usable


def test_damage_in_det_is_found(tmp_path: Path) -> None:
    names = list(write_det(tmp_path, images=True).glob("Annotations/DET/train/*/*/*.xml"))
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets/DET_train_30classes.txt").write_text(
        "train/gone 1\n" + "".join(f"train/ILSVRC2013_train/n02/{path.stem} 1\n" for path in names[:2])
    )
    annotation = tmp_path / "Annotations/DET/train/ILSVRC2013_train/n02/n02_1.xml"
    annotation.write_text(xml(xml_object(box=(9, 9, 3, 3))))
    image = tmp_path / "Data/DET/train/ILSVRC2013_train/n02/n02_2.JPEG"
    image.write_bytes(image.read_bytes()[:500])
    report = check_dataset(tmp_path, split="train")
    assert kinds(report) == {
        "missing annotation": 1, "inverted box": 1, "missing picture": 1, "damaged picture": 1,
    }  # fmt: skip
    assert example(report, "inverted box").startswith(f"{annotation}, line 14: ")
    assert example(report, "damaged picture").startswith(f"{image}: is cut off")
    (tmp_path / "ImageSets/DET_train_30classes.txt").write_text("rubbish\n")
    damaged = check_dataset(tmp_path, split="train")
    assert "line 1: 'rubbish' is not a path and a number" in example(damaged, "damaged list")
    assert (damaged.frames, damaged.frames_from) == (3, "folders")


def test_det_without_an_image_of_the_30_classes_is_damage(tmp_path: Path) -> None:
    write_det(tmp_path, {"train/a": ("n07739125",)})
    report = check_dataset(tmp_path, split="train")
    assert example(report, "no frames").startswith(f"{tmp_path / 'Annotations/DET/train'}: holds no image")
    with pytest.raises(DatasetError, match=r"DET/val: no such folder, .* splits that are there: train"):
        check_dataset(tmp_path)


def test_that_det_is_there_too_is_told_where_vid_is_checked(vid: Path) -> None:
    write_det(vid)
    report = check_dataset(vid)
    assert (report.layout, report.is_usable) == ("imagenet-vid", True)
    assert "ask for the layout imagenet-det" in example(report, "another dataset")
    assert check_dataset(vid, "imagenet-vid").findings == ()
    assert check_dataset(vid, "imagenet-det", "train").frames == 4


def test_a_gap_in_the_numbering_is_told_but_not_an_even_choice(tmp_path: Path) -> None:
    write_vid(tmp_path, {"a": 12, "b": 12})
    for frame in (4, 5):
        (tmp_path / f"Annotations/VID/val/a/{frame:06d}.xml").unlink()
    for frame in range(1, 12, 2):
        (tmp_path / f"Annotations/VID/val/b/{frame:06d}.xml").unlink()
    report = check_dataset(tmp_path)
    assert kinds(report)["gap in the numbering"] == 1
    assert example(report, "gap in the numbering") == "val/a: frame 6 follows frame 3"


def test_a_link_to_nowhere_is_a_missing_annotation_or_image(vid: Path) -> None:
    for path in (annotation(vid), image(vid)):
        path.unlink()
        path.symlink_to(vid / "gone")
    assert kinds(check_dataset(vid)) == {"missing annotation": 1, "missing picture": 1}
    with pytest.raises(DatasetError, match=r"000000.xml: cannot be read"):
        load_imagenet_vid(vid)


def test_a_split_without_frames_is_damage(tmp_path: Path) -> None:
    (tmp_path / "Annotations/VID/val").mkdir(parents=True)
    report = check_dataset(tmp_path)
    assert kinds(report) == {"missing list": 1, "no frames": 1}
    assert not report.is_usable


def test_cocovid_is_counted_and_its_damage_found(tmp_path: Path) -> None:
    boxes = [{"image_id": 1}, {"image_id": 2, "bbox": [0, 0, 70, 3]}, {"image_id": 9}, {"bbox": [0, 0, -1, 3]}]
    write_coco(tmp_path, coco({"a": 2, "b": 1}, boxes), images=True)
    (tmp_path / "b/000000.jpg").unlink()
    cv2.imwrite(str(tmp_path / "a/000001.jpg"), np.zeros((10, 20, 3), np.uint8))
    write_image(tmp_path / "a/000005.jpg")
    report = check_dataset(tmp_path)
    assert (report.layout, report.split, report.videos, report.frames, report.boxes) == (
        "coco-video",
        None,
        2,
        3,
        2,
    )
    assert kinds(report) == {
        "damaged annotation": 2,
        "missing picture": 1,
        "size of the picture": 1,
        "box outside the picture": 1,
        "picture without annotation": 1,
        "class without objects": 1,
    }
    assert example(report, "damaged annotation").endswith(
        "annotations.json, annotation 3: is of image 9, which is not among the images"
    )


def test_a_cut_off_annotation_file_is_damage_not_a_bad_request(tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text('{"images": [')
    report = check_dataset(tmp_path)
    assert kinds(report) == {"damaged annotation file": 1}
    assert (report.layout, report.frames, report.is_usable) == ("coco-video", 0, False)


def test_the_layout_is_seen_from_the_files(vid: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    assert find_layout(vid) == "imagenet-vid"
    assert find_layout(write_coco(empty / "a", coco({"a": 1}))) == "coco-video"
    assert find_layout(empty / "a/annotations.json") == "coco-video"
    with pytest.raises(DatasetError, match="no dataset is recognised"):
        find_layout(empty)
    with pytest.raises(DatasetError, match="no such folder"):
        find_layout(empty / "gone")
    with pytest.raises(DatasetError, match="no split 'test'"):
        check_dataset(vid, split="test")


def test_progress_goes_through_both_stages(vid: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    check_dataset(vid, progress=lambda *stage: seen.append(stage))
    assert seen == [("annotations", 5, 5), ("pictures", 5, 5)]


A_DOG = {"category_id": 9, "instance_id": 8}


def checked(root: Path, content: object) -> dict[str, int]:
    report = check_dataset(write_coco(root, content), pictures="not checked")
    assert report.is_usable
    return kinds(report)


DOUBTFUL: dict[str, tuple[list[object], str]] = {
    "emptied": ([0, 0, 0, 0], "box without area"),
    "a line": ([5, 5, 10, 0], "box without area"),
    "half a pixel": ([5, 5, 0.5, 10], "box smaller than a pixel"),
    "shares of 1": ([0.2, 0.3, 0.4, 0.4], "box in shares of the picture"),
    "all of the image in shares": ([0, 0, 1, 1], "box in shares of the picture"),
    "beyond": ([60, 40, 10, 10], "box outside the picture"),
    "left of it": ([-5, 2, 10, 10], "box outside the picture"),
}


@pytest.mark.parametrize(("box", "kind"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_box_that_can_hardly_be_meant_is_noted_with_its_annotation(
    tmp_path: Path, box: list[object], kind: str
) -> None:
    write_coco(tmp_path, coco({"a": 1}, [A_DOG, {"bbox": box}]))
    report = check_dataset(tmp_path, pictures="not checked")
    assert report.is_usable
    assert kinds(report) == {kind: 1}
    assert example(report, kind).startswith(f"{tmp_path / 'annotations.json'}, annotation 2: box (")


def test_boxes_without_area_in_xml_are_noted_with_their_line(vid: Path) -> None:
    annotation(vid).write_text(xml(xml_object(), xml_object(box=(9, 9, 9, 30)), xml_object()))
    report = check_dataset(vid, pictures="not checked")
    assert report.is_usable
    assert kinds(report) == {"box without area": 1, "box twice": 1, "track twice in a frame": 1}
    assert f"{annotation(vid)}, line " in example(report, "box without area")


def test_many_doubtful_boxes_are_one_group_with_a_few_examples(tmp_path: Path) -> None:
    boxes = [
        {"bbox": [number / 5000, 0, 0, 0], "category_id": 3 + 6 * (number % 2), "instance_id": number}
        for number in range(3000)
    ]
    write_coco(tmp_path, coco({"a": 1}, boxes))
    report = check_dataset(tmp_path, pictures="not checked")
    (group,) = (one for one in report.findings if one.kind == "box without area")
    assert (group.count, len(group.examples)) == (3000, 5)


def test_the_same_box_twice_is_noted(tmp_path: Path) -> None:
    same = {"bbox": [1, 2, 10, 20], "instance_id": None}
    others = [{"bbox": [1, 2, 10, 21]}, {"image_id": 2}, {"category_id": 9}]
    write_coco(tmp_path, coco({"a": 2}, [same, *[same | other for other in others], same]))
    report = check_dataset(tmp_path, pictures="not checked")
    assert kinds(report) == {"box twice": 1}
    assert "annotation 5: is the same box as annotation 1" in example(report, "box twice")


def test_boxes_written_as_corners_are_noticed(tmp_path: Path) -> None:
    corners = [
        {"bbox": [20 + n, 10 + n, 50 + n, 40], "category_id": 3 + 6 * (n % 2), "instance_id": n} for n in range(8)
    ]
    assert checked(tmp_path / "corners", coco({"a": 1}, corners)) == {
        "box outside the picture": 8,
        "boxes as corners": 1,
    }
    sides = [box | {"bbox": [20, 10 + n, 44, 20]} for n, box in enumerate(corners)]
    assert checked(tmp_path / "sides", coco({"a": 1}, sides)) == {}


def from_corner_to_corner(count: int, **more: object) -> list[dict[str, object]]:
    """Return boxes written as corners that lie within the image if read as place and sides, too."""
    written = [[3 + n, 4, 25 + n, 20 + n % 5] for n in range(count)]
    return [
        {
            "bbox": [x1, y1, x2, y2],
            "area": (x2 - x1) * (y2 - y1),
            "category_id": 3 + 6 * (n % 2),
            "instance_id": n,
            **more,
        }
        for n, (x1, y1, x2, y2) in enumerate(written)
    ]


def test_corners_that_stay_inside_are_noticed_by_their_areas(tmp_path: Path) -> None:
    corners = from_corner_to_corner(8)
    assert checked(tmp_path / "corners", coco({"a": 1}, corners)) == {"areas of corners": 1}
    rounded = [box | {"area": float(box["area"]) + 0.3} for box in corners]  # type: ignore[arg-type]
    assert checked(tmp_path / "rounded", coco({"a": 1}, rounded)) == {"areas of corners": 1}
    whole = [box | {"area": (b[2] - b[0] + 1) * (b[3] - b[1] + 1)} for box in corners if (b := box["bbox"])]  # type: ignore[index]
    assert checked(tmp_path / "whole", coco({"a": 1}, whole)) == {"areas of corners": 1}
    report = check_dataset(tmp_path / "corners", pictures="not checked")
    assert "8 of 8 areas" in example(report, "areas of corners")


AREAS: dict[str, object] = {
    "none": None,
    "a text": "400",
    "negative": -1,
    "truth": True,
    "endless": float("inf"),
    "of a mask": 7.5,
}


@pytest.mark.parametrize("area", AREAS.values(), ids=AREAS)
def test_areas_that_tell_nothing_are_passed_over(tmp_path: Path, area: object) -> None:
    assert checked(tmp_path, coco({"a": 1}, from_corner_to_corner(8, area=area))) == {}


def test_areas_of_sides_are_no_finding_whatever_a_few_others_are(tmp_path: Path) -> None:
    corners = from_corner_to_corner(12)
    sides = [box | {"area": box["bbox"][2] * box["bbox"][3]} for box in corners]  # type: ignore[index]
    assert checked(tmp_path / "sides", coco({"a": 1}, sides)) == {}
    assert checked(tmp_path / "mixed", coco({"a": 1}, corners[:4] + sides[4:])) == {}
    at_zero = [box | {"bbox": [0, 0, 9 + n, 9], "area": 9 * (9 + n)} for n, box in enumerate(corners)]
    assert checked(tmp_path / "zero", coco({"a": 1}, at_zero)) == {}


def write_twice(root: Path, name: str, value: object) -> None:
    """Write a file in which a name stands a second time, with another value."""
    text = json.dumps(coco({"a": 1}, [{}, A_DOG]))
    root.mkdir(parents=True, exist_ok=True)
    (root / "annotations.json").write_text(f"{text[:-1]}, {json.dumps(name)}: {json.dumps(value)}}}")


@pytest.mark.parametrize("name", ["annotations", "images", "videos", "categories"])
def test_a_list_that_stands_there_twice_is_damage_for_all(tmp_path: Path, name: str) -> None:
    write_twice(tmp_path, name, [])
    report = check_dataset(tmp_path, pictures="not checked")
    assert not report.is_usable
    assert f"its list {name!r} stands there twice" in example(report, "damaged annotation file")
    with pytest.raises(DatasetError, match=f"annotations.json: its list {name!r} stands there twice; keep one"):
        load_coco_video(tmp_path)


def test_another_name_that_stands_there_twice_is_noted(tmp_path: Path) -> None:
    write_twice(tmp_path, "info", {})
    assert kinds(check_dataset(tmp_path, pictures="not checked")) == {}
    text = (tmp_path / "annotations.json").read_text()
    (tmp_path / "annotations.json").write_text(text[:-1] + ', "info": {"year": 2015}}')
    report = check_dataset(tmp_path, pictures="not checked")
    assert report.is_usable
    assert kinds(report) == {"name twice": 1}
    assert example(report, "name twice").endswith("annotations.json: 'info' stands there twice; the last counts")


def test_a_name_that_stands_twice_in_an_annotation_leaves_that_out(tmp_path: Path) -> None:
    write_coco(tmp_path, coco({"a": 1}, [{}, {}, A_DOG]))
    path = tmp_path / "annotations.json"
    path.write_text(path.read_text().replace('{"id": 2, ', '{"id": 2, "category_id": 9, '))
    report = check_dataset(tmp_path, pictures="not checked")
    assert (report.boxes, report.is_usable) == (2, False)
    assert "annotation 2: 'category_id' stands twice in it; keep one" in example(report, "damaged annotation")
    with pytest.raises(DatasetError, match="annotation 2: 'category_id' stands twice in it"):
        load_coco_video(tmp_path)


@pytest.mark.parametrize("entry", ["image 1", "category 3", "video 1"])
def test_a_name_that_stands_twice_in_another_entry_is_damage_of_the_file(tmp_path: Path, entry: str) -> None:
    write_coco(tmp_path, coco({"a": 1}, [{}, A_DOG]))
    path, number = tmp_path / "annotations.json", entry.split()[1]
    singular = {"image": "images", "category": "categories", "video": "videos"}[entry.split(maxsplit=1)[0]]
    head, found, rest = path.read_text().partition(f'"{singular}": [{{"id": {number}, ')
    assert found
    path.write_text(f'{head}{found}"id": {number}, {rest}')
    report = check_dataset(tmp_path, pictures="not checked")
    assert f"{entry}: 'id' stands twice in it; keep one" in example(report, "damaged annotation file")


def test_what_cannot_be_scored_is_noted(tmp_path: Path) -> None:
    assert checked(tmp_path / "none", coco({"a": 1})) == {"no objects": 1}
    assert checked(tmp_path / "crowds", coco({"a": 1}, [{"iscrowd": 1}])) == {"only crowds": 1}
    assert checked(tmp_path / "class", coco({"a": 1}, [{}])) == {"class without objects": 1}


def test_an_image_listed_twice_is_noted(tmp_path: Path) -> None:
    content = coco({"a": 2}, [{}, A_DOG])
    content["images"][1]["file_name"] = "a/000000.jpg"
    assert checked(tmp_path, content)["picture listed twice"] == 1


def test_frames_whose_names_run_backwards_are_noted(tmp_path: Path) -> None:
    content = coco({"a": 3}, [{}, A_DOG])
    for image, number in zip(content["images"], (0, 2, 1), strict=True):
        image["file_name"] = f"a/{number}.jpg"
    assert checked(tmp_path, content) == {"frames out of order": 1}


def test_counting_from_0_is_noted(tmp_path: Path, vid: Path) -> None:
    content = coco({"a": 1}, [{"category_id": 0}, {"category_id": 1, "instance_id": 8}])
    content["categories"] = [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    assert checked(tmp_path / "coco", content) == {"numbered from 0": 1}
    write_list(vid, "val.txt", frame_lines(TWO, start=0))
    assert kinds(check_dataset(vid, pictures="not checked")) == {"numbered from 0": 1}


def test_numbers_that_are_shifted_by_one_get_a_hint(tmp_path: Path) -> None:
    content = coco({"a": 1}, [{"category_id": 0}, {"category_id": 1, "instance_id": 8}])
    content["categories"] = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    write_coco(tmp_path, content)
    report = check_dataset(tmp_path, pictures="not checked")
    assert "does one of the two lists count from 0" in example(report, "damaged annotation")


def test_photos_that_are_turned_by_their_tag_fit_annotations_of_what_people_see(tmp_path: Path) -> None:
    write_coco(tmp_path, coco({"a": 1}, [{}, A_DOG]))
    tags = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    write_image(tmp_path / "a/000000.jpg", HEIGHT, WIDTH)
    data = (tmp_path / "a/000000.jpg").read_bytes()
    part = b"\xff\xe1" + (len(tags) + 2).to_bytes(2, "big") + tags
    (tmp_path / "a/000000.jpg").write_bytes(data[:2] + part + data[2:])
    for images in ("decoded", "quick"):
        assert check_dataset(tmp_path, pictures=images).findings == ()  # type: ignore[arg-type]


def write_pages(path: Path) -> None:
    pages = [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in (9, 200)]
    cv2.imwritemulti(str(path), pages)


def write_gif(path: Path) -> None:
    with av.open(str(path), "w", format="gif") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "rgb8"
        for level in (9, 200):
            image = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image).reformat(format="rgb8")))
        container.mux(stream.encode(None))


def write_stereo(path: Path) -> None:
    """Write two JPEGs behind each other, with an index of both in the first."""
    done, data = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    assert done
    jpeg = data.tobytes()
    index = b"MPF\0MM\0*\0\0\0\x08\0\x01\xb0\x01\0\x04\0\0\0\x01\0\0\0\x02\0\0\0\0"
    path.write_bytes(jpeg[:2] + b"\xff\xe2" + (len(index) + 2).to_bytes(2, "big") + index + jpeg[2:] + jpeg)


@pytest.mark.parametrize("images", ["decoded", "quick"])
@pytest.mark.parametrize(
    ("name", "write"), [("a.tiff", write_pages), ("gif.png", write_gif), ("stereo.jpg", write_stereo)]
)
def test_an_image_file_with_several_images_is_noted(
    name: str, write: Callable[[Path], None], images: ImageCheck, tmp_path: Path
) -> None:
    content = coco({"a": 1}, [{}, A_DOG])
    content["images"][0]["file_name"] = name
    write_coco(tmp_path, content)
    write(tmp_path / name)
    assert kinds(check_dataset(tmp_path, pictures=images)) == {"several pictures in a file": 1}
