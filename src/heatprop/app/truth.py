"""How good detections of a run are where its video is annotated: average precision and false alarms.

What is needed for that is the extra ``evaluate``, imported when it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heatprop.app.run_folder import RunRecord
from heatprop.errors import InvalidConfigError, MissingPackageError
from heatprop.types import Detections

if TYPE_CHECKING:
    from heatprop.lab.datasets import VideoDataset

OVERLAP = 0.5
"""Least overlap of a detection with an object that it finds."""
_FORMS = "a folder of ImageNet VID's .xml files, a CocoVID .json file, or MOTChallenge's gt.txt"


def read_truth(record: RunRecord, frames: int) -> VideoDataset:
    """Return the annotations of a run's video: a dataset of one video, a row a frame.

    Args:
        record: of the run.
        frames: how many it has.

    Raises:
        DatasetError: the annotations are damaged.
        InvalidConfigError: they are of another kind, or of another video.
        MissingPackageError: the extra ``evaluate`` is not installed.
    """
    path = Path(record.truth or "")
    try:
        dataset = _read(path, record, frames)
    except ImportError as error:
        raise _missing(error) from None
    if dataset.frame_count != frames:
        raise InvalidConfigError(
            f"{path} annotates {dataset.frame_count:,} frames, and the run has {frames:,}; give those of its video"
        )
    return dataset


def check_truth(path: str) -> None:
    """Check that annotations are of a kind that can be read.

    Raises:
        InvalidConfigError: they are not there, or of another kind.
    """
    place = Path(path)
    if not place.exists():
        raise InvalidConfigError(f"{path}: there are no annotations; give {_FORMS}")
    is_known = place.suffix.lower() in (".json", ".txt") or (place.is_dir() and _is_annotated(place))
    if not is_known:
        raise InvalidConfigError(f"{path}: these annotations are of no known kind; give {_FORMS}")


def _is_annotated(folder: Path) -> bool:
    return (folder / "seqinfo.ini").is_file() or any(folder.glob("*.xml"))


def _read(path: Path, record: RunRecord, frames: int) -> VideoDataset:
    if path.is_dir() and not (path / "seqinfo.ini").is_file():
        return _read_xml(sorted(path.glob("*.xml")), path)
    if path.suffix.lower() == ".json":
        return _read_coco(path, record)
    return _read_mot(path, record, frames)


def _read_xml(files: Sequence[Path], folder: Path) -> VideoDataset:
    from heatprop.lab.datasets.annotations import Video, VideoDataset  # noqa: PLC0415 - an extra
    from heatprop.lab.datasets.imagenet_classes import VID_CLASS_IDS, VID_CLASSES  # noqa: PLC0415
    from heatprop.lab.datasets.imagenet_vid import read_annotations  # noqa: PLC0415

    sizes, truth = read_annotations(files)
    count = len(files)
    return VideoDataset(
        layout="imagenet-vid",
        root=folder,
        classes=VID_CLASSES,
        class_ids=VID_CLASS_IDS,
        videos=(Video(folder.name, 0, count),),
        frame_names=tuple(file.stem for file in files),
        frame_ids=np.arange(1, count + 1),
        image_paths=tuple(files),
        image_sizes=sizes,
        truth=truth,
    )


def _read_coco(path: Path, record: RunRecord) -> VideoDataset:
    from heatprop.lab.datasets.annotations import select_videos  # noqa: PLC0415 - an extra
    from heatprop.lab.datasets.coco_video import load_coco_video  # noqa: PLC0415

    dataset = load_coco_video(path)
    names = [video.name for video in dataset.videos]
    wanted = {record.name, Path(record.name).stem, Path(record.source).stem}
    found = [number for number, name in enumerate(names) if {name, Path(name).stem} & wanted]
    if len(names) == 1:
        found = [0]
    if len(found) != 1:
        said = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        raise InvalidConfigError(
            f"{path} annotates {len(names)} videos ({said}), and none alone is called {record.name}; "
            "rename the run to the one that is meant"
        )
    return select_videos(dataset, found)


def _read_mot(path: Path, record: RunRecord, frames: int) -> VideoDataset:
    from heatprop.lab.datasets.annotations import Video, VideoDataset  # noqa: PLC0415 - an extra
    from heatprop.lab.datasets.findings import refuse  # noqa: PLC0415
    from heatprop.lab.datasets.mot_sequence_info import SequenceInfo  # noqa: PLC0415
    from heatprop.lab.datasets.mot_truth import read_truth as read_mot  # noqa: PLC0415

    file = path / "gt" / "gt.txt" if path.is_dir() else path
    info = SequenceInfo("img1", ".jpg", frames, record.width, record.height)
    truth = read_mot(file, 0, info, refuse)
    return VideoDataset(
        layout="mot-challenge",
        root=file.parent,
        classes=("pedestrian",),
        class_ids=(1,),
        videos=(Video(file.parent.parent.name, 0, frames),),
        frame_names=tuple(f"{number:06d}" for number in range(1, frames + 1)),
        frame_ids=np.arange(1, frames + 1),
        image_paths=(file,) * frames,
        image_sizes=np.repeat([[record.width, record.height]], frames, axis=0),
        truth=truth.objects,
    )


def scored(
    dataset: VideoDataset, labels: Sequence[str], found: Iterable[tuple[int, Detections]]
) -> dict[str, Any]:
    """Return average precision over classes, false alarms a frame, and the share of objects found.

    What is scored is what is shown: below the threshold there is nothing. With a threshold of 0.05 it is the usual
    average precision at an overlap of 0.5.

    Args:
        dataset: of one video.
        labels: names of the model's classes.
        found: number of a frame, and what is shown in it.

    Raises:
        InvalidConfigError: the model and the annotations have no class in common.
        MissingPackageError: the extra ``evaluate`` is not installed.
    """
    try:
        from heatprop.lab.evaluation.detections import DetectionTable  # noqa: PLC0415 - an extra
        from heatprop.lab.evaluation.metrics.average_precision import precision_recall  # noqa: PLC0415
        from heatprop.lab.evaluation.metrics.overlap_matching import match_at  # noqa: PLC0415
        from heatprop.lab.evaluation.runs.class_matching import match_classes  # noqa: PLC0415
    except ImportError as error:
        raise _missing(error) from None
    classes = match_classes(labels, dataset.classes)
    label_of = np.full(len(labels), -1)
    label_of[classes.channels] = classes.labels
    shown = ((frame, _renamed(detections, label_of)) for frame, detections in found)
    matching = match_at(dataset, DetectionTable.from_frames(shown), OVERLAP)
    table, truth = matching.detections, matching.truth
    alarms = matching.false_alarms
    precisions = [
        precision_recall(
            table.scores[rows], matching.objects[rows] >= 0, alarms[rows].astype(np.float64), positives
        ).average_precision
        for label in range(len(dataset.classes))
        if (positives := int((truth.labels == label).sum()))
        for rows in [table.labels == label]
    ]
    objects = len(truth)
    return {
        "ap": _number(float(np.mean(precisions)) if precisions else math.nan),
        "false_alarms": _number(float(alarms.sum()) / dataset.frame_count),
        "found": _number(float((matching.objects >= 0).sum()) / objects if objects else math.nan),
    }


def _renamed(detections: Detections, label_of: np.ndarray[Any, np.dtype[np.int64]]) -> Detections:
    known = detections.select(label_of[detections.labels] >= 0)
    return replace(known, labels=label_of[known.labels])


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _missing(error: ImportError) -> MissingPackageError:
    if isinstance(error, MissingPackageError):
        return error
    return MissingPackageError(
        f"annotations need {error.name}, which is not installed; run: pip install 'heatprop[evaluate]'"
    )
