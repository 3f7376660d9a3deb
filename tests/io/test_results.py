"""Detections written as JSON Lines come back; what is in the file is whole lines, whatever happens."""

import json
import math
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError, OutputError, OutputExistsError
from heatprop.io.outputs import OutputFile
from heatprop.io.results import Completeness, ResultsError, ResultsHeader, ResultsWriter, read_results
from heatprop.types import Detections

CLASSES = ["person", "bicycle", "Straßenbahn"]
HEADER = ResultsHeader("tiny", CLASSES, source={"name": "street.mp4", "width": 640})
TWO = Detections([[1, 2, 3.126, 4], [5, 6, 7, 8]], [0.87654, 0.5], [0, 2], [4, 1])


def strict_lines(path: Path) -> list[dict[str, object]]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not strict JSON")

    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


coordinates = st.floats(-1e4, 1e4, width=32)


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    count = draw(st.integers(0, 5))

    def rows(strategy: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(strategy, min_size=count, max_size=count))

    return Detections(
        rows(st.tuples(coordinates, coordinates, coordinates, coordinates)),
        rows(st.floats(0, 1, width=32)),
        rows(st.integers(0, 2)),
        rows(st.integers(1, 10**6)),
        draw(st.lists(st.integers(0, 10**9), min_size=count, max_size=count, unique=True) | st.just([-1] * count)),
    )


@given(frames=st.lists(st.tuples(st.floats(0, 1e6), detections()), max_size=4))
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, frames: list[tuple[float, Detections]]
) -> None:
    path = tmp_path_factory.mktemp("results") / "found.jsonl"
    with ResultsWriter(path, HEADER) as writer:
        for index, (time, found) in enumerate(frames):
            writer.write(index, time, found)
    header, back = read_results(path)
    assert header == HEADER
    back = list(back)
    assert [index for index, _, _ in back] == list(range(len(frames)))
    for (_, time, found), (time_before, before) in zip(back, frames, strict=True):
        assert math.isclose(time, time_before, abs_tol=1e-6)
        np.testing.assert_allclose(found.boxes, before.boxes, atol=0.0051, rtol=1e-6)
        np.testing.assert_allclose(found.scores, before.scores, atol=0.000051)
        np.testing.assert_array_equal(found.labels, before.labels)
        np.testing.assert_array_equal(found.lengths, before.lengths)
        np.testing.assert_array_equal(found.track_ids, before.track_ids)


def test_the_lines_hold_what_the_format_says(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "found.jsonl", HEADER) as writer:
        writer.write(7, 0.28, TWO)
    header, frame, end = strict_lines(tmp_path / "found.jsonl")
    assert list(header) == [
        "format", "version", "heatprop", "source", "model", "classes", "settings", "versions"
    ]  # fmt: skip
    assert header["format"] == "heatprop-detections"
    assert header["version"] == 2
    assert {"python", "numpy", "av"} <= set(header["versions"])
    assert frame == {
        "frame": 7,
        "time": 0.28,
        "boxes": [[1.0, 2.0, 3.13, 4.0], [5.0, 6.0, 7.0, 8.0]],
        "scores": [0.8765, 0.5],
        "labels": [0, 2],
        "names": ["person", "Straßenbahn"],
        "lengths": [4, 1],
        "ids": [-1, -1],
    }
    assert end == {"end": {"frames": 1, "complete": True}}


