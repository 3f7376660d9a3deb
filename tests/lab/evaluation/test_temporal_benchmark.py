"""`benchmarks/temporal.py` chooses settings by other clips than those it reports."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from heatprop.lab.evaluation.runs.comparison import ComparisonRow, ComparisonSettings
from heatprop.lab.evaluation.runs.temporal import TemporalMethod
from lab.evaluation.small_datasets import make_dataset

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def temporal() -> Iterator[ModuleType]:
    """Return the benchmark as a module; its packages of others need not be installed."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("temporal")
    sys.path.remove(str(BENCHMARKS))


def row(title: str, *by_video: float) -> ComparisonRow:
    """Return a row with one figure, of each video."""
    return ComparisonRow(
        method=TemporalMethod(title=title),
        names=("AP50",),
        values=np.zeros(1),
        resampled=np.zeros((1, 1)),
        by_video=np.array(by_video).reshape(-1, 1),
        milliseconds=len(title),
    )


def test_a_clip_has_no_say_in_its_own_setting(temporal: ModuleType) -> None:
    rows = [row("a", 0.5, 0.5, 0.5), row("bb", 0.9, 0.4, 0.4), row("cc", 0.3, 0.6, 0.6)]
    choice = temporal.leave_one_out(rows, ("AP50",))
    # Without the first clip "cc" is best, though "bb" is on the first; without another one "bb" is.
    assert choice == [2, 1, 1]
    mixed = temporal.mixed(rows, choice)
    assert mixed.by_video[:, 0].tolist() == [0.3, 0.4, 0.4]


def test_figures_of_clips_count_each_clip_once_that_has_them(temporal: ModuleType) -> None:
    settings = ComparisonSettings(resamples=200)
    averaged = temporal.over_clips(row("a", 0.2, 0.4, np.nan), settings)
    assert averaged.values.tolist() == [pytest.approx(0.3)]
    known = averaged.resampled[~np.isnan(averaged.resampled)]
    assert known.min() == pytest.approx(0.2)
    assert known.max() == pytest.approx(0.4)


def test_each_family_begins_with_what_is_recommended(temporal: ModuleType) -> None:
    for family in temporal.families():
        assert len(family.candidates) == len(family.settings) > 1
        assert {method.title for method in family.candidates} == {family.title}


def test_the_first_videos_are_a_dataset(temporal: ModuleType) -> None:
    dataset = make_dataset([(row, 0, 0, (0, 0, 9, 9)) for row in range(6)], (2, 1, 3))
    part = temporal.first_videos(dataset, 2)
    assert (part.frame_count, len(part.videos), len(part.truth)) == (3, 2, 3)
    assert temporal.first_videos(dataset, None).frame_count == 6
