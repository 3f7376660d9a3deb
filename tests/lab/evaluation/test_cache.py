"""A cache gives back what was put in, and says when it cannot."""

from __future__ import annotations

import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.errors import OutputError
from heatprop.lab.datasets.annotations import Video
from heatprop.lab.evaluation.runs.cache import CachedPart, OutputCache, part_count, part_rows
from heatprop.lab.evaluation.runs.cache_manifest import CacheError, CacheManifest
from heatprop.runtime.kept_outputs import SparseOutput, sparsify
from heatprop.types import Detections, HeadOutput
from runtime.test_kept_outputs import outputs

MANIFEST = CacheManifest(
    model="tiny",
    model_sha256="ab" * 32,
    backend="ONNX Runtime 1, CPU, f32",
    layout="coco-video",
    split="val",
    frames=3,
    frames_sha256="cd" * 32,
    classes=("cat", "dog"),
    stride=4,
    longest_side=512,
    multiple=32,
    floor=0.01,
)


def part(frames: int = 3, *, offset: bool = True) -> CachedPart:
    random = np.random.default_rng(7)
    return CachedPart(
        np.tile([[640, 480]], (frames, 1)),
        [
            sparsify(
                HeadOutput(
                    random.random((2, 5, 6)) ** 8,
                    random.normal(5, 2, (4, 5, 6)),
                    random.random((2, 5, 6)) if offset else None,
                ),
                0.01,
            )
            for _ in range(frames)
        ],
    )


def assert_equal(one: SparseOutput, other: SparseOutput) -> None:
    assert one.shape == other.shape
    assert (one.offsets is None) == (other.offsets is None)
    for name in ("cells", "scores", "sizes", "offsets"):
        before, after = getattr(one, name), getattr(other, name)
        if before is not None:
            assert before.dtype == after.dtype, name
            np.testing.assert_array_equal(before, after, err_msg=name)


