"""Where standard error is no terminal, a line now and then says how a training run goes."""

from __future__ import annotations

import pytest

from heatprop.cli.training_progress import TrainingProgress
from heatprop.lab.training.learning import Step, StepReport

STEP = Step({"total": 2.5, "heatmap": 1.25}, gradient_norm=3.0, rate=1e-3)


def report(done: int, waited: float = 0.0) -> StepReport:
    return StepReport(done, 400, 100, images=16, waited=waited, seconds=2.0, step=STEP)


def test_a_line_has_epoch_losses_speed_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(quiet=False, pause=0) as progress:
        progress.stepped(report(101))
    assert capsys.readouterr().err == (
        "heatprop: epoch 2 of 4, step 101 of 400: loss total 2.500, heatmap 1.250; 8.0 images/s; 0:09:58 left\n"
    )


def test_waiting_for_images_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(quiet=False, pause=0) as progress:
        progress.stepped(report(1, waited=1.0))
    assert "8.0 images/s (50 % waiting for images); " in capsys.readouterr().err


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(quiet=True, pause=0) as progress:
        progress.note("begins")
        progress.stepped(report(1))
        progress.validating(1, 2)
    assert capsys.readouterr().err == ""