def test_infinity_and_dataclasses_in_the_settings_are_strict_json(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Settings:
        beta: float = math.inf
        radius: int = 2

    header = ResultsHeader("tiny", CLASSES, settings={"propagation": Settings(), "off": None, "n": np.int64(3)})
    ResultsWriter(tmp_path / "found.jsonl", header).close()
    line, _ = strict_lines(tmp_path / "found.jsonl")
    assert line["settings"] == {"propagation": {"beta": "inf", "radius": 2}, "off": None, "n": 3}
    assert float(line["settings"]["propagation"]["beta"]) == math.inf


def test_the_file_has_its_name_only_after_close(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    writer = ResultsWriter(path, HEADER)
    writer.write(0, 0.0, TWO)
    assert not path.exists()
    writer.close()
    writer.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["found.jsonl"]
    with pytest.raises(OutputError, match="closed"):
        writer.write(1, 0.1, TWO)


def test_discard_leaves_nothing(tmp_path: Path) -> None:
    writer = ResultsWriter(tmp_path / "found.jsonl", HEADER)
    writer.discard()
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_keeps_what_was_written(tmp_path: Path) -> None:
    def interrupted() -> None:
        with ResultsWriter(tmp_path / "found.jsonl", HEADER) as writer:
            writer.write(0, 0.0, TWO)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert strict_lines(tmp_path / "found.jsonl")[2:] == [{"end": {"frames": 1, "complete": False}}]
    _, frames = read_results(tmp_path / "found.jsonl")
    assert frames.completeness is Completeness.UNFINISHED
    assert len(list(frames)) == 1


def test_a_claimed_output_is_used(tmp_path: Path) -> None:
    claimed = OutputFile(tmp_path / "found.jsonl")
    with ResultsWriter(claimed, HEADER) as writer:
        writer.write(0, 0.0, TWO)
    assert len(strict_lines(tmp_path / "found.jsonl")) == 3


def test_an_existing_file_is_kept_unless_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    path.write_text("mine")
    with pytest.raises(OutputExistsError):
        ResultsWriter(path, HEADER)
    assert path.read_text() == "mine"
    ResultsWriter(path, HEADER, overwrite=True).close()
    assert len(strict_lines(path)) == 2


def test_standard_output_gets_each_line_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    writer = ResultsWriter("-", HEADER)
    assert json.loads(capsys.readouterr().out)["model"] == "tiny"
    writer.write(0, 0.0, TWO)
    assert json.loads(capsys.readouterr().out)["frame"] == 0
    writer.close()
    writer.close()
    assert json.loads(capsys.readouterr().out) == {"end": {"frames": 1, "complete": True}}


def test_a_killed_writer_leaves_whole_lines_beside_the_name(tmp_path: Path) -> None:
    program = f"""
import itertools
from heatprop.io.results import ResultsHeader, ResultsWriter
from heatprop.types import Detections
writer = ResultsWriter({str(tmp_path / "found.jsonl")!r}, ResultsHeader("tiny", ["cat"]))
for index in itertools.count():
    writer.write(index, index / 25, Detections([[1, 2, 3, 4]] * 50, [0.5] * 50, [0] * 50))
    if index == 20:
        print("far enough", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [entry.name for entry in tmp_path.iterdir()] == ["found.part.jsonl"]
    lines = strict_lines(tmp_path / "found.part.jsonl")
    assert [line["frame"] for line in lines[1:]] == list(range(len(lines) - 1))
    assert len(lines) >= 22


def test_a_full_disk_keeps_the_lines_before(tmp_path: Path) -> None:
    writer = ResultsWriter(tmp_path / "found.jsonl", HEADER)
    writer.write(0, 0.0, TWO)
    size = (tmp_path / "found.part.jsonl").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
        with pytest.raises(OutputError, match=r"found\.jsonl: cannot write"):
            writer.write(1, 0.04, TWO)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    writer.close()
    _, frame, end = strict_lines(tmp_path / "found.jsonl")
    assert frame["frame"] == 0
    assert end == {"end": {"frames": 1, "complete": False}}


OTHER_LABEL = Detections([[1, 2, 3, 4]], [0.5], [3])


@pytest.mark.parametrize(
    ("index", "time", "found", "message"),
    [
        (8, 0.1, OTHER_LABEL, "labels 3 to 3 .* 3 classes"),
        (8, math.inf, TWO, "frame 8: its time is inf"),
        (8, math.nan, TWO, "frame 8: its time is nan"),
        (7, 0.1, TWO, "frame 7 after frame 7; write frames once each"),
        (6, 0.1, TWO, "frame 6 after frame 7; write frames once each"),
    ],
)
def test_what_no_file_may_hold_is_not_written(
    tmp_path: Path, index: int, time: float, found: Detections, message: str
) -> None:
    writer = ResultsWriter(tmp_path / "found.jsonl", HEADER)
    writer.write(7, 0.0, TWO)
    with pytest.raises(InvalidArrayError, match=message):
        writer.write(index, time, found)
    writer.close()
    assert strict_lines(tmp_path / "found.jsonl")[2:] == [{"end": {"frames": 1, "complete": False}}]


TIMES = (
    ('"x"', "'x'"),
    ("NaN", "nan"),
    ("1e999", "inf"),
    ("-Infinity", "-inf"),
    ("true", "True"),
    ("1" * 400, "1+"),
)
FRAMES = (("1.0", "1.0"), ("NaN", "nan"), ("true", "True"), ("null", "None"), ('"1"', "'1'"))
GOOD = '{"frame":1,"time":0.0,"boxes":[[1,2,3,4]],"scores":[0.5],"labels":[0],"names":["person"],"lengths":[1]}'

PAIR = GOOD.replace("[[1,2,3,4]]", "[[1,2,3,4],[5,6,7,8]]").replace("[0.5]", "[0.5,0.4]").replace("[0]", "[0,0]")
PAIR = PAIR.replace('"lengths":[1]', '"lengths":[1,1]')


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "damaged or cut short"),
        ("[]\n", "damaged or cut short"),
        ("[" * 100_000 + "\n", "damaged or cut short"),
        ("\xff\n", "damaged or cut short"),
        (GOOD, "damaged or cut short"),
        (GOOD.replace('"time":0.0,', "") + "\n", "'time' is missing"),
        *(
            (GOOD.replace('"time":0.0', f'"time":{time}') + "\n", f"'time' is {said}; it must be a finite")
            for time, said in TIMES
        ),
        *(
            (GOOD.replace('"frame":1', f'"frame":{frame}') + "\n", f"'frame' is {said}; it must be a whole")
            for frame, said in FRAMES
        ),
        (GOOD.replace('"frame":1', '"frame":0') + "\n", "frame 0 where one after 0 is wanted"),
        (GOOD.replace('"frame":1', '"frame":-1') + "\n", "frame -1 where one after 0 is wanted"),
        (GOOD.replace("[0.5]", "[NaN]") + "\n", r"scores\[0\] is nan; pass finite numbers"),
        (GOOD.replace("[0.5]", "[-1e999]") + "\n", r"scores\[0\] is -inf; pass finite numbers"),
        (GOOD.replace("[1,2,3,4]", "[1,2,Infinity,4]") + "\n", r"boxes\[0\] is \[1.0, 2.0, inf, 4.0\]; pass"),
        (GOOD.replace("[1,2,3,4]", "[1,2,3]") + "\n", "boxes has shape"),
        (GOOD.replace("[0.5]", "[0.5,0.4]") + "\n", "boxes has shape"),
        (GOOD.replace("[[1,2,3,4]]", '"x"') + "\n", "boxes"),
        (GOOD.replace('"labels":[0]', '"labels":[3]') + "\n", "3 classes"),
        (GOOD.replace("}", ',"ids":[-2]}') + "\n", r"ids are \[-2\]; they are whole numbers from 0, each once"),
        (GOOD.replace("}", ',"ids":[0.5]}') + "\n", "not whole"),
        (GOOD.replace("}", ',"ids":[1,2]}') + "\n", "track_ids has shape"),
        (PAIR.replace("}", ',"ids":[7,7]}') + "\n", r"ids are \[7, 7\]; they are whole numbers from 0, each once"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "found.jsonl"
    # Of version 1, which has no end that could say that a file is cut short.
    header = json.dumps({**HEADER.to_json(), "version": 1}) + "\n"
    first = GOOD.replace('"frame":1', '"frame":0') + "\n"
    path.write_bytes(header.encode() + first.encode() + line.encode("latin-1"))
    _, frames = read_results(path)
    assert next(frames)[0] == 0
    with pytest.raises(ResultsError, match=rf"found\.jsonl, line 3: .*{message}") as caught:
        next(frames)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("", "line 1"),
        ("text\n", "line 1"),
        ("{}\n", "line 1: no header"),
        ('{"format":"heatprop-detections","version":3}\n', "version 3 .* reads 1 and 2"),
        ('{"format":"heatprop-detections","version":1,"model":"m"}\n', "'heatprop' is missing"),
    ],
)
def test_a_damaged_header_is_named(tmp_path: Path, first: str, message: str) -> None:
    path = tmp_path / "found.jsonl"
    path.write_text(first)
    with pytest.raises(ResultsError, match=message):
        read_results(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"gone\.jsonl: cannot read"):
        read_results(tmp_path / "gone.jsonl")


# Whether all is there


@given(frames=st.lists(detections(), max_size=3), cut=st.integers(0, 400), complete=st.booleans())
def test_a_file_that_was_cut_anywhere_gives_its_whole_lines_and_is_unfinished(
    tmp_path_factory: pytest.TempPathFactory, frames: list[Detections], cut: int, complete: bool
) -> None:
    path = tmp_path_factory.mktemp("results") / "found.jsonl"
    writer = ResultsWriter(path, HEADER)
    for index, found in enumerate(frames):
        writer.write(index, index / 25, found)
    writer.close(complete=complete)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    path.write_bytes(whole[: max(first, len(whole) - cut)])
    is_whole = cut == 0 or len(whole) == first
    header, back = read_results(path)
    assert header == HEADER
    assert back.completeness is (Completeness.COMPLETE if is_whole and complete else Completeness.UNFINISHED)
    lines = path.read_bytes().split(b"\n")[1:-1]
    assert [index for index, _, _ in back] == list(range(sum(b'"frame"' in line for line in lines)))


def test_the_first_version_is_read_and_does_not_say_whether_it_is_complete(tmp_path: Path) -> None:
    header = {**HEADER.to_json(), "version": 1}
    (tmp_path / "old.jsonl").write_text(f"{json.dumps(header)}\n{GOOD}\n")
    header, frames = read_results(tmp_path / "old.jsonl")
    assert (header.model, header.version) == ("tiny", 1)
    assert frames.completeness is Completeness.UNKNOWN
    assert [index for index, _, _ in frames] == [1]


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ('{"end":{"frames":2,"complete":true}}\n', "line 3: it says 2 frames, and 1 are there"),
        ('{"end":{"frames":1,"complete":true}}\n' + GOOD + "\n", "line 4: there is more after the end"),
        ('{"end":{"frames":"x"}}\n', "line 3: 'frame' is missing"),
    ],
)
def test_an_end_that_does_not_fit_is_named(tmp_path: Path, rest: str, message: str) -> None:
    path = tmp_path / "found.jsonl"
    path.write_text(f"{json.dumps(HEADER.to_json())}\n{GOOD}\n{rest}")
    _, frames = read_results(path)
    with pytest.raises(ResultsError, match=message):
        list(frames)
