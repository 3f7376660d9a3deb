"""`heatprop train`: a network for your own classes, or the paper's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from heatprop.cli.interrupts import Interrupted, Interrupts
from heatprop.cli.messages import error, say
from heatprop.errors import HeatpropError

if TYPE_CHECKING:
    from heatprop.training.engine import StepReport

_SECONDS_BETWEEN_LINES = 20.0


@dataclass(frozen=True, slots=True)
class Train:
    """Train a CenterNet on an annotated dataset, as a TOML file says.
    $ heatprop train --config experiments/imagenet-vid-r101.toml -o runs/r101
    $ heatprop train --config own.toml --set optimiser.learning_rate=1e-4 -o runs/own

    A killed run goes on where it was: run the same command again.
    """

    config: Annotated[Path, tyro.conf.arg(metavar="FILE.toml")]
    """What to train, on what, and how."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="RUN_DIR")]
    """Folder of the run: last.pt, best.pt and the log; a run that is in it already goes on."""
    set: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(metavar="SECTION.KEY=VALUE", help_behavior_hint=""),
    ] = ()
    """Change a key of the file; may be given several times."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress and no notes; errors are still said."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad.
        """
        from heatprop.training.config_files import read_config  # noqa: PLC0415 - loads PyTorch
        from heatprop.training.engine import Run  # noqa: PLC0415

        config = read_config(self.config, self.set)
        try:
            with Interrupts() as interrupts:
                run = Run(config, self.output, _Lines(quiet=self.quiet), interrupts.held)
                try:
                    run.train()
                except (HeatpropError, OSError) as problem:
                    error(problem)
                    return 1
        except Interrupted as interrupted:
            if not self.quiet:
                say("heatprop: interrupted; what is done is kept: run the same command to go on")
            return interrupted.exit_code
        return 0


class _Lines:
    """Says how a run goes, a line now and then."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said = time.monotonic()
        self._speed = 0.0

    def note(self, text: str) -> None:
        if not self._quiet:
            say(f"heatprop: {text}")

    def stepped(self, report: StepReport) -> None:
        speed = report.images / report.seconds
        self._speed = speed if not self._speed else 0.95 * self._speed + 0.05 * speed
        now = time.monotonic()
        if self._quiet or (now - self._said < _SECONDS_BETWEEN_LINES and report.step < report.steps):
            return
        self._said = now
        left = (report.steps - report.step) * report.images / self._speed
        epoch = -(-report.step // report.steps_an_epoch)
        losses = ", ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
        say(
            f"epoch {epoch}, step {report.step:,} / {report.steps:,}: {losses}; rate {report.rate:.2g}, "
            f"{self._speed:.1f} images/s ({100 * report.waited / report.seconds:.0f} % waiting), "
            f"{_clock(left)} left"
        )

    def validating(self, frames: int, total: int) -> None:
        pass


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
