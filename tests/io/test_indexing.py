"""A video that grew in fragments gets its index at the head, or stays as it is where there is no room for that."""

import os
import signal
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import pytest

from heatprop.io import SourceInfo, VideoSink
from heatprop.io.completeness import Completeness, count_frames, state_of
from heatprop.io.indexing import index_video
from heatprop.io.outputs import find_leftovers
from small_videos import build_video, paint

INFO = SourceInfo("made", 64, 48, Fraction(25), None, None, is_live=False, has_audio=False)


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov"])
def test_the_index_stands_before_the_frames(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    with VideoSink(target, INFO) as sink:
        for number in range(40):
            sink.write(paint(number), number / 25)
    data = target.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert b"moof" not in data
    assert list(tmp_path.iterdir()) == [target]


def test_without_room_for_a_second_file_it_stays_in_fragments_and_is_complete(tmp_path: Path) -> None:
    code = """
        import resource, sys
        from pathlib import Path
        from fractions import Fraction
        import numpy as np
        from heatprop.io import SourceInfo, VideoSink, indexing
        copy = indexing._copy

        def on_a_full_disk(path, *rest):
            room = path.stat().st_size // 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            try:
                copy(path, *rest)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        indexing._copy = on_a_full_disk
        info = SourceInfo("made", 320, 240, Fraction(25), None, None, is_live=False, has_audio=False)
        noise = np.random.default_rng(0)
        with VideoSink(sys.argv[1], info) as sink:
            for number in range(40):
                sink.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number / 25)
    """
    target = tmp_path / "out.mp4"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), target], check=True)
    assert list(tmp_path.iterdir()) == [target]
    assert b"moof" in target.read_bytes()
    assert (state_of(target).completeness, state_of(target).frames) == (Completeness.COMPLETE, 40)
    assert count_frames(target) == 40


def test_a_run_killed_while_it_makes_the_index_leaves_all_frames(tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from fractions import Fraction
        import numpy as np
        from heatprop.io import SourceInfo, VideoSink, indexing
        copy = indexing._copy

        def killed(*arguments):
            copy(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        indexing._copy = killed
        info = SourceInfo("made", 64, 48, Fraction(25), None, None, is_live=False, has_audio=False)
        with VideoSink(sys.argv[1], info) as sink:
            for number in range(40):
                sink.write(np.zeros((48, 64, 3), np.uint8), number / 25)
    """
    target = tmp_path / "out.mp4"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), target], check=False)
    assert done.returncode == -signal.SIGKILL
    left = [tmp_path / "out.part.index.mp4", tmp_path / "out.part.mp4"]
    assert find_leftovers(target) == left
    assert state_of(left[1]).completeness is Completeness.UNFINISHED
    assert count_frames(left[1]) == 40


def test_what_is_no_video_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"no video")
    assert not index_video(path, "mp4", Fraction(25), "", b"")
    assert path.read_bytes() == b"no video"
    assert os.listdir(tmp_path) == ["out.mp4"]
    assert index_video(build_video(path), "mp4", Fraction(25), "", b"mark")
    assert path.read_bytes().endswith(b"mark")
