"""Which methods a report measures, which videos it is measured on, and how it tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from heatprop.errors import check_count
from heatprop.lab.datasets import Layout
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.reproduction.reported import ALPHAS, BETAS, RADII
from heatprop.offline.seqnms import SeqNmsConfig
from heatprop.propagation import PropagationConfig

BASES = {
    "network alone": Method(name="network"),
    "interpolation": Method(name="interpolation"),
    "HP": Method(propagation=PropagationConfig.paper()),
}
"""The three methods of table 1 before Seq-NMS."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which videos a report is made from; the defaults are those of the command.

    Attributes:
        layout: of the dataset.
        root: of the dataset; None makes a synthetic one in the report's folder.
        split: of the dataset.
        videos: of the synthetic dataset.
        frames: of each of these videos.
        seed: of the synthetic dataset.
        is_quick: whether it is the small report.
        timed_frames: how many frames are timed.

    Raises:
        InvalidConfigError: a number is below its least.
    """

    layout: Layout = "imagenet-vid"
    root: Path | None = None
    split: str = "test"
    videos: int = 90
    frames: int = 60
    seed: int = 0
    is_quick: bool = False
    timed_frames: int = 200

    def __post_init__(self) -> None:
        check_count("videos", self.videos, 1)
        check_count("frames", self.frames, 1)
        check_count("seed", self.seed, 0)
        check_count("timed_frames", self.timed_frames, 1)


def quick_plan(seed: int) -> Plan:
    """Return the plan of the small report: fewer and shorter videos, the same tables."""
    return Plan(videos=16, frames=30, seed=seed, is_quick=True, timed_frames=60)


def rescored(method: Method) -> Method:
    """Return a method with Seq-NMS after it."""
    return replace(method, seq_nms=SeqNmsConfig())


def table_1() -> list[Method]:
    """Return the six methods of table 1: each of `BASES` as it is, and rescored."""
    return [each for method in BASES.values() for each in (method, rescored(method))]


def ablations() -> dict[str, dict[float, Method]]:
    """Return the methods of tables 2, 4 and 5, by the setting that they change and its value."""
    paper = PropagationConfig.paper()

    def changed(**settings: float) -> Method:
        values = {"radius": paper.radius, "alpha": paper.alpha, "beta": paper.beta} | settings
        return Method(propagation=PropagationConfig(**values))  # type: ignore[arg-type]

    return {
        "radius": {value: changed(radius=value) for value in RADII},
        "alpha": {value: changed(alpha=value) for value in ALPHAS},
        "beta": {value: changed(beta=value) for value in BETAS},
    }


def curve_methods() -> dict[str, Method]:
    """Return the methods whose curves figure 5 shows, by name."""
    radii = ablations()["radius"]
    return {
        "network alone": BASES["network alone"],
        "interpolation": BASES["interpolation"],
        **{f"HP, P={value:g}": radii[value] for value in (1, 2, 5)},
    }


def all_methods() -> list[Method]:
    """Return every method of every table and figure, each once."""
    changed = (method for by_value in ablations().values() for method in by_value.values())
    return list(dict.fromkeys([*table_1(), *changed, *curve_methods().values()]))


@dataclass(frozen=True, slots=True)
class Steps:
    """What is told while a report is made.

    Attributes:
        begin: is called with the name of a step and how many frames it has.
        advance: is called with how many more are done.
        note: takes a line.
    """

    begin: Callable[[str, int], None] = lambda _name, _frames: None
    advance: Callable[[int], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None
