"""Sound goes where its frames go, all tracks of it, and nothing is called damaged that is not."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from heatprop.io import VideoSink, open_video
from heatprop.io.sound_clock import SoundClock
from heatprop.io.timeline import Clock, Stretch
from small_videos import SAMPLE_RATE, build_video

COUNT = 24  # frames of a part, 0.96 s


def copy_video(source: Path, target: Path) -> str | None:
    """Write the frames anew and the sound beside them; return what is said of the sound."""
    with open_video(source) as video, VideoSink(target, video.info) as sink:
        for frame in video:
            sink.write(frame.image, frame.time)
    return sink.audio_note


def loudness(path: Path, width: float = 0.04, track: int = 0) -> list[float]:
    """How loud it is in each piece of `width` seconds, by the times of the samples."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        heard = [(float(frame.pts * stream.time_base), frame.to_ndarray()) for frame in container.decode(stream)]
    end = max(time for time, _ in heard) + 0.1
    total, count = np.zeros(round(end / width) + 1), np.zeros(round(end / width) + 1)
    for time, frame in heard:
        samples = frame.reshape(-1).astype(np.float64)
        places = ((time + np.arange(samples.size) / stream.rate) / width).astype(int).clip(0, total.size - 1)
        scale = 1.0 if samples.size and np.abs(samples).max() <= 1.5 else 32768.0
        np.add.at(total, places, (samples / scale) ** 2)
        np.add.at(count, places, 1)
    return np.sqrt(total / np.maximum(count, 1)).tolist()


def write_part(path: Path, start: float, sound: float, late: float = 0.0) -> Path:
    """Write `COUNT` frames from `start` seconds on, with a tone of `sound` seconds that is `late`."""
    ticks = [round(start * 90_000) + 3600 * number for number in range(COUNT)]
    return build_video(
        path,
        COUNT,
        ticks=ticks,
        time_base=Fraction(1, 90_000),
        audio="aac",
        audio_seconds=sound,
        audio_start=start + late,
        options={"bf": "0"},
        container_options={"muxdelay": "0", "muxpreload": "0"},
    )


