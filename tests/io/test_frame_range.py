"""A range of a source gives the frames that lie in it, as if all were read and the others left out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatprop import VideoDetector
from heatprop.errors import InvalidConfigError, SourceError
from heatprop.io import VideoSink, open_video
from heatprop.io.frame_range import FrameRange, RangeSource
from heatprop.types import Frame
from paced_source import Paced
from written_videos import decoded_times, sound_packets

_COUNT, _STEP = 160, 0.25
_FORMATS = {
    "mp4": "libx264",
    "mkv": "libx264",
    "webm": "libvpx-vp9",
    "mov": "mpeg4",
    "avi": "mpeg4",
    "ts": "libx264",
}


def _write(path: Path, codec: str, *, is_even: bool = True) -> Path:
    """Write 40 seconds, long enough that what lies before is passed over; the brightness says the frame."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=4, options={"g": "24"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        for number in range(_COUNT):
            image = np.full((48, 64, 3), number, np.uint8)
            image[: number % 40 + 4, :20] = 255 - number
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            shift = 0 if is_even or not number else number * 7 % 13
            frame.pts, frame.time_base = number * 25 + shift, Fraction(1, 100)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def long_videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("long")
    even = [_write(folder / f"even.{ending}", codec) for ending, codec in _FORMATS.items()]
    return [*even, _write(folder / "uneven.mp4", "libx264", is_even=False)]


@pytest.fixture(scope="module")
def whole(long_videos: list[Path]) -> dict[Path, list[Frame]]:
    return {path: list(open_video(path)) for path in long_videos}


def _same(found: list[Frame], wanted: list[Frame]) -> bool:
    return [frame.time for frame in found] == pytest.approx([frame.time for frame in wanted], abs=1e-9) and all(
        np.array_equal(one.image, other.image) for one, other in zip(found, wanted, strict=True)
    )


_times = st.one_of(st.floats(0, 38), st.integers(0, 150).map(lambda number: number * _STEP))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data(), start=_times, length=st.one_of(st.none(), st.floats(0.5, 30)), every=st.integers(1, 30))
def test_a_range_is_what_lies_in_it_of_the_whole(
    whole: dict[Path, list[Frame]], data: st.DataObject, start: float, length: float | None, every: int
) -> None:
    path = data.draw(st.sampled_from(list(whole)))
    end = None if length is None else start + length
    inside = [f for f in whole[path] if f.time >= start - 1e-6 and (end is None or f.time < end - 1e-6)]
    wanted = inside[::every]
    with open_video(path, start=start, end=end, every=every) as video:
        found = list(video)
        again = list(video)
    assert _same(found, wanted)
    assert _same(again, wanted)
    assert [frame.index for frame in found] == list(range(0, len(inside), every))
    assert video.info.starts_at == pytest.approx(found[0].time, abs=1e-9)


def test_a_file_of_which_a_part_was_read_is_not_called_cut_off(long_videos: list[Path]) -> None:
    for path in long_videos:
        with open_video(path, start=30) as video:
            assert len(list(video)) == _COUNT - 30 / _STEP
            assert (video.skipped, list(video.notes)) == (0, [])


def test_the_length_of_a_range_is_known_before_it_is_read(long_videos: list[Path]) -> None:
    lengths = ((0, None, 1, 160), (30, None, 1, 40), (30, 32, 1, 8), (0, 10, 5, 8), (39, 90, 3, 2))
    for start, end, every, count in lengths:
        with open_video(long_videos[0], start=start, end=end, every=every) as video:
            assert video.info.frame_count == count == len(list(video))


def test_images_have_ranges_too(tmp_path: Path, street_image: np.ndarray) -> None:
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), street_image[: 40 + number, :60])
    with open_video(tmp_path, start=0.08, end=0.32, every=2) as video:
        assert [frame.image.shape[0] for frame in video] == [42, 44, 46]


def test_what_lies_outside_is_said(long_videos: list[Path]) -> None:
    path = long_videos[0]
    with pytest.raises(SourceError, match=r"its last frame is at 39\.75 s, before the range"):
        open_video(path, start=50)
    with pytest.raises(SourceError, match=r"no frame lies between 1\.1 and 1\.2 s; the next is at 1\.25 s"):
        open_video(path, start=1.1, end=1.2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start": -1}, "start"),
        ({"start": float("nan")}, "start"),
        ({"end": 0}, "end"),
        ({"start": 2, "end": 2}, "end"),
        ({"every": 0}, "every"),
        ({"every": 1.5}, "every"),
    ],
)
def test_what_is_no_range_is_refused(long_videos: list[Path], options: dict[str, float], said: str) -> None:
    with pytest.raises(InvalidConfigError, match=said):
        open_video(long_videos[0], **options)


def test_a_live_source_has_an_end_but_no_start() -> None:
    live = Paced(None, is_live=True)
    live.info = replace(live.info, is_paced=True)
    with pytest.raises(SourceError, match="is live: it begins when it is opened"):
        RangeSource(live, FrameRange(start=1))
    assert live.closed.is_set()
    with RangeSource(Paced(None, is_live=True), FrameRange(end=0.4, every=3)) as video:
        assert [frame.index for frame in video] == [0, 3, 6, 9]


def test_a_detector_takes_a_range(demo_clip: Path) -> None:
    detector = VideoDetector("mb3-coco", input_size=64)
    with open_video(demo_clip, start=1, end=2, every=5) as video:
        found = list(detector.stream(video))
    assert [result.frame.time for result in found] == pytest.approx([1, 1.2, 1.4, 1.6, 1.8])


def test_sound_and_frames_of_a_range_stay_together(tmp_path: Path) -> None:
    """Each second sounds otherwise; what is written begins with the sound of where it begins."""
    source, target = tmp_path / "beeps.mkv", tmp_path / "part.mkv"
    rate = 8000
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=4)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for number in range(160):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 4)
            container.mux(video.encode(frame))
            if number % 4 == 0:
                loudness = np.full((1, rate), number // 4 * 100, np.int16)
                piece = av.AudioFrame.from_ndarray(loudness, format="s16", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = rate, number // 4 * rate, Fraction(1, rate)
                container.mux(sound.encode(piece))
        container.mux(video.encode())
        container.mux(sound.encode())
    for start in (5.0, 30.0):
        with (
            open_video(source, start=start, end=start + 3) as part,
            VideoSink(target, part.info, overwrite=True) as sink,
        ):
            for frame in part:
                sink.write(frame.image, frame.time)
        assert sink.audio_note is None
        assert decoded_times(target) == pytest.approx([number / 4 for number in range(12)])
        packets = sound_packets(target)
        assert packets[0][0] == pytest.approx(0, abs=0.06)
        for time, data in packets:
            value = np.frombuffer(data, np.int16)[len(data) // 4]
            assert value // 100 == int(start + max(time, 0) + 1e-6)
        assert packets[-1][0] < 3.01
