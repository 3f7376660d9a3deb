"""Videos written by `VideoSink`, and what is in them."""

from fractions import Fraction
from pathlib import Path

import av

from heatprop.io import SourceInfo, VideoSink, open_video

COUNT = 12
INFO = SourceInfo("made", 64, 48, Fraction(25), COUNT, COUNT / 25, is_live=False, has_audio=False)


def copy_video(source: Path | str, target: Path, *, limit: int | None = None, **options: object) -> VideoSink:
    """Read a source and write its frames, all or the first few."""
    with open_video(source) as video, VideoSink(target, video.info, **options) as sink:
        for frame in video:
            if limit is not None and frame.index >= limit:
                break
            sink.write(frame.image, frame.time)
    return sink


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """Start, in seconds after the first frame, and data of each packet of sound."""
    with open_video(path) as video, av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        start = video.info.start_time
        return [(float(p.pts * p.time_base) - start, bytes(p)) for p in packets]


def decoded_times(path: Path) -> list[float]:
    """Return the times of the frames in a video that was perhaps never closed, each once and rising."""
    with av.open(str(path)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert times == sorted(set(times))
    return times
