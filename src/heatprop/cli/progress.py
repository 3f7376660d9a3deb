"""The progress bar on standard error: frames, frames a second, time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _FrameColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f" / {task.total:,.0f}"
        return Text(f"{task.completed:,.0f}{total} frames")


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f} fps", style="cyan")


class FrameProgress:
    """Shows how far a video is, where standard error is a terminal; a context manager.

    Args:
        name: what is worked on.
        total: number of frames; None for a source whose length is unknown: no percentage and no time left.
        quiet: show nothing.
    """

    def __init__(self, name: str, total: int | None, *, quiet: bool) -> None:
        console = Console(stderr=True)
        ahead = (
            (TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn(compact=True))
            if total is not None
            else ()
        )
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            _FrameColumn(),
            _RateColumn(),
            *ahead,
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
            refresh_per_second=5,
        )
        self._task = self._progress.add_task(name, total=total)

    def advance(self, frames: int = 1) -> None:
        """Count that many more frames."""
        self._progress.advance(self._task, frames)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
