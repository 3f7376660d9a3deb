"""A video in fragments, as it grew -> one with its index at the head, which every player seeks in at once."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av

from heatprop.io.partial_names import INDEXED


def index_video(path: Path, container: str, frame_rate: Fraction, comment: str, mark: bytes) -> bool:
    """Write an mp4 or mov file that was closed in fragments anew, packet by packet, and replace it.

    Beside it there is for a while a second file of the same size. If that cannot be written, on a full disk for
    instance, the file in fragments stays as it is; it plays, too.

    Args:
        path: the file.
        container: libav's name of its format.
        frame_rate: nominal frames a second: fragments do not say how long the last frame is.
        comment: goes into its head.
        mark: goes behind all that a player reads.

    Returns:
        Whether it was replaced.
    """
    beside = path.with_name(f"{path.stem}{INDEXED}{path.suffix}")
    try:
        _copy(path, beside, container, frame_rate, comment)
        with beside.open("ab") as file:
            file.write(mark)
        os.replace(beside, path)
    except (av.FFmpegError, OSError, ValueError):
        beside.unlink(missing_ok=True)
        return False
    return True


def _copy(path: Path, target: Path, container: str, frame_rate: Fraction, comment: str) -> None:
    options = {"movflags": "faststart"}
    with (
        av.open(str(path)) as source,
        av.open(str(target), "w", format=container, container_options=options) as copy,
    ):
        copy.metadata["comment"] = comment
        streams = {}
        for stream in source.streams:
            streams[stream.index] = copy.add_stream_from_template(stream)
            streams[stream.index].metadata.update(stream.metadata)
            streams[stream.index].time_base = stream.time_base
        for packet in source.demux():
            if packet.dts is not None:  # else it is the end of a stream
                if not packet.duration and packet.stream.type == "video":
                    packet.duration = max(1, round(1 / (frame_rate * packet.time_base)))
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
