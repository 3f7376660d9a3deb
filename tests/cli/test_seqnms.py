"""`heatprop detect --seq-nms`: find in the whole video, rescore, then write; what stays when it is stopped."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from cli.conftest import FRAMES, HEIGHT, WIDTH, Run, command, run_process, video_shape
from heatprop.cli.summary import Distinct
from heatprop.drawing import draw
from heatprop.io.results import read_results
from heatprop.offline.joining import join_tracks
from heatprop.offline.seqnms import seq_nms
from heatprop.propagation import PropagationConfig
from heatprop.runtime.detector import VideoDetector
from heatprop.runtime.keyframes import KeyframeConfig

ONNX = ("--backend", "onnx")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def numbered_images(clip: Path, folder: Path, count: int) -> Path:
    shots = folder / "shots"
    shots.mkdir()
    for index, image in enumerate(frames_of(clip)[:count]):
        cv2.imwrite(str(shots / f"{index}.png"), image[..., ::-1])
    return shots


@pytest.mark.parametrize("propagation", [PropagationConfig.adaptive(), None])
@pytest.mark.parametrize("threshold", [0.1, 0.02])
def test_the_detections_are_those_of_the_detector_rescored(
    run: Run, short_clip: Path, propagation: PropagationConfig | None, threshold: float
) -> None:
    options = () if propagation else ("--no-propagation",)
    shown = ("--score-threshold", str(threshold))
    done = run("detect", short_clip, *ONNX, "--seq-nms", *options, *shown, "--json", "found.jsonl")
    assert done.code == 0, done.err
    header, frames = read_results(Path("found.jsonl"))
    assert header.settings["seq_nms"] == {
        "link_iou": 0.5,
        "suppress_iou": 0.3,
        "rescoring": "mean",
        "min_path_score": 0.01,
    }
    assert header.settings["score_threshold"] == threshold
    detector = VideoDetector(propagation=propagation, backend="onnx", score_threshold=min(threshold, 0.05))
    rescored = seq_nms([found for _, found in detector.stream(short_clip)])
    wanted = [found.select(found.scores >= threshold) for found in rescored]
    frames = list(frames)
    assert sum(len(found) for _, _, found in frames) > FRAMES
    assert [index for index, _, _ in frames] == list(range(FRAMES))
    assert [at for _, at, _ in frames] == pytest.approx(np.arange(FRAMES) / 25)
    for (_, _, found), want in zip(frames, wanted, strict=True):
        np.testing.assert_allclose(found.scores, want.scores, atol=1e-4)
        np.testing.assert_allclose(found.boxes, want.boxes, atol=0.01)
        assert found.labels.tolist() == want.labels.tolist()
        assert found.lengths.tolist() == want.lengths.tolist()


@pytest.mark.parametrize("interval", [1, 3])
def test_tracks_of_an_object_are_joined_in_all_that_is_written_and_not_over_cuts(
    run: Run, demo_clip: Path, interval: int
) -> None:
    done = run(
        "detect", demo_clip, *ONNX, "--seq-nms", "--score-threshold", "0.2", "--keyframe-interval", str(interval),
        "--json", "found.jsonl", "-o", "out.mp4", "--draw-ids", "--least-frames", "1",
    )  # fmt: skip
    assert done.code == 0, done.err
    header, rows = read_results(Path("found.jsonl"))
    assert header.settings["joining"] == {"max_gap": 20, "min_iou": 0.1, "min_score": 0.0}
    written = [found.track_ids for _, _, found in rows]
    keyframes = KeyframeConfig(interval=interval)
    detector = VideoDetector(backend="onnx", score_threshold=0.05, keyframes=keyframes)
    results = list(detector.stream(demo_clip))
    shown = [each.select(each.scores >= 0.2) for each in seq_nms([result.detections for result in results])]
    shots = [place for place, result in enumerate(results) if result.starts_shot]
    joined = join_tracks(shown, shots=shots)
    assert [ids.tolist() for ids in written] == [found.track_ids.tolist() for found in joined]
    before, after = ({number for found in each for number in found.track_ids.tolist()} for each in (shown, joined))
    assert after < before
    assert len(shots) > 3
    for place in shots:
        assert not np.isin(np.concatenate(written[:place]), np.concatenate(written[place:])).any()
    objects = {pair for each in joined for pair in zip(each.track_ids.tolist(), each.labels.tolist(), strict=True)}
    distinct = Distinct(Counter(header.classes[label] for _, label in objects), 1)
    assert f"\n  distinct {distinct}\n" in done.err
    first = next(place for place, (one, other) in enumerate(zip(shown, joined, strict=True)) if other is not one)
    drawn, source = frames_of(Path("out.mp4"))[first], frames_of(demo_clip)[first]
    images = [
        draw(source, each[first], header.classes, mark_new=interval == 1, draw_ids=True)
        for each in (joined, shown)
    ]
    changed = (images[0] != images[1]).any(axis=2)
    right, wrong = (np.abs(drawn.astype(int) - image)[changed].mean() for image in images)
    assert right < 0.6 * wrong


def test_without_ids_nothing_is_joined(run: Run, short_clip: Path) -> None:
    options = ("--no-propagation", "--score-threshold", "0.1", "--json", "found.jsonl")
    assert run("detect", short_clip, *ONNX, "--seq-nms", *options).code == 0
    header, rows = read_results(Path("found.jsonl"))
    assert "joining" not in header.settings
    assert {number for _, _, found in rows for number in found.track_ids.tolist()} == {-1}


def test_the_video_is_drawn_with_the_new_scores_on_the_right_frames(run: Run, short_clip: Path) -> None:
    done = run(
        "detect",
        short_clip,
        *ONNX,
        "--seq-nms",
        "--score-threshold",
        "0.1",
        "-o",
        "out.mp4",
        "--json",
        "found.jsonl",
    )
    assert done.code == 0, done.err
    assert names(Path()) == ["found.jsonl", "out.mp4"]
    assert f"{FRAMES} frames" in done.err
    assert video_shape(Path("out.mp4")) == (FRAMES, WIDTH, HEIGHT)
    header, rows = read_results(Path("found.jsonl"))
    frames = zip(rows, frames_of(Path("out.mp4")), frames_of(short_clip), strict=True)
    objects = 0
    for (_, _, found), written, source in frames:
        wanted = draw(source, found, header.classes, mark_new=True)
        from_wanted, from_source = (np.abs(written.astype(int) - image).mean() for image in (wanted, source))
        assert from_wanted < 0.6 * from_source  # what is left is the encoder's
        objects += len(found)
    assert objects > FRAMES


def test_without_outputs_the_video_is_named_as_ever(run: Run, short_clip: Path) -> None:
    assert run("detect", short_clip, *ONNX, "--seq-nms", "--max-frames", "2").code == 0
    assert names(Path()) == ["street.heatprop.mp4"]


def test_max_frames_ends_both_passes(run: Run, short_clip: Path) -> None:
    done = run(
        "detect", short_clip, *ONNX, "--seq-nms", "--max-frames", "5", "-o", "out.mp4", "--json", "found.jsonl"
    )
    assert done.code == 0, done.err
    assert video_shape(Path("out.mp4"))[0] == 5
    assert len(Path("found.jsonl").read_text().splitlines()) == 7


def test_compare_shows_the_network_alone_beside_it(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--seq-nms", "--compare", "-o", "both.mp4")
    assert done.code == 0, done.err
    assert video_shape(Path("both.mp4")) == (FRAMES, 2 * WIDTH, HEIGHT)


def test_a_folder_of_images_is_rescored_too(run: Run, short_clip: Path, tmp_path: Path) -> None:
    shots = numbered_images(short_clip, tmp_path, 4)
    done = run("detect", shots, *ONNX, "--seq-nms", "-o", "out.mp4", "--json", "-")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 6
    assert video_shape(Path("out.mp4"))[0] == 4


def test_quiet_says_nothing(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--seq-nms", "--quiet", "-o", "out.mp4")
    assert (done.code, done.out, done.err) == (0, "", "")


# what cannot be rescored


def test_a_pipe_is_refused_before_anything_is_written(short_clip: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.ts"
    os.mkfifo(pipe)
    work = tmp_path / "work"
    work.mkdir()
    remux = (
        "import av, sys\n"
        "with av.open(sys.argv[1]) as source, av.open(sys.argv[2], 'w', format='mpegts') as target:\n"
        "    stream = target.add_stream_from_template(source.streams.video[0])\n"
        "    for packet in source.demux(video=0):\n"
        "        if packet.dts is not None:\n"
        "            packet.stream = stream\n"
        "            target.mux(packet)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", remux, str(short_clip), str(pipe)], stderr=subprocess.DEVNULL
    ) as feeder:
        done = run_process("detect", pipe, *ONNX, "--seq-nms", "--json", "found.jsonl", folder=work)
        feeder.kill()
    assert done.code == 2
    assert done.err == (
        "heatprop: error: --seq-nms needs the whole video, and pipe.ts is live; save it to a file first\n"
    )
    assert names(work) == []


def test_a_score_out_of_range_is_refused_as_without(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--seq-nms", "--score-threshold", "2")
    assert done.code == 2
    assert done.err.startswith("heatprop: error: score_threshold is 2")
    assert names(Path()) == []


# stopping


# Ctrl-C comes with the twentieth frame of the first pass.
INTERRUPTED_AT_20 = """
import os, signal, sys, time
from heatprop.cli import main
from heatprop.cli.progress import SourceProgress
from heatprop.interrupts import pending

