"""A live stream over HTTP, byte by byte, that knows whether it ended as it should.

libav takes any end of a connection for the end of the stream. Here a transfer that is cut off is an error: a chunk
without its end, fewer bytes than were announced, a connection that is reset or falls silent.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.addresses import shown


class HttpStream:
    """The body of an answer, for reading forwards; what `av.open` takes as a file.

    Args:
        address: ``http://`` or ``https://``, with the name and password it may need. As with libav, certificates
            are not checked: cameras sign theirs themselves.
        timeout: seconds to wait for an answer, and for each piece of data.

    Attributes:
        content_type: what the server calls it.
        has_end: whether the server says how long it is.

    Raises:
        SourceNotFoundError: there is nothing at the address.
        SourceError: nobody answers, or with an error; or it is no address.
    """

    def __init__(self, address: str, timeout: float) -> None:
        self._name, self._timeout = shown(address), timeout
        try:
            self._answer: http.client.HTTPResponse = _opener(address).open(_without_user(address), timeout=timeout)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                raise SourceNotFoundError(f"{self._name}: nothing found there; check the address") from None
            raise SourceError(
                f"{self._name}: the server says {error.code} {error.reason}; check the address"
            ) from None
        except (http.client.InvalidURL, ValueError):  # what they say may hold the password
            raise SourceError(
                f"{self._name}: is no whole address; a space is written %20, and / [ @ in a password %2F %5B %40"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(error) from None
        self.content_type = self._answer.headers.get("Content-Type", "")
        self.has_end = self._answer.headers.get("Content-Length") is not None

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes as soon as some are there; none at the end.

        Raises:
            SourceError: the stream is cut off, or nothing comes for as long as `timeout`.
        """
        try:
            data = self._answer.read1(size)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._failure(error) from None
        if not data and size and self._answer.length:
            raise SourceError(
                f"{self._name}: cut off with {self._answer.length:,} bytes to come; check the network"
            )
        return data

    def close(self) -> None:
        """Let go of the connection, also while another thread reads."""
        with suppress(OSError, AttributeError, ValueError):
            connection: Any = self._answer.fp
            connection.raw._sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError, ValueError):
            self._answer.close()

    def _failure(self, error: Exception) -> SourceError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            said = f"no data for {self._timeout:g} s"
        elif isinstance(error, http.client.IncompleteRead):
            said = "cut off"
        else:
            said = getattr(reason, "strerror", None) or type(reason).__name__
        return SourceError(f"{self._name}: cannot read it ({said}); check the address and the network")


def _without_user(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _opener(address: str) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    parts = urlsplit(address)
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, _without_user(address), user, password, is_authenticated=False)
    return urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )
