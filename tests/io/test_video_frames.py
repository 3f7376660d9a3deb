"""Of several tracks of video one is read, and it is said; images that stand for a file are none."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest
from av.stream import Disposition

from heatprop.io import open_video
from small_videos import paint


def write_tracks(path: Path, count: int) -> Path:
    with av.open(str(path), "w") as container:
        tracks = []
        for _ in range(count):
            track = container.add_stream("mpeg4", rate=25)
            track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
            tracks.append(track)
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(paint(number)).reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            for track in tracks:
                container.mux(track.encode(frame))
        for track in tracks:
            container.mux(track.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi", ".ts"])
def test_a_second_track_of_video_is_said(suffix: str, tmp_path: Path) -> None:
    with open_video(write_tracks(tmp_path / f"two{suffix}", 2)) as video:
        assert len(list(video)) == 5
        assert list(video.notes) == ["2 tracks of video: only one is read"]
    with open_video(write_tracks(tmp_path / f"one{suffix}", 1)) as video:
        assert len(list(video)) == 5
        assert video.notes == []


def test_a_cover_is_no_track(tmp_path: Path) -> None:
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as container:
        track, cover = container.add_stream("mpeg4", rate=25), container.add_stream("mjpeg", rate=25)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic.value
        container.start_encoding()
        packet = av.Packet(cv2.imencode(".jpg", paint(0))[1].tobytes())
        packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, 25)
        container.mux(packet)
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(paint(number)).reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    with open_video(path) as video:
        assert len(list(video)) == 5
        assert video.notes == []
