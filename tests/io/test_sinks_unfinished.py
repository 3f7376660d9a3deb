"""A video is whole or says that it is not, whatever ends it; and nothing half-done is left."""

import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import av
import pytest

from heatprop.errors import OutputError, OutputExistsError
from heatprop.io import VideoSink, open_video
from heatprop.io.completeness import Completeness, OutputState, state_of
from heatprop.io.results import ResultsHeader
from small_videos import build_video, paint
from written_videos import COUNT, INFO, decoded_times, sound_packets


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_keeps_what_was_finished(tmp_path: Path, error: type[BaseException]) -> None:
    source = build_video(tmp_path / "clip.mp4", 100, audio="aac")
    before = threading.active_count()

    def work() -> None:
        with open_video(source) as video, VideoSink(tmp_path / "out.mp4", video.info) as sink:
            for frame in video:
                if frame.index == 30:
                    raise error
                sink.write(frame.image, frame.time)

    with pytest.raises(error):
        work()
    assert threading.active_count() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]
    with open_video(tmp_path / "out.mp4") as video:
        assert [frame.index for frame in video] == list(range(30))
    state = state_of(tmp_path / "out.mp4")
    assert (state.completeness, state.frames) == (Completeness.UNFINISHED, 30)
    assert sound_packets(tmp_path / "out.mp4")[-1][0] <= 30 / 25


def test_an_interruption_of_closing_keeps_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = VideoSink(tmp_path / "out.mp4", INFO)
    for number in range(COUNT):
        sink.write(paint(number), number / 25)
    interruptions = [KeyboardInterrupt()]
    join = threading.Thread.join

    def join_interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if interruptions:
            raise interruptions.pop()
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", join_interrupted)
    with pytest.raises(KeyboardInterrupt):
        sink.close()
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    with open_video(tmp_path / "out.mp4") as video:
        assert len(list(video)) == COUNT


def test_nothing_written_leaves_nothing(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", INFO):
        pass
    assert list(tmp_path.iterdir()) == []


def test_discarding_leaves_nothing_and_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    (tmp_path / "out.mp4").write_text("precious")
    sink = VideoSink(tmp_path / "out.mp4", INFO, overwrite=True)
    for number in range(COUNT):
        sink.write(paint(number), number / 25)
    sink.discard()
    sink.discard()
    sink.close()
    assert threading.active_count() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_text() == "precious"


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        VideoSink(target, INFO)
    assert target.read_text() == "precious"
    with VideoSink(target, INFO, overwrite=True) as sink:
        sink.write(paint(0), 0.0)
        assert target.read_text() == "precious"
    with open_video(target) as video:
        assert len(list(video)) == 1


def test_closing_twice_is_fine_and_writing_after_it_is_not(tmp_path: Path) -> None:
    before = threading.active_count()
    sink = VideoSink(tmp_path / "out.mp4", INFO)
    sink.write(paint(0), 0.0)
    sink.close()
    sink.close()
    assert threading.active_count() == before
    with pytest.raises(OutputError, match="is closed"):
        sink.write(paint(1), 0.04)


def encode_noise(target: Path, *, then: str = "") -> subprocess.CompletedProcess[str]:
    """Write 100 frames of noise, of about 30 kB each, in a process of its own that does `then` at the 60th."""
    code = f"""
        import os, resource, signal, sys, time
        from fractions import Fraction
        import numpy as np
        from heatprop.errors import OutputError
        from heatprop.io import SourceInfo, VideoSink
        info = SourceInfo("made", 320, 240, Fraction(25), None, None, is_live=False, has_audio=False)
        noise = np.random.default_rng(0)
        try:
            with VideoSink(sys.argv[1], info) as sink:
                for number in range(100):
                    sink.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number / 25)
                    if number == 60:
                        {then or "pass"}
        except OutputError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), target]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".webm"])
def test_a_full_disk_is_an_error_of_one_line_and_keeps_what_was_done(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))"
    done = encode_noise(target, then=limit)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"out{suffix}: cannot write the video (File too large" in done.stdout
    assert "ulimit -f); what was done until then is kept, unfinished" in done.stdout
    assert done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == [target]
    assert state_of(target).completeness is Completeness.UNFINISHED
    times = decoded_times(target)
    assert times == pytest.approx([number / 25 for number in range(len(times))], abs=1e-3)
    assert len(times) >= 25


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_disk_too_full_for_a_frame_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    code = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
    code += "from heatprop.io import SourceInfo, VideoSink; import numpy as np; from fractions import Fraction\n"
    code += "noise = np.random.default_rng(0)\n"
    code += "info = SourceInfo('made', 320, 240, Fraction(25), None, None, is_live=False, has_audio=False)\n"
    code += "with VideoSink(sys.argv[1], info) as sink:\n"
    code += "    for number in range(30): sink.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number / 25)"
    done = subprocess.run([sys.executable, "-c", code, target], capture_output=True, text=True, check=False)
    assert "nothing is written" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".webm"])
def test_a_killed_run_leaves_a_video_that_plays_up_to_the_last_second(tmp_path: Path, suffix: str) -> None:
    # It is killed a moment after the 60th frame, when the encoder has had the time to take it.
    done = encode_noise(tmp_path / f"out{suffix}", then="time.sleep(0.5); os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
    left = tmp_path / f"out.part{suffix}"
    assert list(tmp_path.iterdir()) == [left]
    assert state_of(left).completeness is Completeness.UNFINISHED
    times = decoded_times(left)
    assert times == pytest.approx([number / 25 for number in range(len(times))], abs=1e-3)
    assert len(times) >= 60 - 25


def test_frames_and_sound_of_a_killed_run_fit(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mkv", 100, audio="aac")
    code = """
        import os, signal, sys, time
        from heatprop.io import VideoSink, open_video
        with open_video(sys.argv[1]) as video, VideoSink(sys.argv[2], video.info) as sink:
            for frame in video:
                sink.write(frame.image, frame.time)
                if frame.index == 60:
                    time.sleep(0.5)
                    os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), source, tmp_path / "out.mp4"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    before = {data: time for time, data in sound_packets(source)}
    after = sound_packets(tmp_path / "out.part.mp4")
    assert len(after) > 60
    assert [time for time, _ in after] == pytest.approx([before[data] for _, data in after], abs=2e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".webm"])
def test_a_whole_video_says_so_with_what_made_it(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    header = ResultsHeader("tiny", ["cat"], settings={"alpha": 0.5})
    sink = VideoSink(target, INFO)
    for number in range(COUNT):
        sink.write(paint(number), number / 25)
    sink.close(header=header)
    assert state_of(target) == OutputState(Completeness.COMPLETE, COUNT, header)
    with av.open(str(target)) as container:  # and it can be sought in
        container.seek(int(0.3 * av.time_base))
        assert next(container.decode(video=0)).time is not None
        assert container.duration == pytest.approx(COUNT / 25 * av.time_base, rel=0.02)
    copy = tmp_path / f"copy{suffix}"
    copy.write_bytes(target.read_bytes()[:-30])
    assert state_of(copy).completeness is Completeness.UNKNOWN