advance, frames = SourceProgress.advance, []

def advancing(self):
    advance(self)
    frames.append(0)
    if len(frames) == 20:
        os.kill(os.getpid(), signal.SIGINT)
        while pending() is None:
            time.sleep(0.001)

SourceProgress.advance = advancing
clip, *outputs = sys.argv[1:]
sys.exit(main(["detect", clip, "--backend", "onnx", "--seq-nms", "--json", "found.jsonl", *outputs]))
"""


@pytest.mark.parametrize("outputs", [(), ("-o", "out.mp4")])
def test_an_interrupt_of_the_first_pass_keeps_what_was_found(
    demo_clip: Path, tmp_path: Path, outputs: tuple[str, ...]
) -> None:
    arguments = [sys.executable, "-W", "error", "-c", INTERRUPTED_AT_20, str(demo_clip), *outputs]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 130, done.stderr
    assert "what was finished is kept" in done.stderr
    assert ("drawing what was found so far" in done.stderr) == bool(outputs)
    assert "Traceback" not in done.stderr
    assert names(tmp_path) == ["found.jsonl", *(["out.mp4"] if outputs else [])]
    _, rows = read_results(tmp_path / "found.jsonl")
    assert [index for index, _, _ in rows] == list(range(20))
    if outputs:
        assert video_shape(tmp_path / "out.mp4")[0] == 20


def test_an_interrupt_while_drawing_keeps_the_frames_drawn(short_clip: Path, tmp_path: Path) -> None:
    # Ctrl-C comes with the fourth frame of the second pass.
    program = """
