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


class _ShareColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:>3.0f}%")


class _Bar:
    """A bar that is there while its context lasts.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            _FrameColumn(),
            _RateColumn(),
            _ShareColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
            refresh_per_second=5,
        )

    def __enter__(self) -> Self:
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._progress.disable:  # rich 13 ends a bar that was not shown with an empty line
            self._progress.stop()


class FrameProgress(_Bar):
    """Shows how far a video is, where standard error is a terminal; a context manager.

    Args:
        name: what is worked on.
        total: number of frames; None for a source whose length is unknown: no percentage and no time left.
        quiet: show nothing.
    """

    def __init__(self, name: str, total: int | None, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._task = self._progress.add_task(name, total=total)

    def advance(self, frames: int = 1) -> None:
        """Count that many more frames."""
        self._progress.advance(self._task, frames)


class SourcesProgress(_Bar):
    """Shows several videos, a line each while it is worked on; a context manager, for several threads.

    Args:
        quiet: show nothing.
    """

    def frames(self, name: str, total: int | None) -> SourceProgress:
        """Return a line for one video, as `FrameProgress` is for a video alone."""
        return SourceProgress(self._progress, name, total)


class SourceProgress:
    """One line of `SourcesProgress`; it is there while its context lasts."""

    def __init__(self, progress: Progress, name: str, total: int | None) -> None:
        self._progress = progress
        self._name, self._total = name, total

    def __enter__(self) -> Self:
        self._task = self._progress.add_task(self._name, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.refresh()  # so that the last frame is seen
        self._progress.remove_task(self._task)

    def advance(self, frames: int = 1) -> None:
        """Count that many more frames."""
        self._progress.advance(self._task, frames)


class StepProgress(_Bar):
    """Shows steps that follow each other, one bar after another; a context manager.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
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
