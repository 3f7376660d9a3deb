"""The methods whose identities are compared, and their settings: the recommended ones first, then a small grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product

from peers.norfair_tracker import NorfairSettings, norfair
from peers.roboflow import RoboflowSettings, roboflow
from peers.seq_bbox_ids import seq_bbox_ids

from heatprop.lab.evaluation.runs.temporal import Step, TemporalMethod, head_methods
from heatprop.offline.joining import join_tracks
from heatprop.offline.seqbbox import SeqBboxConfig
from heatprop.offline.seqnms import seq_nms
from heatprop.types import Detections, ImageArray
from identities.shown import ShownSettings, shown

ADAPTIVE = "HP, adaptive"
"""The method that the others are compared with."""

_LEASTS = (0.2, 0.3, 0.4, 0.5)
_MEMORIES = (10, 30)


@dataclass(frozen=True)
class Footage:
    """What a video is beside its detections.

    Attributes:
        images: of each frame; None where none are given.
        frame_rate: frames a second.
    """

    images: Sequence[ImageArray] | None = None
    frame_rate: float = 30.0


@dataclass(frozen=True)
class Candidate:
    """A method with one setting.

    Attributes:
        words: what the setting is.
        run: makes of the detections of a video those that are shown, with ids.
        takes_footage: whether `run` also takes `images` and `frame_rate`.
    """

    words: str
    run: Callable[..., list[Detections]]
    takes_footage: bool = False

    def __call__(self, detections: Sequence[Detections], footage: Footage) -> list[Detections]:
        """Return what is shown in each frame."""
        if not self.takes_footage:
            return self.run(detections)
        return self.run(detections, images=footage.images, frame_rate=footage.frame_rate)


@dataclass(frozen=True)
class Family:
    """One method with several settings.

    Attributes:
        title: how tables call it.
        head: what makes detections of the network's output.
        candidates: the recommended setting first.
        online: whether it knows only the frames up to the present one.
        takes_images: whether it looks at them, where they are given.
    """

    title: str
    head: TemporalMethod
    candidates: tuple[Candidate, ...]
    online: bool = True
    takes_images: bool = False


def families(images: bool = True) -> list[Family]:
    """Return our methods, and those of the packages that are installed.

    Args:
        images: whether methods that look at images will be given any; if not, their titles say so.
    """
    alone, _, paper, adaptive = head_methods()
    found = [
        Family(ADAPTIVE, adaptive, _shown()),
        Family("HP, the paper's", paper, _shown()),
        Family(f"{ADAPTIVE}, joined", adaptive, _shown(then=[join_tracks]), online=False),
        Family(f"{ADAPTIVE} + Seq-NMS, joined", adaptive, _shown(seq_nms, then=[join_tracks]), online=False),
        Family("Seq-Bbox Matching", alone, _seq_bbox()),
    ]
    if find_spec("trackers") and find_spec("supervision"):
        bot_sort = "BoT-SORT" if images else "BoT-SORT without images"
        found += [
            Family("SORT", alone, _roboflow("SORTTracker", _sort())),
            Family("ByteTrack", alone, _roboflow("ByteTrackTracker", _bytetrack())),
            Family("OC-SORT", alone, _roboflow("OCSORTTracker", _oc_sort())),
            Family(bot_sort, alone, _roboflow("BoTSORTTracker", _bot_sort()), takes_images=True),
            Family("C-BIoU", alone, _roboflow("CBIoUTracker", _cbiou())),
        ]
    if find_spec("norfair"):
        found.append(Family("norfair", alone, _norfair()))
    return found


def _choices() -> list[ShownSettings]:
    """Return what is tried of when an object is shown, for every method that leaves it open."""
    grid = product((0.2, 0.3, 0.4, 0.5, 0.6), (0.1, 0.2, 0.3, 0.4, 0.5), (1, 2, 3))
    return [
        ShownSettings(),
        *(ShownSettings(first=first, stays=stays, frames=n) for first, stays, n in grid if stays <= first),
    ]


def _shown(*before: Step, then: Sequence[Step] = ()) -> tuple[Candidate, ...]:
    """Return steps before and after it is settled what is shown, with each choice of that."""
    return tuple(
        Candidate(str(each), partial(_in_order, steps=(*before, partial(shown, settings=each), *then)))
        for each in _choices()
    )


def _in_order(detections: Sequence[Detections], steps: Iterable[Step]) -> list[Detections]:
    found = list(detections)
    for step in steps:
        found = step(found)
    return found


def _seq_bbox() -> tuple[Candidate, ...]:
    configs = [SeqBboxConfig(min_iou=each) for each in (0.3, 0.1, 0.5)]
    return tuple(
        Candidate(
            f"min_iou {config.min_iou:g}, {choice}",
            partial(
                _in_order,
                steps=(
                    partial(seq_bbox_ids, config=config, least=choice.stays),
                    partial(shown, settings=choice),
                ),
            ),
        )
        for config, choice in product(configs, _choices())
    )


def _roboflow(tracker: str, grid: Iterable[tuple[float, dict[str, float]]]) -> tuple[Candidate, ...]:
    """Return a tracker as its package has it, and with each of (least score that it is given, its options)."""
    settings = [
        RoboflowSettings(tracker=tracker, in_seconds=True),
        *(RoboflowSettings(tracker=tracker, least=least, options=tuple(each.items())) for least, each in grid),
    ]
    return tuple(Candidate(str(each), partial(roboflow, settings=each), takes_footage=True) for each in settings)


def _sort() -> list[tuple[float, dict[str, float]]]:
    return [
        (
            least,
            {
                "track_activation_threshold": least,
                "minimum_iou_threshold": iou,
                "lost_track_buffer": memory,
                "minimum_consecutive_frames": frames,
            },
        )
        for least, iou, memory, frames in product(_LEASTS, (0.1, 0.3), _MEMORIES, (1, 3))
    ]


def _bytetrack() -> list[tuple[float, dict[str, float]]]:
    grid = product((0.3, 0.4, 0.5), (0.4, 0.6), (0.1, 0.2), _MEMORIES, (1, 2), (0.1, 0.2))
    return [
        (
            least,
            {
                "high_conf_det_threshold": high,
                "track_activation_threshold": max(start, high),
                "minimum_iou_threshold": iou,
                "lost_track_buffer": memory,
                "minimum_consecutive_frames": frames,
            },
        )
        for high, start, iou, memory, frames, least in grid
    ]


def _oc_sort() -> list[tuple[float, dict[str, float]]]:
    return [
        (
            0.05,
            {
                "high_conf_det_threshold": high,
                "minimum_iou_threshold": iou,
                "lost_track_buffer": memory,
                "minimum_consecutive_frames": frames,
                "direction_consistency_weight": weight,
            },
        )
        for high, iou, memory, frames, weight in product(_LEASTS, (0.1, 0.3), _MEMORIES, (1, 3), (0.0, 0.2))
    ]


def _bot_sort() -> list[tuple[float, dict[str, float]]]:
    grid = product((0.3, 0.4, 0.5), (0.3, 0.4, 0.6), (0.1, 0.2), _MEMORIES, (1, 2))
    return [
        (
            0.05,
            {
                "high_conf_det_threshold": high,
                "track_activation_threshold": max(start, high),
                "minimum_iou_threshold_first_assoc": iou,
                "lost_track_buffer": memory,
                "minimum_consecutive_frames": frames,
            },
        )
        for high, start, iou, memory, frames in grid
    ]


def _cbiou() -> list[tuple[float, dict[str, float]]]:
    grid = product((0.3, 0.4, 0.5), (0.3, 0.4, 0.6), _MEMORIES, (1, 2), (0.1, 0.3))
    return [
        (
            0.05,
            {
                "high_conf_det_threshold": high,
                "track_activation_threshold": max(start, high),
                "lost_track_buffer": memory,
                "minimum_consecutive_frames": frames,
                "buffer_ratio_first": ratio,
                "buffer_ratio_second": ratio + 0.2,
            },
        )
        for high, start, memory, frames, ratio in grid
    ]


def _norfair() -> tuple[Candidate, ...]:
    grid = product(_LEASTS, (0.5, 0.7, 0.9), ((15, 0), (15, 3), (5, 2), (30, 3)))
    settings = [
        NorfairSettings(),
        *(
            NorfairSettings(
                min_score=least, distance_threshold=distance, hit_counter_max=lives, initialization_delay=delay
            )
            for least, distance, (lives, delay) in grid
        ),
    ]
    return tuple(Candidate(str(each), partial(norfair, settings=each)) for each in settings)
