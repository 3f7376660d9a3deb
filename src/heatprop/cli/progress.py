"""The progress bar on standard error: frames, frames a second, time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
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
        self._progress = _bar(quiet=quiet, with_end=total is not None)
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


class StepProgress:
    """Shows steps that follow each other, one bar after another; a context manager.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._progress = _bar(quiet=quiet, with_end=True)
        self._task: TaskID | None = None

    def begin(self, name: str, frames: int) -> None:
        """Let a step take the place of the one before."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=frames)

    def advance(self, frames: int) -> None:
        """Count that many more frames of the step."""
        if self._task is not None:
            self._progress.advance(self._task, frames)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def _bar(*, quiet: bool, with_end: bool) -> Progress:
    console = Console(stderr=True)
    ahead = (TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn(compact=True)) if with_end else ()
    return Progress(
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
