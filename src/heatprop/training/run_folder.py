"""The folder of a training run.

    last.pt      the averaged network, and all that is needed to go on
    best.pt      the averaged network that scored best on the validation set
    log.jsonl    a line for each step and each validation

Checkpoints are there whole or not at all, so that a run may be killed at any moment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from heatprop.datasets.annotations import VideoDataset
from heatprop.errors import HeatpropError, OutputError
from heatprop.evaluation.runs.whole_files import write_text
from heatprop.networks import CenterNet, save_checkpoint
from heatprop.networks.weights import read_pickle
from heatprop.training.config import TrainingConfig
from heatprop.training.config_files import config_from_json, config_to_json, differences
from heatprop.zoo import ModelCard

VERSION = 1
_MAY_CHANGE = (
    "data.train:",
    "data.validation:",
    "data.workers:",
    "run.device:",
    "run.threads:",
    "run.checkpoint_steps:",
)


class RunFolderError(HeatpropError, ValueError):
    """A folder holds another run, something else, or a damaged file; the message names it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: steps that are done.
        validated: step after which the last validation was.
        best: its highest average precision; below 0 before the first.
        unreadable: what is wrong with samples that could not be read, by number.
    """

    step: int = 0
    validated: int = 0
    best: float = -1.0
    unreadable: Mapping[int, str] = field(default_factory=dict)

    def after(self, unreadable: Mapping[int, str]) -> Progress:
        """Return the progress one step later."""
        return replace(self, step=self.step + 1, unreadable={**self.unreadable, **unreadable})


class RunFolder:
    """Checkpoints and log of one run; made, or opened again to go on.

    Args:
        path: the folder.
        config: of the run.
        dataset: what is learned from.

    Attributes:
        saved: the training state in ``last.pt``; None where there is none yet.

    Raises:
        RunFolderError: the folder holds another run, or other files.
        OutputError: it cannot be made.
    """

    def __init__(self, path: Path, config: TrainingConfig, dataset: VideoDataset) -> None:
        self.path = path
        self._config, self._fingerprint = config, fingerprint(dataset)
        self._log: TextIO | None = None
        try:
            path.mkdir(parents=True, exist_ok=True)
            held = [each.name for each in path.iterdir()]
        except OSError as error:
            raise OutputError(
                f"{path}: cannot make or read this folder ({error.strerror}); choose another"
            ) from None
        self.saved: Mapping[str, Any] | None = None
        if "last.pt" in held:
            self.saved = self._read_last()
        elif "log.jsonl" not in held and any(not name.endswith(".pt") for name in held):
            raise RunFolderError(f"{path} holds other files; give -o an empty folder or a new name")

    @property
    def progress(self) -> Progress:
        """How far the run was when it was saved."""
        return Progress() if self.saved is None else Progress(**self.saved["progress"])

    def _read_last(self) -> Mapping[str, Any]:
        path = self.path / "last.pt"
        content = read_pickle(path)
        saved = content.get("training") if isinstance(content, Mapping) else None
        if not isinstance(saved, Mapping) or saved.get("version") != VERSION:
            raise RunFolderError(f"{path} is no checkpoint to go on from; give -o another folder")
        old = config_from_json(saved["config"], f"{path}")
        changed = [each for each in differences(old, self._config) if not each.startswith(_MAY_CHANGE)]
        if changed:
            raise RunFolderError(
                f"{self.path} holds a run with other settings ({'; '.join(changed)}); "
                "give -o another folder, or the settings of before"
            )
        if saved["fingerprint"] != self._fingerprint:
            raise RunFolderError(
                f"{self.path} holds a run on other data (names or boxes differ); give -o another folder"
            )
        return saved

    def save(
        self,
        average: CenterNet,
        network: CenterNet,
        optimiser: torch.optim.Optimizer,
        card: ModelCard,
        progress: Progress,
    ) -> None:
        """Write ``last.pt``.

        Raises:
            OutputError: it cannot be written; the one before stays.
        """
        state = {
            "version": VERSION,
            "config": config_to_json(self._config),
            "fingerprint": self._fingerprint,
            "progress": {
                "step": progress.step,
                "validated": progress.validated,
                "best": progress.best,
                "unreadable": dict(progress.unreadable),
            },
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
        }
        if self._log is not None:
            self._log.flush()
        save_checkpoint(self.path / "last.pt", average, card, training_state=state, overwrite=True)

    def save_best(self, average: CenterNet, card: ModelCard) -> None:
        """Write ``best.pt``.

        Raises:
            OutputError: it cannot be written; the one before stays.
        """
        save_checkpoint(self.path / "best.pt", average, card, overwrite=True)

    def open_log(self, step: int) -> None:
        """Begin, or go on with, the log; lines of later steps than `step` are dropped: they will come again."""
        path = self.path / "log.jsonl"
        kept = []
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        kept.append(line)
                except (ValueError, KeyError):
                    continue
        write_text(path, "".join(f"{line}\n" for line in kept))
        self._log = path.open("a", encoding="utf-8")

    def log(self, entry: Mapping[str, Any]) -> None:
        """Write a line of the log, which has the key ``step``."""
        assert self._log is not None
        self._log.write(json.dumps(entry, allow_nan=False) + "\n")

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()


def fingerprint(dataset: VideoDataset) -> str:
    """Return a hash of the names of all frames and what is in them."""
    digest = hashlib.sha256("\n".join([*dataset.classes, *dataset.frame_names]).encode())
    for column in (dataset.truth.frames, dataset.truth.labels, dataset.truth.boxes):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
