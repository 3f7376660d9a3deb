"""What exists is a file; a folder or pattern of videos is several sources; what is none is refused in a line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from heatprop import MultiStreamDetector, VideoDetector, open_video
from heatprop.cli.output_names import stem_of
from heatprop.errors import SourceError
from heatprop.io.names import sources_of
from small_videos import build_video, paint

ODD_NAMES = [
    "Walk [a1B2].mp4",
    "what is it?.mp4",
    "star*.mp4",
    "a:b.mp4",
    "50%.mp4",
    "-o.mp4",
    "größe.mp4",
    "[ab].mp4",
]


def heatprop(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "heatprop", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_what_exists_is_a_file_whatever_its_name(name: str, tmp_path: Path) -> None:
    build_video(tmp_path / name, 3)
    with open_video(tmp_path / name) as video:
        assert len(list(video)) == 3
    assert sources_of([str(tmp_path / name)]) == [str(tmp_path / name)]
    assert stem_of(str(tmp_path / name)).strip("-")
    assert stem_of(str(tmp_path / name)) != tmp_path.name


def test_videos_of_one_folder_with_odd_names_have_outputs_each(tmp_path: Path) -> None:
    for name in ODD_NAMES[:4]:
        build_video(tmp_path / name, 2)
    done = heatprop(tmp_path, "detect", *ODD_NAMES[:4], "--json", "found", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in (tmp_path / "found").iterdir()}
    assert names == {f"{Path(name).stem}.jsonl" for name in ODD_NAMES[:4]}


@pytest.mark.parametrize("given", ["films", "films/*", "films/*.mp4", "films/**/*.mp4"])
def test_a_folder_or_pattern_of_videos_is_several_sources(given: str, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    for number in (10, 9):
        build_video(tmp_path / f"films/part{number}.mp4", 2)
    (tmp_path / "films/notes.txt").write_text("nothing")
    done = heatprop(tmp_path, "detect", given, "--json", "found", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["part10.jsonl", "part9.jsonl"]
    assert [Path(source).stem for source in sources_of([str(tmp_path / given)])] == ["part9", "part10"]


def test_a_folder_with_one_video_is_one_of_several(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    build_video(tmp_path / "films/a.mp4", 2)
    done = heatprop(tmp_path, "detect", "films", "--json", "found", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in (tmp_path / "found").iterdir()] == ["a.jsonl"]


def test_where_images_lie_the_images_are_taken(tmp_path: Path) -> None:
    build_video(tmp_path / "a.mp4", 2)
    cv2.imwrite(str(tmp_path / "1.png"), paint(1))
    assert sources_of([str(tmp_path)]) == [str(tmp_path)]
    with open_video(tmp_path) as video:
        assert len(list(video)) == 1


def test_in_python_a_folder_of_videos_is_refused_with_the_remedy(tmp_path: Path) -> None:
    build_video(tmp_path / "a.mp4", 2)
    with pytest.raises(SourceError, match=r"holds 1 videos.*MultiStreamDetector"):
        open_video(tmp_path)


@pytest.fixture(scope="module")
def detector() -> VideoDetector:
    return VideoDetector("mb3-coco", input_size=64)


class Capture:
    """What a cv2.VideoCapture looks like, without a camera."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def retrieve(self) -> Any: ...


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        (["a.mp4"], "MultiStreamDetector"),
        (("a.mp4", "b.mp4"), "MultiStreamDetector"),
        (Capture(), "what it was opened with"),
        (cv2.VideoCapture(), "what it was opened with"),
        (np.zeros((4, 4, 3), np.uint8), "VideoDetector.update"),
        (iter([]), "VideoDetector.update"),
        (None, "give a path"),
        (b"a.mp4", "give a path"),
        (True, "give a path"),
        (1.5, "give a path"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_source_is_refused_in_a_line(source: Any, remedy: str, detector: VideoDetector) -> None:
    for use in (open_video, lambda given: next(detector.stream(given))):
        with pytest.raises(SourceError, match=remedy) as caught:
            use(source)
        assert "\n" not in str(caught.value)


def test_an_open_file_is_refused_with_its_path_as_the_remedy(tmp_path: Path, detector: VideoDetector) -> None:
    with (
        build_video(tmp_path / "a.mp4", 2).open("rb") as file,
        pytest.raises(SourceError, match="path of the file"),
    ):
        next(detector.stream(file))  # type: ignore[arg-type]


def test_several_streams_refuse_it_alike() -> None:
    with pytest.raises(SourceError, match="give a path"):
        list(MultiStreamDetector("mb3-coco", input_size=64).stream([None]))  # type: ignore[list-item]


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
def test_devices_are_refused(device: str) -> None:
    if not Path(device).exists():
        pytest.skip(f"there is no {device} here")
    with pytest.raises(SourceError, match="is a device or socket"):
        open_video(device)


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(SourceError, match="is a device or socket"):
            open_video(tmp_path / "socket")


def playlists(video: Path) -> dict[str, str]:
    return {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n",
        "far.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{video}'\n",
        "list.mp4": f"ffconcat version 1.0\nfile '{video}'\n",
        "stream.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "list.mpd": f'<?xml version="1.0"?><MPD><Period><BaseURL>{video}</BaseURL></Period></MPD>',
    }


@pytest.mark.parametrize("name", playlists(Path()))
def test_a_file_that_names_other_files_is_refused(name: str, tmp_path: Path) -> None:
    video = build_video(tmp_path / "other.ts", 12)
    (tmp_path / name).write_text(playlists(video)[name])
    with pytest.raises(SourceError, match="may name any file of this machine"):
        open_video(tmp_path / name)


def test_a_pipe_that_nobody_writes_to_does_not_hold_up_an_interrupt(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    program = (
        "import signal, sys, threading, os\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "sys.argv[1:] = ['detect', 'pipe', '--json', 'out.jsonl']\n"
        "from heatprop.__main__ import command\n"
        "command()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (130, "heatprop: interrupted; nothing is written\n")
