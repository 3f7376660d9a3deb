"""`heatprop evaluate` on real images: killed, stopped, asked for nonsense."""

from __future__ import annotations

import hashlib
import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.conftest import Run, command, run_process
from heatprop.io.claims import claim_folder
from heatprop.lab.datasets import load_dataset
from heatprop.lab.evaluation.detection_files.reading import read_detections
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.results import score
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.propagation import PropagationConfig
from heatprop.runtime.detector import VideoDetector
from heatprop.types import ImageArray
from small_video_datasets import write_coco_video

FEW = ("--dataset", "coco-video", "--backend", "onnx")


@pytest.fixture(scope="module")
def small(street_image: ImageArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco_video(tmp_path_factory.mktemp("dataset") / "small", street_image)


@pytest.fixture(scope="module")
def long(street_image: ImageArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco_video(tmp_path_factory.mktemp("dataset") / "long", street_image, (130, 3, 66, 66))


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_folder_in_which_another_run_works_is_refused_and_left_alone(run: Run, small: Path) -> None:
    run("evaluate", *FEW, "--root", small, "-o", "out")
    before = content(Path("out"))
    with claim_folder("out"):
        done = run("evaluate", *FEW, "--root", small, "-o", "../work/out")
    assert done.code == 2
    assert re.fullmatch(r"heatprop: error: \S+out is in use by another run \(process \d+\); .*\n", done.err)
    assert content(Path("out")) == before


def test_one_command_detects_writes_and_scores(run: Run, small: Path) -> None:
    done = run("evaluate", *FEW, "--root", small, "-o", "out")
    assert done.code == 0
    assert done.err == ""
    assert re.search(r"person +1 +8 +\d", done.out)
    assert "mAP, official ImageNet VID" in done.out
    assert "AP50, COCO" in done.out
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "detections.json", "detections.txt", "mot", "report.json", "run.json", "work",
    ]  # fmt: skip
    report = json.loads(Path("out/report.json").read_text())
    assert report["mAP"] > 0.3

    dataset = load_dataset("coco-video", small)
    table = read_detections("out/detections.txt", dataset)
    assert len(table) == report["detections"]
    assert score(dataset, table).to_dict() == report
    assert sorted(path.name for path in Path("out/mot").iterdir()) == ["clip-1.txt", "clip-2.txt"]


@pytest.mark.parametrize("model", ["mb3-coco", "nanodet-coco"])
@pytest.mark.parametrize(
    ("options", "propagation"),
    [((), PropagationConfig.paper()), (("--method", "adaptive"), PropagationConfig.adaptive())],
)
def test_its_detections_are_those_of_the_detector(
    run: Run, street_image: ImageArray, options: tuple[str, ...], propagation: PropagationConfig, model: str
) -> None:
    detector = VideoDetector(
        model, backend="onnx", propagation=propagation, score_threshold=0.05, forget_at_cuts=False
    )
    root = write_coco_video(Path("data"), street_image, (5, 3), detector.card.classes)
    assert run("evaluate", *FEW, "--model", model, "--root", root, "-o", "out", *options).code == 0
    dataset = load_dataset("coco-video", root)
    table = read_detections("out/detections.txt", dataset)
    rows = []
    for video in dataset.videos:
        folder = Path(dataset.image_paths[video.start]).parent
        found = [detections for _, detections in detector.stream(folder)]
        rows += list(zip(video.rows, found, strict=True))
    streamed = DetectionTable.from_frames(rows)
    assert len(streamed) == len(table) > 100
    for name in ("frames", "labels", "scores", "boxes"):
        np.testing.assert_array_equal(getattr(streamed, name), getattr(table, name))
    lines = [line for path in sorted(Path("out/mot").iterdir()) for line in path.read_text().splitlines()]
    assert [int(line.split(",")[1]) for line in lines] == (streamed.track_ids + 1).tolist()


def test_imagenet_vid_in_its_own_layout(run: Run, street_image: ImageArray) -> None:
    box = "<xmin>162</xmin><ymin>90</ymin><xmax>330</xmax><ymax>255</ymax>"
    thing = f"<object><trackid>0</trackid><name>n03790512</name><bndbox>{box}</bndbox></object>"
    size = "<size><width>640</width><height>272</height></size>"
    names = [
        f"ILSVRC2015_val_0000000{number}/{frame:06d}"
        for number, length in ((0, 3), (1, 2))
        for frame in range(length)
    ]
    for name in names:
        for kind, ending in (("Annotations", "xml"), ("Data", "JPEG")):
            Path(f"vid/{kind}/VID/val/{name}.{ending}").parent.mkdir(parents=True, exist_ok=True)
        Path(f"vid/Annotations/VID/val/{name}.xml").write_text(f"<annotation>{size}{thing}</annotation>")
        cv2.imwrite(f"vid/Data/VID/val/{name}.JPEG", street_image[:, :, ::-1])
    done = run(
        "evaluate", "--dataset", "imagenet-vid", "--root", "vid", "-o", "out", "--backend", "onnx", "--json"
    )
    assert done.code == 0
    assert "no class for 14 of the dataset's 30, nothing is found of them: antelope, fox, giant_panda" in done.err
    lines = [line.split() for line in Path("out/detections.txt").read_text().splitlines()]
    assert {line[0] for line in lines} == {"1", "2", "3", "4", "5"}
    assert {line[1] for line in lines} == {"7", "19"}  # cars, and what the network takes for a motorcycle
    assert json.loads(done.out)["positives"] == {"19": 5}
    assert Path("out/mot/val/ILSVRC2015_val_00000001.txt").exists()
    assert (
        run("score", "out/detections.txt", "--dataset", "imagenet-vid", "--root", "vid", "--json").out == done.out
    )


def test_json_is_the_report(run: Run, small: Path) -> None:
    done = run("evaluate", *FEW, "--root", small, "-o", "out", "--json", "--metric", "coco", "--no-propagation")
    assert done.code == 0
    assert json.loads(done.out) == json.loads(Path("out/report.json").read_text())
    assert "coco" in json.loads(done.out)
    assert "mAP" not in json.loads(done.out)
    assert json.loads(Path("out/run.json").read_text())["method"]["method"] == "network"


def test_a_second_run_does_nothing_again_and_writes_the_same(run: Run, small: Path) -> None:
    run("evaluate", *FEW, "--root", small, "-o", "out")
    before = content(Path("out"))
    done = run("evaluate", *FEW, "--root", small, "-o", "out")
    assert done.code == 0
    assert done.err == "heatprop: 8 of 8 frames are finished already\n"
    assert content(Path("out")) == before


def test_adaptive_propagation_goes_on_where_it_was_stopped(run: Run, street_image: ImageArray) -> None:
    root = write_coco_video(Path("data"), street_image, (3, 3))
    adaptive = ("evaluate", *FEW, "--root", root, "--method", "adaptive")
    assert run(*adaptive, "-o", "once").code == 0
    said = json.loads(Path("once/run.json").read_text())["method"]
    assert said == Method(name="adaptive").to_json()
    damaged = root / "clip-2" / "000001.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    assert run(*adaptive, "-o", "out").code == 1
    damaged.write_bytes(whole)
    done = run(*adaptive, "-o", "out")
    assert (done.code, done.err) == (0, "heatprop: 3 of 6 frames are finished already\n")
    assert content(Path("out")) == content(Path("once"))
    done = run("evaluate", *FEW, "--root", root, "-o", "out")
    assert done.code == 2
    assert "method.method adaptive, not propagation" in done.err


def test_a_cache_serves_other_settings_and_a_sweep(run: Run, small: Path) -> None:
    first = run("evaluate", *FEW, "--root", small, "-o", "one", "--cache", "cache", "--json")
    kept = content(Path("cache"))
    second = run(
        "evaluate", *FEW, "--root", small, "-o", "two", "--cache", "cache", "--json", "--seq-nms", "--radius", "1"
    )
    assert first.code == second.code == 0
    assert content(Path("cache")) == kept
    swept = run(
        "sweep", "--cache", "cache", "--dataset", "coco-video", "--root", small, "--radius", "1:2", "--json"
    )
    assert swept.code == 0
    report, row = json.loads(first.out), json.loads(swept.out)["settings"][3]
    assert (row["method"], row["radius"]) == ("propagation", 2)
    assert (row["mAP"], row["AP50"]) == (report["mAP"], report["coco"]["AP50"])
    exact = run("evaluate", *FEW, "--root", small, "-o", "exact", "--json")
    # What storage adds: docs/benchmarks.md.
    assert json.loads(exact.out)["mAP"] == pytest.approx(report["mAP"], abs=0.005)


def test_boxes_of_any_detector_are_cached_and_compared_without_loss(run: Run, small: Path) -> None:
    common = ("evaluate", *FEW, "--model", "nanodet-coco", "--root", small, "--json")
    exact = run(*common, "-o", "exact", "--method", "adaptive")
    cached = run(*common, "-o", "cached", "--method", "adaptive", "--cache", "cache")
    assert (exact.code, exact.err, cached.code, cached.err) == (0, "", 0, "")
    assert Path("exact/detections.txt").read_bytes() == Path("cached/detections.txt").read_bytes()
    assert exact.out == cached.out
    asked = ("--cache", "cache", "--dataset", "coco-video", "--root", small, "--json")
    compared = run("compare", *asked, "--resamples", "20")
    assert (compared.code, compared.err) == (0, "")
    rows = {row["method"]: row for row in json.loads(compared.out)["methods"]}
    assert rows["HP, adaptive"]["AP50"] == json.loads(exact.out)["coco"]["AP50"]
    other = run("evaluate", *FEW, "--root", small, "-o", "other", "--cache", "cache")
    assert other.code == 2
    assert "cache cache was made with model nanodet-coco, not mb3-coco" in other.err


def test_the_network_sees_images_of_the_input_size_that_is_asked_for(run: Run, street_image: ImageArray) -> None:
    detector = VideoDetector(
        backend="onnx",
        propagation=PropagationConfig.paper(),
        score_threshold=0.05,
        forget_at_cuts=False,
        input_size=320,
    )
    root = write_coco_video(Path("data"), street_image, (3,), detector.card.classes)
    sized = ("evaluate", *FEW, "--root", root, "-o", "out", "--input-size", "320")
    assert run(*sized).code == 0
    dataset = load_dataset("coco-video", root)
    table = read_detections("out/detections.txt", dataset)
    folder = Path(dataset.image_paths[0]).parent
    found = [detections for _, detections in detector.stream(folder)]
    streamed = DetectionTable.from_frames(list(enumerate(found)))
    assert len(streamed) == len(table) > 10
    np.testing.assert_array_equal(streamed.scores, table.scores)
    np.testing.assert_array_equal(streamed.boxes, table.boxes)
    assert run(*sized).err == "heatprop: 3 of 3 frames are finished already\n"
    done = run("evaluate", *FEW, "--root", root, "-o", "out")
    assert done.code == 2
    assert "out holds an evaluation with outputs.longest_side 320, not 512; give -o another" in done.err


def test_a_cache_is_of_one_input_size(run: Run, small: Path) -> None:
    common = ("evaluate", *FEW, "--root", small, "--cache", "cache", "--json")
    first = run(*common, "-o", "one", "--input-size", "320")
    assert first.code == 0
    kept = content(Path("cache"))
    for more, size in ((), 512), (("--input-size", "288"), 288):
        done = run(*common, "-o", "two", *more)
        assert (done.code, done.out) == (2, "")
        assert done.err.count("\n") == 1
        assert f"cache cache was made with longest side 320, not {size}; give another --cache" in done.err
    assert content(Path("cache")) == kept
    assert not Path("two").exists()
    swept = run("sweep", "--cache", "cache", "--dataset", "coco-video", "--root", small, "--json")
    assert swept.code == 0
    assert json.loads(swept.out)["settings"][-1]["mAP"] == json.loads(first.out)["mAP"]


def test_the_input_size_of_the_card_is_no_other_setting(run: Run, small: Path) -> None:
    run("evaluate", *FEW, "--root", small, "-o", "out", "--cache", "cache")
    before = content(Path())
    done = run("evaluate", *FEW, "--root", small, "-o", "out", "--cache", "cache", "--input-size", "512")
    assert done.code == 0
    assert content(Path()) == before


@pytest.mark.parametrize("cached", [False, True])
def test_five_kills_at_random_moments_change_nothing(long: Path, tmp_path: Path, cached: bool) -> None:
    def arguments(name: str) -> list[str]:
        cache = ["--cache", f"cache-{name}"] if cached else []
        return ["evaluate", *FEW, "--root", str(long), "-o", name, "--quiet", "--json", *cache]

    def finished() -> int:
        return sum(1 for _ in tmp_path.glob("killed/work/*.npz"))

    once = run_process(*arguments("once"), folder=tmp_path)
    assert (once.code, once.err) == (0, "")
    moments = random.Random(int(cached))
    for parts in (0, 1, 0, 1, 1):
        before = finished()
        process = subprocess.Popen(
            command(*arguments("killed")), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        while finished() < before + parts:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.3 if parts else 2.0))
        process.kill()
        _, said = process.communicate()
        assert (process.returncode, said) == (-signal.SIGKILL, b"")
    again = run_process(*arguments("killed"), folder=tmp_path)
    assert (again.code, again.err, again.out) == (0, "", once.out)
    assert content(tmp_path / "killed") == content(tmp_path / "once")


