"""How a training run goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from heatprop.cli.messages import say

if TYPE_CHECKING:
    from heatprop.lab.training.learning import StepReport

_MEMORY = 0.95


class TrainingProgress:
    """Shows losses, images a second and time left on standard error; a context manager.

    Args:
        quiet: show nothing.
        pause: seconds between lines where standard error is no terminal.
    """

    def __init__(self, *, quiet: bool, pause: float = 20.0) -> None:
        self._quiet, self._pause = quiet, pause
        console = Console(stderr=True)
        self._has_bar = console.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
            disable=not self._has_bar,
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("reading", total=None, figures="")
        self._last_line = time.monotonic()
        self._speed = 0.0
        self._waited = 0.0

    def note(self, text: str) -> None:
        """Say a line that people should know."""
        if self._has_bar:
            self._bar.console.print(f"heatprop: {text}", markup=False, highlight=False, soft_wrap=True)
        elif not self._quiet:
            say(f"heatprop: {text}")

    def stepped(self, report: StepReport) -> None:
        """Show a step."""
        if self._quiet:
            return
        speed, waited = report.images / report.seconds, report.waited / report.seconds
        self._speed = _follow(self._speed, speed)
        self._waited = _follow(self._waited, waited)
        epoch, epochs = -(-report.done // report.steps_an_epoch), report.steps // report.steps_an_epoch
        losses = ", ".join(f"{name} {value:.3f}" for name, value in report.step.losses.items())
        left = (report.steps - report.done) * report.images / self._speed
        where = f"epoch {epoch} of {epochs}, step {report.done:,} of {report.steps:,}"
        figures = f"loss {losses}; {self._speed:.1f} images/s"
        if self._waited > 0.1:
            figures += f" ({100 * self._waited:.0f} % waiting for images)"
        figures += f"; {_clock(left)} left"
        self._bar.update(self._task, description=where, completed=report.done, total=report.steps, figures=figures)
        now = time.monotonic()
        if not self._has_bar and now - self._last_line >= self._pause:
            self._last_line = now
            say(f"heatprop: {where}: {figures}")

    def validating(self, done: int, total: int) -> None:
        """Show how far a validation is."""
        self._bar.update(self._task, description="validation", completed=done, total=total, figures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _follow(average: float, value: float) -> float:
    return value if not average else _MEMORY * average + (1 - _MEMORY) * value


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