@settings(deadline=None, max_examples=40)
@given(outputs(), st.integers(1, 3), st.sampled_from([0.0, 0.01]))
def test_what_was_written_is_read_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, output: HeadOutput, frames: int, floor: float
) -> None:
    folder = tmp_path_factory.mktemp("cache") / "c"
    manifest = replace(MANIFEST, floor=floor, classes=tuple(map(str, range(len(output.heatmap)))))
    cache = OutputCache(folder, manifest)
    # The grid of a frame may differ from that of the one before.
    smaller = HeadOutput(
        output.heatmap[:, :1], output.size[:, :1], None if output.offset is None else output.offset[:, :1]
    )
    kept = [sparsify(smaller if number % 2 else output, floor) for number in range(frames)]
    cache.write(4, 2, CachedPart(np.array([[640, 480]] * frames), kept))
    again = OutputCache(folder).read(4, 2, frames)
    assert again.frame_sizes.tolist() == [[640, 480]] * frames
    for before, after in zip(kept, again.outputs, strict=True):
        assert_equal(before, after)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_boxes_are_read_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    frames = [
        Detections(
            np.concatenate(
                [(corner := random.uniform(-9, 500, (count, 2))), corner + random.random((count, 2))], 1
            ),
            random.random(count),
            random.integers(0, 2, count),
        )
        for count in counts
    ]
    cache = OutputCache(tmp_path_factory.mktemp("cache") / "c", replace(MANIFEST, model_layout="yolox", stride=1))
    cache.write(2, 1, CachedPart(np.tile([[640, 480]], (len(frames), 1)), frames))
    read = cache.read(2, 1, len(frames)).outputs
    for one, other in zip(frames, read, strict=True):
        assert isinstance(other, Detections)
        for name in ("boxes", "scores", "labels"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_class_that_the_cache_is_not_of_is_refused(tmp_path: Path) -> None:
    cache = OutputCache(tmp_path / "c", replace(MANIFEST, model_layout="yolox", stride=1))
    wrong = Detections([[0, 0, 2, 2]], [0.5], [len(MANIFEST.classes)])
    cache.write(0, 0, CachedPart(np.array([[640, 480]]), [wrong]))
    with pytest.raises(CacheError, match=r"1 frames of \[3\] classes, not 1 of 2;"):
        cache.read(0, 0, 1)


def test_parts_cover_each_frame_of_a_video_once() -> None:
    for length in (0, 1, 63, 64, 65, 300):
        video = Video("v", 1000, length)
        rows = [row for number in range(part_count(video)) for row in part_rows(video, number)]
        assert rows == list(video.rows)


def test_a_part_is_one_zarr_group_that_others_can_read(tmp_path: Path) -> None:
    import zarr
    import zarr.storage

    OutputCache(tmp_path / "c", MANIFEST).write(0, 0, part())
    with zarr.storage.ZipStore(tmp_path / "c" / "parts" / "000000-000.zarr.zip", mode="r") as store:
        group = zarr.open_group(store, mode="r")
        assert group.metadata.zarr_format == 3
        assert {name: str(array.dtype) for name, array in group.arrays()} == {
            "frame_sizes": "int64",
            "shapes": "int64",
            "cell_counts": "int64",
            "cell_steps": "uint32",
            "scores": "uint16",
            "sizes": "float16",
            "offsets": "float16",
        }


def test_nothing_but_whole_parts_is_left_behind(tmp_path: Path) -> None:
    cache = OutputCache(tmp_path / "c", MANIFEST)
    left = tmp_path / "c" / "parts" / ".000000-000.zarr.zip.12345.part"
    left.parent.mkdir()
    left.write_bytes(b"of a run that was killed")
    assert not cache.has(0, 0)
    cache.write(0, 0, part())
    assert [path.name for path in left.parent.iterdir()] == ["000000-000.zarr.zip"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("model", "other", "made with model tiny, not other"),
        ("model_sha256", "ef" * 32, "made with model sha256"),
        ("backend", "OpenVINO", "made with backend"),
        ("layout", "imagenet-vid", "made with layout"),
        ("frames_sha256", "00" * 32, "made with frames sha256"),
        ("classes", ("cat",), "made with classes cat, dog, not cat"),
        ("floor", 0.02, "made with floor 0.01, not 0.02"),
    ],
)
def test_a_cache_of_something_else_is_refused(tmp_path: Path, field: str, value: object, said: str) -> None:
    OutputCache(tmp_path / "c", MANIFEST)
    with pytest.raises(CacheError, match=said) as caught:
        OutputCache(tmp_path / "c", replace(MANIFEST, **{field: value}))
    assert str(tmp_path / "c") in str(caught.value)
    assert "another --cache folder" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("\x00\xff", "cannot be read"),
        ("[]", "not that of a cache"),
        ('{"format": "else"}', "not that of a cache"),
        ('{"format": "heatprop-outputs", "version": 2}', "its version is 2"),
        (
            '{"format": "heatprop-outputs", "version": 1}',
            "manifest.json lacks 'model'; its keys are model, model_sha256",
        ),
    ],
)
def test_a_damaged_manifest_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(CacheError, match=said) as caught:
        OutputCache(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", [*MANIFEST.to_json()])
@pytest.mark.parametrize("value", [None, 7.5, "x", [], {}])
def test_every_field_of_the_manifest_is_checked(tmp_path: Path, field: str, value: object) -> None:
    good = MANIFEST.to_json()
    if type(good[field]) is type(value):
        return
    (tmp_path / "manifest.json").write_text(json.dumps(good | {field: value}))
    with pytest.raises(CacheError):
        OutputCache(tmp_path)


def test_a_folder_that_is_no_cache_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(CacheError, match="holds something else"):
        OutputCache(tmp_path, MANIFEST)
    with pytest.raises(CacheError, match=r"there is no manifest.json"):
        OutputCache(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_damaged_part_is_refused_or_read_right(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cache") / "c"
    cache, content = OutputCache(folder, MANIFEST), part()
    cache.write(0, 0, content)
    path = folder / "parts" / "000000-000.zarr.zip"
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
    else:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :])
    try:
        again = cache.read(0, 0, 3)
    except CacheError as error:
        said = str(error)
    else:  # a byte that means nothing, such as a date in the zip file
        for before, after in zip(content.outputs, again.outputs, strict=True):
            assert_equal(before, after)
        return
    assert path.name in said
    assert "\n" not in said


def test_a_part_of_another_length_or_of_other_classes_is_refused(tmp_path: Path) -> None:
    cache = OutputCache(tmp_path / "c", MANIFEST)
    cache.write(0, 0, part())
    with pytest.raises(CacheError, match="has 3 frames"):
        cache.read(0, 0, 4)
    other = OutputCache(tmp_path / "d", replace(MANIFEST, classes=("cat",)))
    other.write(0, 0, part())
    with pytest.raises(CacheError, match=r"of \[2\] classes"):
        other.read(0, 0, 3)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    cache = OutputCache(tmp_path / "c", MANIFEST)
    with pytest.raises(CacheError, match=r"000002-001.zarr.zip is missing"):
        cache.read(2, 1, 3)
    videos = [Video("a", 0, 100), Video("b", 100, 3)]
    cache.write(0, 1, part())
    with pytest.raises(CacheError, match="2 of its 3 parts are missing"):
        cache.require_whole(videos)


def test_a_zip_file_of_something_else_is_refused(tmp_path: Path) -> None:
    cache = OutputCache(tmp_path / "c", MANIFEST)
    (tmp_path / "c" / "parts").mkdir()
    with zipfile.ZipFile(tmp_path / "c" / "parts" / "000000-000.zarr.zip", "w") as file:
        file.writestr("a.txt", "hello")
    with pytest.raises(CacheError, match="damaged"):
        cache.read(0, 0, 3)


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        OutputCache(tmp_path / "file" / "c", MANIFEST)


def test_of_runs_that_begin_a_cache_at_once_one_says_what_it_is_of(tmp_path: Path) -> None:
    manifests = [replace(MANIFEST, model=f"model {number}") for number in range(8)]
    start = threading.Barrier(len(manifests))

    def begin(manifest: CacheManifest) -> str | None:
        start.wait()
        try:
            return OutputCache(tmp_path / "c", manifest).manifest.model
        except CacheError:
            return None

    with ThreadPoolExecutor(len(manifests)) as threads:
        opened = [model for model in threads.map(begin, manifests) if model is not None]
    assert opened == [OutputCache(tmp_path / "c").manifest.model]
    assert [each.name for each in (tmp_path / "c").iterdir()] == ["manifest.json"]
