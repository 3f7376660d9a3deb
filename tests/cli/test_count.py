"""`heatprop count` on small videos in which it is known who walks where."""

import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from block_videos import HEIGHT, WIDTH, write_block_detector, write_blocks
from cli.conftest import Run, command, run_process, silent_pipe, video_shape
from heatprop.io.claims import claim_file
from heatprop.io.completeness import Completeness, state_of
from paced_source import Paced

FRAMES = 61
LINE = ("--line", f"door=80,{HEIGHT},80,0")  # walked upwards: right is right
ZONE = ("--zone", "left half=0,0,50%,0,50%,100%,0,100%")


@pytest.fixture(scope="session")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Return what every command needs to see blocks."""
    path = write_block_detector(tmp_path_factory.mktemp("model") / "blocks.onnx")
    return ("--model", str(path), "--backend", "onnx")


@pytest.fixture(scope="session")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video: one person walks to the right, one to the left half of the way, and a car to the left."""
    steps = range(FRAMES)
    to_the_right = [(20 + 2 * step, 30) for step in steps]
    stays_right = [(150 - step, 60) for step in steps]
    car = [(140 - 2 * step, 90) for step in steps]
    path = tmp_path_factory.mktemp("walks") / "walks.mp4"
    return write_blocks(path, {"person": [to_the_right, stays_right], "car": [car]})


def table_of(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_says_who_crossed_and_who_is_where(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    done = run("count", walks, *blocks, *LINE, *ZONE)
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()] == [
        ["all", "by", "class"],
        ["different", "objects", "3", "2", "person,", "1", "car"],
        ["door:", "left", "to", "right", "1", "1", "person"],
        ["door:", "right", "to", "left", "1", "1", "car"],
        ["left", "half:", "different", "objects", "2", "1", "car,", "1", "person"],
        ["left", "half:", "in", "it", "at", "the", "end", "1", "1", "car"],
        ["left", "half:", "at", "most", "at", "once", "2"],
        ["left", "half:", "on", "average", "1.0"],
        ["Different", "objects", "are", "those", "seen", "in", "at", "least", "5", "frames."],
    ]
    assert f"{FRAMES} frames" in done.err
    assert list(Path().iterdir()) == []


def test_a_line_drawn_the_other_way_round_counts_the_other_way(
    run: Run, walks: Path, blocks: tuple[str, ...]
) -> None:
    done = run("count", walks, *blocks, "--line", f"80,0,80,{HEIGHT}", "--json", "--quiet")
    assert (done.code, done.err) == (0, "")
    numbers = json.loads(done.out)
    assert (numbers["source"], numbers["complete"], numbers["frames"]) == ("walks.mp4", True, FRAMES)
    assert numbers["objects"] == {"all": 3, "by_class": {"person": 2, "car": 1}}
    (line,) = numbers["lines"]
    assert (line["name"], line["points"]) == ("line 1", [[80, 0], [80, HEIGHT]])
    assert line["left_to_right"] == {"all": 1, "by_class": {"car": 1}}
    assert line["right_to_left"] == {"all": 1, "by_class": {"person": 1}}


def test_rows_add_up_and_end_where_the_table_does(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    done = run("count", walks, *blocks, *LINE, *ZONE, "--csv", "out.csv", "--json")
    numbers = json.loads(done.out)
    assert "wrote    out.csv" in done.err
    *rows, end = table_of("out.csv")
    assert (end["what"], end["name"], end["count"]) == ("end", "complete", str(FRAMES))
    assert {int(row["frame"]) for row in rows} == set(range(FRAMES))
    sums: Counter[tuple[str, ...]] = Counter()
    totals = {}
    for row in rows:
        assert float(row["time"]) == pytest.approx(int(row["frame"]) / 25)
        key = row["frame"], row["what"], row["name"], row["direction"]
        if row["class"] == "all":
            totals[key] = int(row["count"])
        else:
            sums[key] += int(row["count"])
    assert totals == {key: sums[key] for key in totals}
    assert len(totals) == FRAMES * 4
    last = {key[1:]: total for key, total in totals.items() if key[0] == str(FRAMES - 1)}
    assert last == {
        ("objects", "", ""): numbers["objects"]["all"],
        ("line", "door", "left to right"): numbers["lines"][0]["left_to_right"]["all"],
        ("line", "door", "right to left"): numbers["lines"][0]["right_to_left"]["all"],
        ("zone", "left half", ""): numbers["zones"][0]["inside_at_end"]["all"],
    }
    crossings = [
        int(row["count"]) for row in rows if row["direction"] == "left to right" and row["class"] == "all"
    ]
    # It stands at 80 in frame 30, and is clear of the line when it is 2 pixels on.
    assert crossings == sorted(crossings)
    assert crossings.index(1) in (31, 32)
    occupied = [int(row["count"]) for row in rows if row["what"] == "zone" and row["class"] == "all"]
    assert max(occupied) == numbers["zones"][0]["most"]
    assert np.mean(occupied) == pytest.approx(numbers["zones"][0]["mean"], abs=1e-4)


def test_pandas_and_spreadsheets_read_it(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    """That is: one head, as many fields in each row, numbers where numbers should be."""
    assert run("count", walks, *blocks, "--line", 'a "b", c=80,96,80,0', "--csv", "out.csv").code == 0
    with Path("out.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["frame", "time", "what", "name", "direction", "class", "count"]
    assert {len(row) for row in rows} == {7}
    assert {row[3] for row in rows if row[2] == "line"} == {'a "b", c'}
    assert all(row[0].isdigit() and row[6].isdigit() and float(row[1]) >= 0 for row in rows)


def test_the_video_shows_lines_zones_and_ids(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    assert run("count", walks, *blocks, *LINE, *ZONE, "-o", "counted.mp4").code == 0
    assert run("detect", walks, *blocks, "--draw-ids", "-o", "detected.mp4").code == 0
    assert video_shape(Path("counted.mp4")) == (FRAMES, WIDTH, HEIGHT)
    with av.open("counted.mp4") as counted, av.open("detected.mp4") as detected:
        pairs = zip(counted.decode(video=0), detected.decode(video=0), strict=True)
        one, other = next((a.to_ndarray(format="rgb24"), b.to_ndarray(format="rgb24")) for a, b in pairs)
    changed = np.abs(one.astype(int) - other).max(axis=2) > 60
    assert changed[70:, 80].all()  # the line
    assert changed[HEIGHT - 2, 2:78].mean() > 0.9  # the lower side of the zone
    assert not changed[70:90, 90:].any()
    settings = state_of("counted.mp4").header.settings
    assert settings["counted"] == {
        "door": [[80, HEIGHT], [80, 0]],
        "left half": [[0, 0], [80, 0], [80, HEIGHT], [0, HEIGHT]],
    }
    assert settings["draw_ids"] is True


def test_a_folder_of_images_is_counted_as_its_video_is(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    Path("shots").mkdir()
    with av.open(str(walks)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            frame.to_image().save(f"shots/{number:03}.png")
    folder, file = (
        json.loads(run("count", each, *blocks, *LINE, *ZONE, "--json").out) for each in ("shots", walks)
    )
    assert folder["source"] == "shots"
    assert folder["lines"] == file["lines"]
    assert folder["objects"] == file["objects"]


def test_max_frames_and_least_frames(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    few = ("--max-frames", "8", "--json", "--quiet")
    numbers = json.loads(run("count", walks, *blocks, *few, "--least-frames", "8").out)
    assert (numbers["frames"], numbers["complete"], numbers["least_frames"]) == (8, True, 8)
    assert numbers["objects"]["all"] == 3
    assert json.loads(run("count", walks, *blocks, *few, "--least-frames", "9").out)["objects"]["all"] == 0


def test_the_centre_may_stand_for_an_object(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    """The first person walks at 30, its centre at 18."""
    above = ("--zone", "0,0,160,0,160,24,0,24", "--json", "--quiet")
    bottom, centre = (
        json.loads(run("count", walks, *blocks, *above, "--anchor", anchor).out)["zones"][0]["most"]
        for anchor in ("bottom", "centre")
    )
    assert (bottom, centre) == (0, 1)


def test_no_output_is_replaced_unless_asked_for(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    Path("out.csv").write_text("precious")
    done = run("count", walks, *blocks, "--csv", "out.csv")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "out.csv exists already; choose another name or add --overwrite" in done.err
    assert Path("out.csv").read_text() == "precious"
    assert run("count", walks, *blocks, "--csv", "out.csv", "--overwrite").code == 0
    assert state_of("out.csv").completeness is Completeness.COMPLETE
    done = run("count", walks, *blocks, "--csv", "out.csv", "-o", "out.csv", "--overwrite")
    assert done.code == 2
    assert "out.csv is asked for twice" in done.err


def test_ctrl_c_keeps_the_rows_so_far_and_says_the_numbers(
    walks: Path, blocks: tuple[str, ...], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    outputs = ("--csv", "out.csv", "-o", "out.mp4")
    with silent_pipe(tmp_path / "pipe.ts", walks) as pipe:
        process = subprocess.Popen(
            command("count", pipe, *blocks, *LINE, *outputs, "--json"),
            cwd=work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        growing = work / "out.part.csv"
        while process.poll() is None and not (growing.exists() and b"\n20," in growing.read_bytes()):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert sorted(os.listdir(work)) == ["out.csv", "out.mp4"]
    numbers = json.loads(out)
    assert numbers["complete"] is False
    assert 20 < numbers["frames"] <= FRAMES
    end = table_of(work / "out.csv")[-1]
    assert (end["what"], end["name"], int(end["count"])) == ("end", "unfinished", numbers["frames"])
    assert [state_of(work / name).completeness for name in ("out.csv", "out.mp4")] == [Completeness.UNFINISHED] * 2
    assert video_shape(work / "out.mp4")[0] == numbers["frames"]
    assert "interrupted" in err


def test_a_camera_is_counted_until_enough_frames_came(
    run: Run, monkeypatch: pytest.MonkeyPatch, blocks: tuple[str, ...]
) -> None:
    camera = Paced(None, (HEIGHT, WIDTH), is_live=True)
    monkeypatch.setattr("heatprop.cli.detect_request.open_video", lambda *_, **__: camera)
    done = run("count", "camera:0", *blocks, *LINE, *ZONE, "--csv", "out.csv", "--max-frames", "20", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert camera.closed.is_set()
    assert "door: left to right" in done.out
    end = table_of("out.csv")[-1]
    assert (end["name"], end["count"]) == ("complete", "20")


def test_what_is_unfinished_is_not_replaced_in_silence(run: Run, walks: Path, blocks: tuple[str, ...]) -> None:
    done = run("count", walks, *blocks, "--csv", "out.csv")
    whole = Path("out.csv").read_text()
    Path("out.csv").write_text(whole.replace(",end,complete,", ",end,unfinished,"))
    done = run("count", walks, *blocks, "--csv", "out.csv")
    assert done.code == 2
    assert f"out.csv exists already and is unfinished ({FRAMES} frames); add --overwrite" in done.err
    assert "--resume" not in done.err
    Path("out.part.csv").write_text(whole[: len(whole) // 2])
    done = run("count", walks, *blocks, "--csv", "out.csv", "--overwrite")
    assert done.code == 0
    assert "out.part.csv" in done.err
    assert "--resume" not in done.err


def test_a_full_disk_ends_it_with_whole_rows(walks: Path, blocks: tuple[str, ...], tmp_path: Path) -> None:
    done = run_process(
        "count", walks, *blocks, *LINE, "--csv", "out.csv", "--json", folder=tmp_path, largest_file=4000
    )
    assert done.code == 1, done.err
    assert "out.csv" in done.err
    assert "cannot write" in done.err
    assert "Traceback" not in done.err
    rows = table_of(tmp_path / "out.csv")
    assert all(row["count"] for row in rows)
    assert state_of(tmp_path / "out.csv").completeness is Completeness.UNFINISHED
    assert json.loads(done.out)["complete"] is False


def test_two_runs_do_not_write_one_table(walks: Path, blocks: tuple[str, ...], tmp_path: Path) -> None:
    with claim_file(tmp_path / "out.csv"):
        done = run_process("count", walks, *blocks, "--csv", "out.csv", folder=tmp_path)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "out.csv" in done.err
    assert not (tmp_path / "out.csv").exists()


def test_a_closed_pipe_on_standard_output_is_no_failure(
    walks: Path, blocks: tuple[str, ...], tmp_path: Path
) -> None:
    line = " ".join([*map(str, command("count", walks, *blocks, "--json", "--quiet")), "| true"])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_real_clip_gives_what_the_counters_give(run: Run, short_clip: Path) -> None:
    from heatprop import VideoDetector
    from heatprop.counting import LineCounter, ObjectCounter, ZoneCounter

    done = run(
        "count", short_clip, "--backend", "onnx", "--score-threshold", "0.1", "--json", "--quiet",
        "--line", "160,136,160,0", "--zone", "0,0,160,0,160,136,0,136",
    )  # fmt: skip
    numbers = json.loads(done.out)
    objects, line = ObjectCounter(), LineCounter((160, 136), (160, 0))
    zone = ZoneCounter([(0, 0), (160, 0), (160, 136), (0, 136)])
    detector = VideoDetector(backend="onnx", score_threshold=0.1)
    for _, detections in detector.stream(short_clip):
        for counter in (objects, line, zone):
            counter.update(detections)
    assert numbers["objects"]["all"] == objects.total > 0
    assert numbers["lines"][0]["left_to_right"]["all"] == sum(line.left_to_right.values())
    assert (numbers["zones"][0]["most"], numbers["zones"][0]["objects"]["all"]) == (zone.most, zone.objects.total)