import os, signal, sys, time
from heatprop.cli import main
from heatprop.cli.detect_outputs import DetectOutputs
from heatprop.interrupts import pending

write = DetectOutputs.write

def writing(self, *arguments):
    write(self, *arguments)
    if self.frames == 4:
        os.kill(os.getpid(), signal.SIGINT)
        while pending() is None:
            time.sleep(0.001)

DetectOutputs.write = writing
sys.exit(main(["detect", sys.argv[1], "--backend", "onnx", "--seq-nms", "-o", "out.mp4", "--json", "found.jsonl"]))
"""
    arguments = [sys.executable, "-W", "error", "-c", program, str(short_clip)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 130, done.stderr
    assert "what was finished is kept" in done.stderr
    assert video_shape(tmp_path / "out.mp4")[0] == 4
    assert len((tmp_path / "found.jsonl").read_text().splitlines()) == 6


def test_an_interrupt_while_rescoring_loses_nothing(short_clip: Path, tmp_path: Path) -> None:
    program = """
import os, signal, sys
from heatprop.cli import detect_job, main

rescore = detect_job.seq_nms

def rescoring(found):
    os.kill(os.getpid(), signal.SIGINT)
    return rescore(found)

detect_job.seq_nms = rescoring
sys.exit(main(["detect", sys.argv[1], "--backend", "onnx", "--seq-nms", "-o", "out.mp4", "--json", "found.jsonl"]))
"""
    arguments = [sys.executable, "-W", "error", "-c", program, str(short_clip)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 130, done.stderr
    assert video_shape(tmp_path / "out.mp4")[0] == FRAMES
    assert len((tmp_path / "found.jsonl").read_text().splitlines()) == FRAMES + 2


@pytest.mark.parametrize("damaged", [["4.png", "5.png"], ["4.png"]])
def test_a_source_that_changes_between_the_passes_is_told_and_what_was_right_is_kept(
    short_clip: Path, tmp_path: Path, damaged: list[str]
) -> None:
    shots = numbered_images(short_clip, tmp_path, 6)
    work = tmp_path / "work"
    work.mkdir()
    program = """
