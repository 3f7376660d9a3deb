"""The settings that are tried of each method: the recommended ones first, then a small grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product

from heatprop.lab.evaluation.runs.temporal import TemporalMethod, head_methods, seq_bbox_online
from heatprop.offline.seqbbox import SeqBboxConfig, seq_bbox
from heatprop.propagation import AdaptationConfig, PropagationConfig
from peers.bytetrack import ByteTrackSettings, bytetrack
from peers.norfair_tracker import NorfairSettings, norfair


@dataclass(frozen=True)
class Family:
    """One method with several settings.

    Attributes:
        title: how tables call it.
        candidates: the method with each setting, the recommended one first.
        settings: what each is, in words.
    """

    title: str
    candidates: tuple[TemporalMethod, ...]
    settings: tuple[str, ...]


def families() -> list[Family]:
    """Return the methods with something to tune, and those of the packages that are installed."""
    alone = head_methods()[0]
    balances = product((1, 2), (0.6, 0.8, 0.9, 0.98))
    propagation = [
        PropagationConfig.paper(),
        *(PropagationConfig(radius=radius, alpha=alpha) for radius, alpha in balances),
    ]
    adaptations = [AdaptationConfig(), *_adaptations()]
    online = [SeqBboxConfig(), *(SeqBboxConfig(min_iou=iou) for iou in (0.0, 0.1, 0.2, 0.4, 0.5, 0.6))]
    offline = [
        SeqBboxConfig(),
        *(SeqBboxConfig(min_iou=iou, max_gap=gap) for iou, gap in product((0.1, 0.3, 0.5, 0.6), (0, 2, 5, 10))),
    ]
    found = [
        Family(
            "HP",
            tuple(TemporalMethod(title="HP", propagation=config) for config in propagation),
            tuple(f"P={config.radius}, alpha {config.alpha:g}" for config in propagation),
        ),
        Family(
            "HP, adaptive",
            tuple(
                TemporalMethod(title="HP, adaptive", propagation=PropagationConfig(adaptation=each))
                for each in adaptations
            ),
            tuple(str(each) for each in adaptations),
        ),
        _family("Seq-Bbox Matching, online", alone, seq_bbox_online, online),
        _family("Seq-Bbox Matching, offline", alone, seq_bbox, offline, online=False),
    ]
    if find_spec("trackers") and find_spec("supervision"):
        found.append(_family("ByteTrack + smoothing", alone, bytetrack, _bytetrack_settings()))
    if find_spec("norfair"):
        found.append(_family("norfair", alone, norfair, _norfair_settings()))
    return found


def _adaptations() -> list[AdaptationConfig]:
    grid = product((0.0, 0.1, 0.2), (3, 5, 10), (0.5, 1.0))
    return [
        *(AdaptationConfig(boost=boost, max_length=length, leaving=leaving) for boost, length, leaving in grid),
        *(AdaptationConfig(decay=decay) for decay in (0.5, 1.0)),
    ]


def _bytetrack_settings() -> list[ByteTrackSettings]:
    grid = product((0.6, 0.3, 0.1), (0.1, 0.3), (2, 5), (False, True))
    return [
        ByteTrackSettings(),
        *(
            ByteTrackSettings(
                high_conf_det_threshold=high,
                track_activation_threshold=min(high, ByteTrackSettings.track_activation_threshold),
                minimum_iou_threshold=iou,
                length=length,
                keeps_untracked=keeps,
            )
            for high, iou, length, keeps in grid
        ),
    ]


def _norfair_settings() -> list[NorfairSettings]:
    grid = product((0.5, 0.7), ((15, 0), (5, 2), (3, 0)), (0.1, 0.25), (False, True))
    return [
        NorfairSettings(),
        *(
            NorfairSettings(
                distance_threshold=distance,
                hit_counter_max=lives,
                initialization_delay=delay,
                min_score=least,
                keeps_untracked=keeps,
            )
            for distance, (lives, delay), least, keeps in grid
        ),
    ]


def _family(
    title: str, alone: TemporalMethod, run: Callable[..., object], settings: list[object], *, online: bool = True
) -> Family:
    """Return a family of methods on the detections of the network alone."""
    return Family(
        title,
        tuple(alone.then(title, partial(run, **{_name_of(each): each}), online=online) for each in settings),
        tuple(str(each) for each in settings),
    )


def _name_of(settings: object) -> str:
    return "config" if isinstance(settings, SeqBboxConfig) else "settings"
