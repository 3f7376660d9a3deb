"""What a run tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from heatprop.lab.training.learning import Step


@dataclass(frozen=True, slots=True)
class StepReport:
    """How far a run is after a step.

    Attributes:
        done: steps that are done.
        steps: of the whole run.
        steps_an_epoch: of each epoch.
        images: of a step, over all processes.
        waited: seconds that the step waited for pictures.
        seconds: that it took in all.
        step: what came out of it.
    """

    done: int
    steps: int
    steps_an_epoch: int
    images: int
    waited: float
    seconds: float
    step: Step


class Watcher(Protocol):
    """Is told how a run goes."""

    def note(self, text: str) -> None:
        """Take a line that people should know."""

    def stepped(self, report: StepReport) -> None:
        """Take note that a step is done."""

    def validating(self, done: int, total: int) -> None:
        """Take note that so many frames of the validation set are done."""
