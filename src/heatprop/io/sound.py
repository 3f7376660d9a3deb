"""The sound of a source, carried over to a new video: copied where the container takes it, else as AAC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext

from heatprop.errors import SourceError
from heatprop.io.addresses import is_address, shown
from heatprop.io.container import TIMEOUT, explain_failure, open_container

_MP4_CODECS = frozenset({"aac", "ac3", "alac", "eac3", "mp3", "opus"})
_COPIED = {
    ".mp4": _MP4_CODECS,
    ".m4v": _MP4_CODECS,
    ".mov": _MP4_CODECS - {"opus"},
    ".mkv": _MP4_CODECS | {"flac", "mp2", "pcm_s16le", "pcm_s24le", "vorbis"},
}
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000})
# A decoder needs the packet before the first heard one; players skip what lies before 0.
_LEAD_IN = 0.05
_MOST_ERRORS_IN_A_ROW = 64


class Sound:
    """The first or best sound stream of a source, read on demand with its times moved to the new video's clock.

    Args:
        source: file or address with the sound.
        start: time in seconds on the source's clock that is 0 in the new video; None for the source's start.

    Raises:
        SourceError: it cannot be opened or has no sound that can be decoded.
    """

    def __init__(self, source: str | Path, start: float | None) -> None:
        self.damaged = 0
        self._name = shown(source)
        self._timeout = TIMEOUT if is_address(source) else None
        self._container = open_container(source, is_remote=is_address(source))
        stream = self._container.streams.best("audio")
        if not isinstance(stream, AudioStream) or stream.codec_context is None or not stream.time_base:
            self._container.close()
            raise SourceError(f"{self._name}: no sound that can be decoded")
        self._stream = stream
        self._tick = stream.time_base
        self._start = (self._container.start_time or 0) / av.time_base if start is None else start
        self._target: AudioStream | None = None
        self._is_copied = False
        self._next: av.Packet[AudioStream] | None = None
        self._source_packets = self._read()
        self._packets = self._encode()

    def can_copy(self, suffix: str) -> bool:
        """Return whether a file with this suffix takes the sound as it is."""
        return self._stream.codec_context.codec.canonical_name in _COPIED.get(suffix, frozenset())

    def attach(self, target: av.container.OutputContainer, *, copy: bool) -> None:
        """Add a stream for the sound to a new file, before its header is written."""
        self._is_copied = copy
        if copy:
            self._target = target.add_stream_from_template(self._stream)
            return
        source = self._stream.codec_context
        rate = source.sample_rate if source.sample_rate in _AAC_RATES else 48000
        self._target = target.add_stream("aac", rate=rate)
        self._target.codec_context.layout = "mono" if source.layout.nb_channels == 1 else "stereo"
        self._target.codec_context.bit_rate = 128_000

    def packets(self, until: float) -> Iterator[av.Packet[AudioStream]]:
        """Yield what is due before `until` seconds of the new video, ready to be written."""
        while True:
            if self._next is None:
                self._next = next(self._packets, None)
            packet = self._next
            if packet is None or (packet.pts or 0) * packet.time_base >= until:
                return
            self._next = None
            yield packet

    def _read(self) -> Iterator[av.Packet[AudioStream]]:
        """Yield the source's packets from 0 of the new video on, on its clock and strictly forward."""
        shift = round(self._start / self._tick)
        first = round(-_LEAD_IN / self._tick)
        last: int | None = None
        errors = 0
        packets = self._container.demux(self._stream)
        while errors < _MOST_ERRORS_IN_A_ROW:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, ValueError) as error:
                if isinstance(error, av.error.ExitError | OSError):
                    raise explain_failure(self._name, error, self._timeout) from None
                self.damaged += 1
                errors += 1
                packets = self._container.demux(self._stream)
                continue
            errors = 0
            if packet is None:
                return
            if packet.size == 0:
                continue
            if packet.pts is None or packet.dts is None or packet.is_corrupt:
                self.damaged += 1
                continue
            packet.pts -= shift
            packet.dts -= shift
            if packet.pts < first:
                continue
            if last is not None and packet.dts <= last:
                self.damaged += 1
                continue
            last = packet.dts
            yield packet

    def _encode(self) -> Iterator[av.Packet[AudioStream]]:
        target = self._target
        assert target is not None
        if self._is_copied:
            # AAC of a transport stream has its description in each packet; the others have it in their head.
            is_adts = self._stream.codec_context.name == "aac" and not self._stream.codec_context.extradata
            unpacked = BitStreamFilterContext("aac_adtstoasc", in_stream=self._stream) if is_adts else None
            for packet in self._source_packets:
                for copied in [packet] if unpacked is None else unpacked.filter(packet):
                    copied.stream = target
                    yield copied
            return
        for packet in self._source_packets:
            try:
                frames = self._stream.decode(packet)
            except (av.FFmpegError, ValueError):
                self.damaged += 1
                continue
            for frame in frames:
                yield from target.encode(frame)
        yield from target.encode(None)

    def close(self) -> None:
        """Release the source."""
        self._packets = self._source_packets = iter(())
        self._container.close()
