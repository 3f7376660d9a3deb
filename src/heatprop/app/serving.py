"""The server: a socket, an event loop in a thread, and the library behind both."""

from __future__ import annotations

import secrets
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from heatprop.app.library import Library
from heatprop.app.routes import make_app
from heatprop.app.security import Gate, host_in_address
from heatprop.errors import OutputError

_SECONDS_TO_START = 30.0
_SECONDS_TO_STOP = 3


class AppServer:
    """Serves a folder of runs, from construction until `close`; a context manager.

    Args:
        folder: of the runs.
        host: at which it listens.
        port: likewise; 0 for one that is free.
        max_upload: bytes of an upload at most.
        token: of the address; None for a new one.

    Attributes:
        library: the runs.
        address: with the token.
        address_once: one that lets in a single time, for a browser that is started: others on the machine see what
            programs are started with.

    Raises:
        BusyError: another server has the folder.
        OutputError: it cannot listen there, or write the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_upload: int,
        token: str | None = None,
    ) -> None:
        token = token or secrets.token_urlsafe(24)
        listener = _listen(host, port)
        try:
            self.library = Library(folder, max_upload)
        except BaseException:
            listener.close()
            raise
        self.port = int(listener.getsockname()[1])
        self._app = make_app(self.library)
        self._app.state.is_stopping = False
        once = secrets.token_urlsafe(24)
        gate = Gate(self._app, token=token, once=once, host=host, port=self.port)
        place = f"http://{host_in_address(host)}:{self.port}/?token="
        self.address, self.address_once = place + token, place + once
        config = uvicorn.Config(
            gate,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            http="h11",
            ws="none",
            loop="asyncio",
            timeout_graceful_shutdown=_SECONDS_TO_STOP,
        )
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="heatprop-server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering, and end the runs, which can go on later."""
        self._app.state.is_stopping = True
        self._app.state.exports.stop()
        self._server.should_exit = True
        self._thread.join(2 * _SECONDS_TO_STOP)
        self._listener.close()
        self.library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        (family, *_, address), *_ = socket.getaddrinfo(
            host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OutputError(f"--host {host}: {error.strerror}; give an address of this machine") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OutputError(
            f"{host}:{port}: cannot listen there ({error.strerror}); choose another --port, or leave it out"
        ) from None
    return listener
