"""The sound of a source, carried over to a new video: copied where the container takes it, else as AAC or Opus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext

from heatprop.errors import SourceError
from heatprop.io.addresses import is_address, shown
from heatprop.io.container import TIMEOUT, open_container, seek_before
from heatprop.io.demuxing import PacketReader
from heatprop.io.sound_clock import SoundClock
from heatprop.io.timeline import Clock, Stretch

_MP4_CODECS = frozenset({"aac", "ac3", "alac", "eac3", "mp3", "opus"})
_COPIED = {
    ".mp4": _MP4_CODECS,
    ".m4v": _MP4_CODECS,
    ".mov": _MP4_CODECS - {"opus"},
    ".mkv": _MP4_CODECS | {"flac", "mp2", "pcm_s16le", "pcm_s24le", "vorbis"},
    ".webm": frozenset({"opus", "vorbis"}),
}
# What these are stands in their head alone: without it nobody can play a copy.
_DESCRIBED = frozenset({"alac", "flac", "opus", "vorbis"})
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000})
# A decoder needs the packet before the first heard one; players skip what lies before 0.
_LEAD_IN = 0.05
# What is skipped before the first frame is reported from here on, in seconds.
_HEARD = 0.1
# Layouts of channels that AAC has a number for; the others go into the largest of these.
_AAC_LAYOUTS = MappingProxyType({"mono": 1, "stereo": 2, "3.0": 3, "4.0": 4, "5.0": 5, "5.1": 6})
_BITS_PER_CHANNEL = 64_000


class Track:
    """One sound stream on its way into a new video.

    Args:
        stream: of the source.
        clock: how the source's own clock was followed for the frames.
        begins: time of the frames, in seconds, at which the new video begins.

    Attributes:
        damaged: packets that were skipped because they are.
        early: seconds that were skipped before the first frame.
        note: what else was lost; None when nothing was.
    """

    def __init__(self, stream: AudioStream, clock: Clock, begins: float = 0.0) -> None:
        assert stream.time_base is not None
        self.damaged = 0
        self.early = 0.0
        self.note: str | None = None
        self._stream = stream
        self._tick = stream.time_base
        self._clock = SoundClock(clock)
        self._begins = begins
        self._last: int | None = None
        self._target: AudioStream | None = None
        self._is_copied = False
        self._unpacked: BitStreamFilterContext | None = None

    def can_copy(self, suffix: str) -> bool:
        """Return whether a file with this suffix takes the sound as it is."""
        context = self._stream.codec_context
        name = context.codec.canonical_name
        return name in _COPIED.get(suffix, frozenset()) and bool(context.extradata or name not in _DESCRIBED)

    def attach(self, target: av.container.OutputContainer, suffix: str, *, copy: bool) -> None:
        """Add a stream for the track to a new file with this suffix, before its header is written."""
        self._is_copied = copy
        source = self._stream.codec_context
        if copy:
            self._target = target.add_stream_from_template(self._stream)
            # AAC of a transport stream has its description in each packet; the others have it in their head.
            is_adts = source.name == "aac" and not source.extradata
            self._unpacked = BitStreamFilterContext("aac_adtstoasc", in_stream=self._stream) if is_adts else None
        else:
            is_webm = suffix == ".webm"
            rate = source.sample_rate if source.sample_rate in _AAC_RATES and not is_webm else 48000
            self._target = target.add_stream("libopus" if is_webm else "aac", rate=rate)
            layout, channels = _aac_layout(source.layout)
            self._target.codec_context.layout = layout
            self._target.codec_context.bit_rate = max(128_000, _BITS_PER_CHANNEL * channels)
            if channels < source.layout.nb_channels:
                self.note = f"{source.layout.nb_channels} channels became {channels}"
        for name in ("language", "title"):
            if name in self._stream.metadata:
                self._target.metadata[name] = self._stream.metadata[name]

    def take(self, packet: av.Packet[AudioStream], until: float) -> list[av.Packet[AudioStream]] | None:
        """Return what a packet of the source becomes, ready to be written; None while its time is not known."""
        if packet.is_corrupt:
            self.damaged += 1
            return []
        stamp = None if packet.pts is None else float(packet.pts * self._tick)
        duration = float((packet.duration or 0) * self._tick)
        time = self._clock.place(stamp, duration, until + self._begins)
        if time is None:
            return None
        time -= self._begins
        moved = round(time / self._tick)
        # What lies before the first frame is not heard; where parts overlap, the earlier is.
        if time < 0 and not self._begins:
            self.early += min(duration, -time)
        if time < -_LEAD_IN or (self._last is not None and moved <= self._last):
            return []
        packet.pts = packet.dts = self._last = moved
        return list(self._encode(packet))

    def _encode(self, packet: av.Packet[AudioStream] | None) -> Iterator[av.Packet[AudioStream]]:
        target = self._target
        assert target is not None
        if self._is_copied:
            packets = (
                [] if packet is None else [packet] if self._unpacked is None else self._unpacked.filter(packet)
            )
            for copied in packets:
                copied.stream = target
                yield copied
            return
        try:
            frames = self._stream.decode(packet)
        except EOFError:
            frames = []
        except (av.FFmpegError, ValueError):
            self.damaged += 1
            return
        for frame in frames:
            yield from target.encode(frame)

    def finish(self) -> Iterator[av.Packet[AudioStream]]:
        """Yield what the encoder still holds."""
        if not self._is_copied and self._target is not None:
            yield from self._target.encode(None)


def _aac_layout(layout: av.AudioLayout) -> tuple[str, int]:
    """Return the layout that AAC takes for another, by its name, and its number of channels."""
    name = layout.name.replace("(side)", "")
    if name not in _AAC_LAYOUTS:
        name = {1: "mono", 2: "stereo"}.get(layout.nb_channels, "5.1")
    return name, _AAC_LAYOUTS[name]


def _is_known(stream: AudioStream) -> bool:
    """Return whether a stream can be decoded: of a damaged file, head and sound may not say how."""
    context = stream.codec_context
    return bool(context and stream.time_base and context.sample_rate and context.layout.nb_channels)


class Sound:
    """All sound tracks of a source, read on demand with their times moved to the new video's.

    Args:
        source: file or address with the sound.
        clock: how the source's own clock was followed for the frames; None for one that shows the sound's
            start at 0.
        begins: see `Track`.

    Raises:
        SourceError: it cannot be opened or has no sound that can be decoded.
    """

    def __init__(self, source: str | Path, clock: Clock | None, begins: float = 0.0) -> None:
        name = shown(source)
        self._container = open_container(source, is_remote=is_address(source))
        if clock is None:
            start = (self._container.start_time or 0) / av.time_base
            clock = Clock([Stretch(0.0, start)], start)
        streams = [each for each in self._container.streams.audio if _is_known(each)]
        if not streams:
            self._container.close()
            raise SourceError(f"{name}: no sound that can be decoded")
        best = self._container.streams.best("audio")
        streams.sort(key=lambda stream: stream is not best)
        self._tracks = {stream.index: Track(stream, clock, begins) for stream in streams}
        self._streams = streams
        self._skipped_tracks = len(self._container.streams.audio) - len(streams)
        self._until = 0.0
        self._next: av.Packet[AudioStream] | None = None
        self._source = PacketReader(self._container, streams, name, TIMEOUT if is_address(source) else None)
        self._packets = self._placed()
        if clock.stretches:
            seek_before(self._container, clock.stretches[0].stamp + begins)

    @property
    def note(self) -> str | None:
        """What was lost so far; None when nothing was."""
        damaged = self._source.damaged + sum(track.damaged for track in self._tracks.values())
        notes = [f"{damaged} damaged parts of the sound were skipped"] if damaged else []
        if self._skipped_tracks:
            all_tracks = self._skipped_tracks + len(self._tracks)
            notes.append(
                f"{self._skipped_tracks} of {all_tracks} tracks skipped, their codec or channels are unknown"
            )
        if (early := max(track.early for track in self._tracks.values())) >= _HEARD:
            notes.append(f"{early:.1f} s before the first frame were skipped")
        notes += [track.note for track in self._tracks.values() if track.note is not None]
        return "; ".join(notes) or None

    def can_copy(self, suffix: str) -> bool:
        """Return whether a file with this suffix takes some of the tracks as they are."""
        return any(track.can_copy(suffix) for track in self._tracks.values())

    def attach(self, target: av.container.OutputContainer, suffix: str, *, copy: bool) -> None:
        """Add a stream for each track to a new file, before its header; what is not copied is encoded."""
        for track in self._tracks.values():
            track.attach(target, suffix, copy=copy and track.can_copy(suffix))

    def packets(self, until: float) -> Iterator[av.Packet[AudioStream]]:
        """Yield what is due before `until` seconds of the new video, ready to be written."""
        self._until = until
        while True:
            if self._next is None:
                self._next = next(self._packets, None)
            packet = self._next
            if packet is None or (packet.pts or 0) * packet.time_base >= until:
                return
            self._next = None
            yield packet

    def _placed(self) -> Iterator[av.Packet[AudioStream] | None]:
        """Yield packets ready to be written, None where the frames must go on first."""
        for packet in self._read():
            track = self._tracks[packet.stream.index]
            while (ready := track.take(packet, self._until)) is None:
                yield None
            yield from ready
        for track in self._tracks.values():
            yield from track.finish()

    def _read(self) -> Iterator[av.Packet[Any]]:
        while (packet := self._source.read()) is not None:
            yield packet

    def close(self) -> None:
        """Release the source."""
        self._packets = iter(())
        self._container.close()
