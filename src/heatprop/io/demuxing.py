"""The packets of one container, in order; what is damaged is counted, not raised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import av
from av.stream import Stream

from heatprop.errors import SourceError

_MAX_ERRORS_IN_A_ROW = 64
_REMEDY = (
    "play it, or repair it; what comes through a pipe and has its index at its end must be saved to a file first"
)


def explain_failure(name: str, error: Exception, timeout: float | None) -> SourceError:
    """Return the error of one line for what libav said; `timeout` is None where there is no network."""
    reason = getattr(error, "strerror", None) or str(error)
    if timeout is not None and isinstance(error, av.error.ExitError | TimeoutError):
        reason = f"no data for {timeout:g} s"
    remedy = "check the file" if timeout is None else "check the address and the network"
    return SourceError(f"{name}: cannot read it ({reason}); {remedy}")


class PacketReader:
    """Reads the packets of some streams of an open container.

    Args:
        container: the container.
        streams: whose packets are wanted.
        name: what the user gave, for messages.
        timeout: seconds after which an address fails; None for a file.

    Attributes:
        damaged: parts that could not be read, and packets without content, so far.
    """

    def __init__(
        self, container: av.container.InputContainer, streams: Sequence[Stream], name: str, timeout: float | None
    ) -> None:
        self.damaged = 0
        self._container, self._streams = container, streams
        self._name, self._timeout = name, timeout
        self._packets: Iterator[av.Packet[Any]] = container.demux(*streams)

    def read(self) -> av.Packet[Any] | None:
        """Return the next packet with content, None at the end.

        Raises:
            SourceError: an address gives no more data in time, or the file cannot be read on.
        """
        errors = 0
        while errors < _MAX_ERRORS_IN_A_ROW:
            try:
                packet = next(self._packets, None)
            except IndexError:
                # A packet of a stream that was not there when the container was opened: none of ours.
                self._packets = self._container.demux(*self._streams)
                continue
            except (av.FFmpegError, ValueError) as error:
                if isinstance(error, av.error.ExitError | OSError):
                    raise explain_failure(self._name, error, self._timeout) from None
                errors += 1
                self.damaged += 1
                self._packets = self._container.demux(*self._streams)
                continue
            if packet is None or packet.size:
                return packet
            # To a decoder an empty packet is the end. PyAV's own, at the end, have no time; others hold a place.
            self.damaged += packet.dts is not None or packet.pts is not None
        raise SourceError(
            f"{self._name}: {_MAX_ERRORS_IN_A_ROW} damaged parts in a row, and nothing whole after them; "
            + (_REMEDY if self._timeout is None else "check the stream")
        )

    def close(self) -> None:
        """Read no more: from now on `read` gives None."""
        self._packets = iter(())
