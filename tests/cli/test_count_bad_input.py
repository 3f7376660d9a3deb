"""What `heatprop count` refuses: one line that says what to do, exit code 2, and nothing written."""

from pathlib import Path

import pytest

from cli.conftest import HEIGHT, WIDTH, Run
from small_videos import build_video, turn_video

ONNX = ("--backend", "onnx")
CASES = {
    "three numbers": (["--line", "1,2,3"], "--line 1,2,3 has 3 numbers; write x1,y1,x2,y2"),
    "five numbers": (["--line", "1,2,3,4,5"], "has 5 numbers"),
    "no number": (["--line", "1,2,x,4"], "has 'x' for a number; write x1,y1,x2,y2"),
    "an empty number": (["--line", "1,2,,4"], "has '' for a number"),
    "nan": (["--line", "1,2,nan,4"], "has 'nan' for a number"),
    "inf": (["--line", "1,2,inf,4"], "has 'inf' for a number"),
    "inf of a share": (["--line", "1,2,inf%,4"], "has 'inf%' for a number"),
    "a line of no length": (["--line", "door=7,7,7,7"], "--line door: the line begins and ends at 7,7"),
    "a line outside": (
        ["--line", "door=0,0,9999,5"],
        f"--line door has the point 9999,5, which lies outside of the frame, {WIDTH}x{HEIGHT}",
    ),
    "a share outside": (["--line", "0,0,101%,50%"], "lies outside of the frame"),
    "below 0": (["--line", "door=-1,0,10,5"], "door has the point -1,0, which lies outside"),
    "two points of a zone": (["--zone", "1,2,3,4"], "has 4 numbers; write x1,y1,x2,y2,x3,y3 or more"),
    "an odd number": (["--zone", "1,2,3,4,5,6,7"], "has 7 numbers"),
    "a zone that crosses itself": (["--zone", "bow=0,0,9,9,9,0,0,9"], "--zone bow: the zone crosses itself: "),
    "a zone of no area": (["--zone", "0,0,9,9,5,5"], "crosses itself"),
    "a point twice": (["--zone", "0,0,0,0,9,9,0,9"], "has the point 0,0 twice in a row"),
    "a zone outside": (["--zone", "0,0,9,9,0,900"], "--zone zone 1 has the point 0,900, which lies outside"),
    "one name twice": (["--line", "a=1,2,3,4", "--zone", "a=0,0,9,0,9,9"], "two lines or zones are called 'a'"),
    "a name that is given": (["--line", "line 2=1,2,3,4", "--line", "1,2,3,4"], "called 'line 2'"),
    "no name before =": (["--line", "=1,2,3,4"], "has no name before =; write NAME=x1,y1,x2,y2"),
    "a name of two lines": (["--line", "a\nb=1,2,3,4"], "has no name before ="),
    "no value": (["--line"], "--line needs a value"),
    "no propagation": (["--no-propagation"], "has no option --no-propagation"),
    "an anchor there is not": (["--anchor", "top"], "--anchor is 'top'; it must be bottom or centre"),
    "least frames": (["--least-frames", "0"], "--least-frames is 0"),
    "max frames": (["--max-frames", "0"], "--max-frames is 0"),
    "a threshold": (["--score-threshold", "2"], "score_threshold is 2"),
    "a pipe that is none": (["--csv", "/dev/stdout"], "/dev/stdout"),
    "no folder": (["--csv", "nowhere/out.csv"], "there is no folder nowhere"),
    "the source": (["--csv", "CLIP", "--overwrite"], "is the source itself"),
}


@pytest.mark.parametrize(("options", "message"), CASES.values(), ids=CASES.keys())
def test_one_line_exit_code_2_and_nothing_written(
    run: Run, short_clip: Path, options: list[str], message: str
) -> None:
    given = [str(short_clip) if option == "CLIP" else option for option in options]
    outputs = [] if "--csv" in options else ["--csv", "out.csv", "-o", "out.mp4"]
    before = short_clip.read_bytes()
    done = run("count", short_clip, *ONNX, *outputs, *given)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
    assert message in done.err
    assert done.err.startswith("heatprop: error: ")
    assert list(Path().iterdir()) == []
    assert short_clip.read_bytes() == before


def test_a_source_that_is_not_there_and_one_that_is_several(run: Run, short_clip: Path) -> None:
    done = run("count", "gone.mp4")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "gone.mp4" in done.err
    Path("films").mkdir()
    for name in ("a.mp4", "b.mp4"):
        Path("films", name).write_bytes(short_clip.read_bytes())
    done = run("count", "films")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "films is 2 videos, and lines and zones are of one; count in each of them" in done.err
    done = run("count")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "missing from heatprop count: SOURCE" in done.err


def test_coordinates_are_those_of_the_upright_frame(run: Run, tmp_path: Path) -> None:
    """Which is 48 pixels wide and 64 high, once it is turned."""
    clip = turn_video(build_video(tmp_path / "turned.mp4", 3), 90)
    small = ("--input-size", "64", "--quiet")
    assert run("count", clip, *ONNX, *small, "--line", "0,60,48,60").code == 0
    done = run("count", clip, *ONNX, *small, "--line", "50,0,50,40")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "the point 50,0, which lies outside of the frame, 48x64" in done.err