import os, sys
from heatprop.cli import detect_job, main

rescore = detect_job.seq_nms

def rescoring(found):
    for name in sys.argv[2:]:
        open(os.path.join(sys.argv[1], name), "wb").close()
    return rescore(found)

detect_job.seq_nms = rescoring
sys.exit(main(["detect", sys.argv[1], "--backend", "onnx", "--seq-nms", "-o", "out.mp4", "--json", "found.jsonl"]))
"""
    arguments = [sys.executable, "-W", "error", "-c", program, str(shots), *damaged]
    done = subprocess.run(arguments, cwd=work, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "heatprop: error:" in done.stderr
    assert "shots: not the same as the first time from frame 4 on" in done.stderr
    assert "Traceback" not in done.stderr
    assert video_shape(work / "out.mp4")[0] == 4
    assert json.loads((work / "found.jsonl").read_text().splitlines()[-2])["frame"] == 3


def test_a_source_that_breaks_in_the_first_pass_is_told_and_the_frames_before_are_kept(
    short_clip: Path, tmp_path: Path
) -> None:
    shots = numbered_images(short_clip, tmp_path, 6)
    work = tmp_path / "work"
    work.mkdir()
    program = """
import sys
from heatprop.cli import main
from heatprop.errors import SourceError
from heatprop.io.images import ImageSource

frames = ImageSource._frames
passes = []

def breaking(self):
    passes.append(0)
    for frame in frames(self):
        if len(passes) == 1 and frame.index == 4:
            raise SourceError("shots: cannot be read on; is the disk well?")
        yield frame

ImageSource._frames = breaking
sys.exit(main(["detect", sys.argv[1], "--backend", "onnx", "--seq-nms", "-o", "out.mp4", "--json", "found.jsonl"]))
"""
    arguments = [sys.executable, "-W", "error", "-c", program, str(shots)]
    done = subprocess.run(arguments, cwd=work, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "heatprop: error: shots: cannot be read on; is the disk well?\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert video_shape(work / "out.mp4")[0] == 4
    assert len((work / "found.jsonl").read_text().splitlines()) == 6


def test_a_reader_that_leaves_ends_it_quietly(short_clip: Path, tmp_path: Path) -> None:
    arguments = command("detect", short_clip, *ONNX, "--seq-nms", "--json", "-")
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()  # the header, which comes before the first pass
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (0, "")
