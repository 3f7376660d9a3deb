"""`heatprop app`: a local page for looking at detections and tuning propagation."""

from __future__ import annotations

import sys
import threading
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import tyro

from heatprop.cli.messages import error, say
from heatprop.errors import HeatpropError, InvalidConfigError, MissingPackageError, check_count, check_range
from heatprop.interrupts import Interrupted, check
from heatprop.io.addresses import camera_named, is_address

if TYPE_CHECKING:
    from heatprop.app.serving import AppServer

_SECONDS_BETWEEN_CHECKS = 0.1
_LARGEST_UPLOAD = 1e4


@dataclass(frozen=True, slots=True)
class App:
    """Look at detections and tune propagation, in the browser.
    $ heatprop app
    $ heatprop app street.mp4
    $ heatprop app street.mp4 camera:0 --no-browser --port 8700

    The page runs the network once over a video and keeps what it said, so that propagation follows the sliders at
    once. Nothing leaves this machine: the server answers this machine alone, and only who has the token in its
    address. Runs are kept, and are there again next time. Ctrl-C ends it.
    """

    sources: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[SOURCE ...]", help_behavior_hint="")
    ] = ()
    """Videos, addresses, cameras (camera:0), folders of images, or files of detect --json, to begin with."""
    host: Annotated[str, tyro.conf.arg(metavar="ADDRESS")] = "127.0.0.1"
    """Address of this machine to listen at; with another than 127.0.0.1 others on the network reach it, too."""
    port: Annotated[int, tyro.conf.arg(metavar="PORT", help_behavior_hint="")] = 0
    """Port to listen at; default: one that is free."""
    no_browser: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print the address alone."""
    folder: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Where runs are kept; default: a folder for data of applications in your home."""
    max_upload: Annotated[float, tyro.conf.arg(metavar="GB")] = 4.0
    """Largest file that the page takes, in GB; one on this machine is better named by its path."""

    def run(self) -> int:
        """Serve until Ctrl-C, and return the exit code.

        Raises:
            HeatpropError: it cannot listen, or a source is wrong.
        """
        check_count("--port", self.port, 0, 65535)
        check_range("--max-upload", self.max_upload, 0.001, _LARGEST_UPLOAD)
        if not self.host:
            raise InvalidConfigError("--host is empty; give an address of this machine, such as 127.0.0.1")
        server_kind = _import_server()
        # Frames are scaled side by side; threads within one would only take turns with those of the network.
        cv2.setNumThreads(1)
        folder = (_default_folder() if self.folder is None else self.folder).absolute()
        with server_kind(
            folder, host=self.host, port=self.port, max_upload=round(self.max_upload * 1e9)
        ) as server:
            sys.stdout.write(f"{server.address}\n")
            sys.stdout.flush()
            try:
                for damage in server.library.damaged:
                    error(damage)
                for source in self.sources:
                    self._begin(server, source)
                if not self.no_browser:
                    threading.Thread(target=webbrowser.open, args=(server.address_once,), daemon=True).start()
                while True:
                    check()
                    time.sleep(_SECONDS_BETWEEN_CHECKS)
            except Interrupted as stop:
                say("heatprop: stopped; runs are kept, and those that were cut off can go on")
                return stop.exit_code

    def _begin(self, server: AppServer, source: str) -> None:
        is_path = not is_address(source) and camera_named(source) is None
        try:
            server.library.begin({"source": str(Path(source).absolute()) if is_path else source})
        except HeatpropError as problem:
            error(problem)


def _import_server() -> type[AppServer]:
    try:
        from heatprop.app.serving import AppServer  # noqa: PLC0415 - what it needs is an extra
    except ImportError as problem:
        package = (problem.name or "").partition(".")[0]
        raise MissingPackageError(
            f"heatprop app needs {package}, which is not installed; run: pip install 'heatprop[app]'"
        ) from None
    return AppServer


def _default_folder() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415 - likewise

    return user_data_path("heatprop", appauthor=False) / "app"