@pytest.mark.parametrize("starts", [(0, 0, 0), (100, 0, 500), (5, 95_000, 1)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_goes_on_with_its_frames_where_the_clock_jumps(
    starts: tuple[float, ...], suffix: str, tmp_path: Path
) -> None:
    # A tone in the first half of each part alone shows where each part of the sound went.
    parts = [write_part(tmp_path / f"{number}.ts", start, 0.48) for number, start in enumerate(starts)]
    whole = tmp_path / "whole.ts"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert copy_video(whole, tmp_path / f"out{suffix}") is None
    levels = loudness(tmp_path / f"out{suffix}")
    for number in range(3):
        first = COUNT * number
        assert min(levels[first + 2 : first + 11]) > 0.1
        assert max(levels[first + 15 : first + COUNT - 1], default=0) < 0.02


def test_sound_that_is_late_in_each_part_stays_late(tmp_path: Path) -> None:
    parts = [write_part(tmp_path / f"{number}.ts", 3, 0.4, late=0.4) for number in range(2)]
    whole = tmp_path / "whole.ts"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert copy_video(whole, tmp_path / "out.mp4") is None
    levels = loudness(tmp_path / "out.mp4")
    for first in (0, COUNT):
        assert max(levels[first + 1 : first + 8]) < 0.02
        assert min(levels[first + 12 : first + 19]) > 0.1


def test_sound_longer_than_the_frames_of_its_part_gives_way_to_the_next(tmp_path: Path) -> None:
    parts = [write_part(tmp_path / f"{number}.ts", 0, seconds) for number, seconds in enumerate((1.3, 0.48))]
    whole = tmp_path / "whole.ts"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert copy_video(whole, tmp_path / "out.mp4") is None
    levels = loudness(tmp_path / "out.mp4")
    assert min(levels[2 : COUNT + 11]) > 0.1
    assert max(levels[COUNT + 15 :], default=0) < 0.02


def write_tracks(path: Path, tracks: dict[str, str]) -> Path:
    """Write frames and tones of 220, 440, ... Hz: a codec for each language."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sounds = []
        for language, codec in tracks.items():
            sound = container.add_stream(codec, rate=SAMPLE_RATE)
            sound.codec_context.layout = "mono"
            sound.metadata["language"] = language
            sounds.append(sound)
        for number in range(25):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
            for place, sound in enumerate(sounds, 1):
                start = number * SAMPLE_RATE // 25
                wave = np.sin(np.arange(start, start + SAMPLE_RATE // 25) * 2 * np.pi * 220 * place / SAMPLE_RATE)
                chunk = av.AudioFrame.from_ndarray(
                    (wave * 9000).astype(np.int16)[None], format="s16", layout="mono"
                )
                chunk.sample_rate, chunk.pts = SAMPLE_RATE, start
                container.mux(sound.encode(chunk))
        for stream in (video, *sounds):
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("suffix", "codecs"),
    [(".mp4", ["aac", "aac", "ac3"]), (".mov", ["aac", "aac", "ac3"]), (".mkv", ["aac", "flac", "ac3"])],
)
def test_all_tracks_are_kept_with_their_languages(suffix: str, codecs: list[str], tmp_path: Path) -> None:
    source = write_tracks(tmp_path / "many.mkv", {"ger": "aac", "eng": "flac", "ita": "ac3"})
    assert copy_video(source, tmp_path / f"out{suffix}") is None
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        sounds = container.streams.audio
        assert [sound.codec_context.name for sound in sounds] == codecs
        assert [sound.metadata["language"] for sound in sounds] == ["ger", "eng", "ita"]
    for track in range(3):
        assert min(loudness(tmp_path / f"out{suffix}", track=track)[2:22]) > 0.1


def test_a_stamp_of_the_sound_alone_that_is_wrong_moves_no_other() -> None:
    clock = SoundClock(Clock([Stretch(0.0, 5.0)], 9.0))
    stamps = [5.0, 5.5, 900.0, 6.5, 2.0, None, 8.0]
    times = [clock.place(stamp, 0.5, until=99.0) for stamp in stamps]
    assert times == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])


def test_a_jump_of_the_sound_waits_for_the_frames() -> None:
    record = Clock([Stretch(0.0, 5.0)], 6.0)
    clock = SoundClock(record)
    assert [clock.place(stamp, 0.5, until=1.0) for stamp in (5.0, 5.5, 0.25)] == [0.0, 0.5, None]
    record.stretches.append(Stretch(1.04, 0.25))
    record.last = 0.5
    assert clock.place(0.25, 0.5, until=1.04) == pytest.approx(1.04)


def test_sound_goes_on_after_the_last_frame_whatever_the_file_says_of_its_length(tmp_path: Path) -> None:
    for suffix in (".flv", ".avi", ".mkv", ".mp4", ".ts"):
        source = build_video(
            tmp_path / f"clip{suffix}",
            COUNT,
            codec="mpeg4" if suffix == ".avi" else "libx264",
            audio="aac",
            audio_seconds=3.0,
        )
        source.write_bytes(source.read_bytes().replace(b"DURATION", b"DURATIOX"))
        out = tmp_path / f"{suffix[1:]}.mp4"
        assert copy_video(source, out) is None
        levels = loudness(out)
        assert len(levels) > 70
        assert min(levels[2:70]) > 0.1


def test_sound_ends_with_the_last_frame_of_a_video_that_is_not_whole(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.flv", COUNT, audio="aac", audio_seconds=3.0)
    with open_video(source) as video, VideoSink(tmp_path / "out.mp4", video.info) as sink:
        for frame in video:
            sink.write(frame.image, frame.time)
        sink.close(complete=False)
    assert len(loudness(tmp_path / "out.mp4")) < 32


def test_sound_before_the_first_frame_is_skipped_and_said(tmp_path: Path) -> None:
    ticks = [18_000 + 480 * number for number in range(COUNT)]
    source = build_video(
        tmp_path / "late.mkv", COUNT, ticks=ticks, audio="aac", audio_seconds=2.46, time_base=Fraction(1, 12_000)
    )
    assert copy_video(source, tmp_path / "out.mp4") == "1.5 s before the first frame were skipped"
    levels = loudness(tmp_path / "out.mp4")
    assert min(levels[2:22]) > 0.1
    assert len(levels) < 32


def test_sound_whose_channels_nobody_knows_is_skipped_and_the_video_plays(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mkv", COUNT, audio="libopus", audio_seconds=1.0)
    data = bytearray(source.read_bytes())
    data[data.index(b"OpusHead") + 18] = 196  # a family of layouts that there is not
    while (place := data.find(b"\x9f\x81\x01")) >= 0:
        data[place] = 0xEC  # in place of the number of channels: nothing
    source.write_bytes(data)
    for name in ("out.mp4", "out.mkv"):
        note = copy_video(source, tmp_path / name)
        assert note is not None
        assert "no sound that can be decoded" in note
        with av.open(str(tmp_path / name)) as written:
            assert len(written.streams.audio) == 0
            assert sum(1 for _ in written.decode(video=0)) == COUNT


def test_sound_without_its_description_is_not_copied(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mkv", COUNT, audio="libopus", audio_seconds=1.0)
    data = bytearray(source.read_bytes())
    place = data.index(b"\x63\xa2\x93OpusHead")
    data[place : place + 2] = b"\x63\xa9"  # an element that nobody knows
    source.write_bytes(data)
    with av.open(str(source)) as made:
        assert not made.streams.audio[0].codec_context.extradata
    for name in ("out.mp4", "out.mkv"):
        copy_video(source, tmp_path / name)
        with av.open(str(tmp_path / name)) as written:
            assert sum(1 for _ in written.decode(video=0)) == COUNT
        with av.open(str(tmp_path / name)) as written:
            assert written.streams.audio[0].codec_context.name == "aac"
            assert sum(1 for _ in written.decode(audio=0)) > 20


def write_channels(path: Path, layout: str) -> Path:
    """Write frames with sound that is heard in the last channel alone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("flac", rate=SAMPLE_RATE)
        sound.codec_context.layout = layout
        channels = sound.codec_context.layout.nb_channels
        for number in range(25):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
            start = number * SAMPLE_RATE // 25
            samples = np.zeros((SAMPLE_RATE // 25, channels), np.int16)
            samples[:, -1] = np.sin((start + np.arange(len(samples))) * 2 * np.pi * 440 / SAMPLE_RATE) * 9000
            chunk = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
            chunk.sample_rate, chunk.pts = SAMPLE_RATE, start
            container.mux(sound.encode(chunk))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("layout", "channels", "note"),
    [
        ("mono", 1, None),
        ("stereo", 2, None),
        ("3.0", 3, None),
        ("quad", 6, None),
        ("5.0", 5, None),
        ("5.1", 6, None),
        ("7.1", 6, "8 channels became 6"),
    ],
)
def test_channels_are_kept_or_it_is_said(layout: str, channels: int, note: str | None, tmp_path: Path) -> None:
    source = write_channels(tmp_path / "clip.mkv", layout)
    assert copy_video(source, tmp_path / "out.mp4") == note
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.layout.nb_channels == channels
        loudest = max(float(np.abs(frame.to_ndarray()).max()) for frame in container.decode(audio=0))
    assert loudest > 0.1