def test_two_runs_may_fill_one_cache_at_once(long: Path, tmp_path: Path) -> None:
    runs = [
        subprocess.Popen(
            command("evaluate", *FEW, "--root", long, "-o", name, "--cache", "cache", "--quiet", "--json"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in ("one", "two")
    ]
    (out, err), other = (process.communicate() for process in runs)
    assert [process.returncode for process in runs] == [0, 0]
    assert err == other[1] == b""
    assert json.loads(out) == json.loads(other[0])
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_what_is_finished(long: Path, tmp_path: Path, number: int) -> None:
    arguments = ["evaluate", *FEW, "--root", long, "-o", "out"]
    with subprocess.Popen(command(*arguments), cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not any(tmp_path.glob("out/work/*.npz")):
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == 128 + number
    assert said == "heatprop: interrupted; what is finished is kept: run the same command to go on\n"
    done = run_process(*arguments, folder=tmp_path)
    assert done.code == 0
    assert re.fullmatch(r"heatprop: \d+ of 265 frames are finished already\n", done.err)


def test_a_damaged_image_is_named_and_finished_work_kept(run: Run, street_image: ImageArray) -> None:
    root = write_coco_video(Path("data"), street_image, (3, 3))
    damaged = root / "clip-2" / "000001.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    done = run("evaluate", *FEW, "--root", root, "-o", "out")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "clip-2/000001.png: this image is cut off or damaged" in done.err
    assert sorted(path.name for path in Path("out/work").iterdir()) == ["000000-000.npz"]
    damaged.unlink()
    done = run("evaluate", *FEW, "--root", root, "-o", "out")
    assert done.code == 1
    assert "clip-2/000001.png: there is no such image, and 1 of 3 are missing in all" in done.err
    damaged.write_bytes(whole)
    done = run("evaluate", *FEW, "--root", root, "-o", "out")
    assert done.code == 0
    assert done.err == "heatprop: 3 of 6 frames are finished already\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of files")
@pytest.mark.parametrize("cached", [False, True])
def test_no_room_is_one_line_and_finished_work_is_kept(small: Path, tmp_path: Path, cached: bool) -> None:
    arguments = ["evaluate", *FEW, "--root", str(small), "-o", "out", *(["--cache", "cache"] if cached else [])]
    limited = run_process(*arguments, folder=tmp_path, largest_file=2500)
    assert limited.code == 1
    assert limited.err.count("\n") == 1
    assert "cannot write it (File too large)" in limited.err
    assert not list(tmp_path.rglob("*.part"))
    assert run_process(*arguments, folder=tmp_path).code == 0


def test_other_settings_in_the_same_folder_are_refused(run: Run, small: Path) -> None:
    run("evaluate", *FEW, "--root", small, "-o", "out")
    before = content(Path("out"))
    for more, said in [
        (("--alpha", "0.8"), "method.alpha 0.98, not 0.8"),
        (("--method", "network"), "method.method propagation, not network"),
        (("--method", "adaptive"), "method.method propagation, not adaptive"),
        (("--cache", "cache"), "outputs.floor None, not 0.01"),
        (("--seq-nms",), "method.seq_nms"),
        (("--input-size", "320"), "outputs.longest_side 512, not 320"),
    ]:
        done = run("evaluate", *FEW, "--root", small, "-o", "out", *more)
        assert done.code == 2
        assert said in done.err
        assert done.err.count("\n") == 1
    assert content(Path("out")) == before


def test_finished_work_is_refused_when_the_classes_of_the_dataset_changed(
    run: Run, street_image: ImageArray
) -> None:
    path = write_coco_video(Path("data"), street_image, (3,)) / "annotations.json"
    assert run("evaluate", *FEW, "--root", "data", "-o", "out").code == 0
    # Of a class that the model lacks nothing is kept, but it moves the numbers of those after it.
    annotations = json.loads(path.read_text())
    annotations["categories"].insert(0, {"id": 99, "name": "unicorn"})
    path.write_text(json.dumps(annotations))
    done = run("evaluate", *FEW, "--root", "data", "-o", "out")
    assert done.code == 2
    assert "out holds an evaluation with classes ['person', 'bicycle', 'car'], not ['unicorn'" in done.err


def test_classes_that_the_model_lacks_are_listed(run: Run, small: Path) -> None:
    text = (small / "annotations.json").read_text().replace('"bicycle"', '"red panda"')
    (small / "other.json").write_text(text)
    (small / "other.json").rename(Path("annotations.json"))
    for clip in ("clip-1", "clip-2"):
        Path(clip).symlink_to(small / clip)
    done = run("evaluate", *FEW, "--root", ".", "-o", "out")
    assert done.code == 0
    assert "mb3-coco has no class for 1 of the dataset's 3, nothing is found of them: red panda" in done.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--root", "nowhere"), "nowhere"),
        (("--root", "empty"), "at least one frame"),
        (("--root", "data", "--no-propagation", "--method", "interpolation"), "--no-propagation contradicts"),
        (("--root", "data", "--no-propagation", "--method", "adaptive"), "--no-propagation contradicts"),
        (("--root", "data", "--alpha", "2"), "alpha is 2"),
        (("--root", "data", "--score-threshold", "-1"), "score_threshold is -1"),
        (("--root", "data", "--cache", "c", "--score-threshold", "0.001"), "raise it, or lower --cache-floor"),
        (
            ("--root", "data", "--cache", "c", "--cache-floor", "2"),
            "--cache-floor is 2.0; it must be a number from 0 to 1",
        ),
        (("--root", "data", "--cache", "data"), "cache data holds something else"),
        (("--root", "data", "--cache", "data/annotations.json"), "annotations.json"),
        (("--root", "data", "--cache", "out"), "--cache out lies in the folder of -o, out"),
        (("--root", "data", "--cache", "out/cache"), "--cache out/cache lies in the folder of -o"),
        (("--root", "data", "-o", "data"), "data holds other files"),
        (("--root", "data", "-o", "data/annotations.json"), "annotations.json"),
        (("--root", "data", "--model", "nothing"), "model nothing"),
        (("--root", "data", "--metric", "voc"), "metric"),
        (("--root", "data", "--input-size", "300"), "input size is 300; for model mb3-coco it must be a multiple"),
        (("--root", "data", "--input-size", "0"), "input size is 0"),
        (("--root", "data", "--input-size", "half"), "--input-size is 'half'; it must be a whole number"),
    ],
)
def test_a_bad_request_is_one_line_and_leaves_nothing(
    run: Run, street_image: ImageArray, more: tuple[str, ...], said: str
) -> None:
    write_coco_video(Path("data"), street_image, (1,))
    Path("empty").mkdir()
    Path("empty/annotations.json").write_text(
        '{"videos":[],"images":[],"annotations":[],"categories":[{"id":1,"name":"car"}]}'
    )
    before = content(Path())
    done = run("evaluate", *FEW, *(() if "-o" in more else ("-o", "out")), *more)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert said in done.err
    assert content(Path()) == before
