"""The page of `heatprop app` as a reader has it: the command as a process, and Chromium on its address."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import av
import pytest

PATIENCE = 60.0
"""Seconds after which something never happens."""
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--no-first-run",
)


class ServedApp:
    """`heatprop app` in a process of its own, on a folder.

    Attributes:
        address: the line that it prints: the page, with its token.
        origin: the same without path and token.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "heatprop", "app", "--no-browser", "--folder", str(folder), *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address.startswith("http://127.0.0.1:"), self.address
        parts = urlsplit(self.address)
        self.origin = f"{parts.scheme}://{parts.netloc}"

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as a service manager would."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[ServedApp]:
    """Run `heatprop app` on a folder until the end of the block."""
    app = ServedApp(folder, *arguments)
    try:
        yield app
    finally:
        app.stop()


@contextmanager
def chromium() -> Iterator[Any]:
    """Run Chromium without a window until the end of the block; skip, by name, where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(_CHROMIUM)} is installed")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def cut_out(video: Path, path: Path, first: int, frames: int) -> Path:
    """Write some frames of a video as one of their own."""
    with av.open(str(video)) as source, av.open(str(path), "w") as target:
        images = [
            frame.to_ndarray(format="rgb24") for frame in islice(source.decode(video=0), first, first + frames)
        ]
        stream = target.add_stream("libx264", rate=25, options={"crf": "16"})
        stream.height, stream.width, _ = images[0].shape
        stream.pix_fmt = "yuv420p"
        for image in images:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        target.mux(stream.encode(None))
    return path


class Visit:
    """A tab on the page, which takes note of what must not happen.

    Attributes:
        page: of playwright.
        complaints: errors of the page's scripts, and what the console says of errors.
        strangers: addresses of requests that left the server.
    """

    def __init__(self, browser: Any, app: ServedApp, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        own = (app.origin + "/", f"blob:{app.origin}/", "data:")
        self.context.on("request", lambda each: each.url.startswith(own) or self.strangers.append(each.url))
        self.page.goto(app.address)
        self.page.wait_for_selector("#model option", state="attached")

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def until(self, condition: str, argument: Any = None) -> None:
        """Wait until a function of the page is true. (The page's policy forbids what playwright waits with.)"""
        give_up = monotonic() + PATIENCE
        while not self.page.evaluate(condition, argument):
            assert monotonic() < give_up, f"still not true: {condition} {argument!r}; said: {self.complaints}"
            self.page.wait_for_timeout(15)

    def open_file(self, path: Path) -> None:
        """Give the page a file, and wait until it is detected and shown."""
        self.page.click("#open-new")
        self.page.set_input_files("#file", path)
        self.wait_until_shown(path.name)

    def wait_until_shown(self, name: str) -> None:
        """Wait until a run is done and its detections are drawn."""
        self.until("name => document.querySelector('#run-name').textContent === name", name)
        self.page.wait_for_selector("#watch:not([hidden])", timeout=120_000)
        self.wait_until_worked_through()

    def wait_until_worked_through(self) -> None:
        """Wait until the whole video has the settings of the sliders."""
        self.until(
            """() => document.querySelector('#tuning-text').textContent.match(/^All|is off/)
                && document.querySelector('#stage-note').hidden
                && !document.querySelector('#sentence').textContent.match(/^(So far|Working)/)"""
        )

    def go_to(self, frame: int) -> None:
        """Go to a frame by the keyboard, and wait until it is drawn."""
        self.page.evaluate("document.activeElement.blur()")
        self.page.keyboard.press("Home")
        for _ in range(frame):
            self.page.keyboard.press("ArrowRight")
        self.wait_for_frame(frame)

    def wait_for_frame(self, frame: int) -> None:
        """Wait until a frame is drawn with its boxes."""
        self.until(
            """frame => document.querySelector('#canvas').getAttribute('aria-label').startsWith(`Frame ${frame}.`)
                && document.querySelector('#strip').getAttribute('aria-valuenow') === String(frame)
                && document.querySelector('#stage-note').hidden""",
            frame,
        )

    def close(self) -> None:
        """Close the tab."""
        self.context.close()
