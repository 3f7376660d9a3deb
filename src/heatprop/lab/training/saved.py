"""What a checkpoint holds beside the network, so that a run goes on as if it had not been stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from heatprop.errors import InvalidConfigError
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.training.config import TrainingConfig
from heatprop.lab.training.config_files import config_from_json, config_to_json, differences
from heatprop.lab.training.learning import Learner

VERSION = 1
_MAY_CHANGE = (  # where things are, and how the machine is used
    "data.train:",
    "data.validation:",
    "data.workers:",
    "run.checkpoint_steps:",
    "run.device:",
    "run.tensorboard:",
    "run.threads:",
)


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: steps that are done.
        ended: the last step at which an epoch's end was dealt with.
        best: highest average precision; below 0 before the first validation.
        unreadable: what is wrong with samples that could not be read, by number.
    """

    step: int = 0
    ended: int = 0
    best: float = -1.0
    unreadable: dict[int, str] = field(default_factory=dict)


def state_of(learner: Learner, progress: Progress, data: str) -> dict[str, Any]:
    """Return what `restore` needs; `data` is the `fingerprint` of what is learned from."""
    return {
        "version": VERSION,
        "config": config_to_json(learner.config),
        "data": data,
        "progress": asdict(progress),
        "network": learner.network.state_dict(),
        "optimiser": learner.optimiser.state_dict(),
    }


def restore(learner: Learner, saved: Mapping[str, Any]) -> Progress:
    """Put a learner into the state that was saved, and return how far it was."""
    learner.network.load_state_dict(saved["network"])
    learner.optimiser.load_state_dict(saved["optimiser"])
    learner.average.network.load_state_dict(saved["average"])
    return Progress(**saved["progress"])


def require_same(folder: Path, saved: Mapping[str, Any], config: TrainingConfig, data: str) -> None:
    """Check that a run goes on with the settings and the data that it began with.

    Raises:
        InvalidConfigError: it does not; the message names what has changed.
    """
    old = config_from_json(saved["config"], f"{folder}")
    changed = [each for each in differences(old, config) if not each.startswith(_MAY_CHANGE)]
    if changed:
        raise InvalidConfigError(
            f"{folder} holds a run with other settings ({'; '.join(changed)}); "
            "give -o another folder, or the settings of before"
        )
    if saved["data"] != data:
        raise InvalidConfigError(
            f"{folder} holds a run on other data: classes, frames or boxes differ; give -o another folder, "
            "or the data of before"
        )


def fingerprint(dataset: VideoDataset) -> str:
    """Return a hash of the names of all classes and frames and of what is in them."""
    digest = hashlib.sha256("\n".join([*dataset.classes, "", *dataset.frame_names]).encode())
    for column in (dataset.truth.frames, dataset.truth.labels, dataset.truth.boxes):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
