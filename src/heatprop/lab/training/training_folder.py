"""The folder of a training run.

    last.pt         the averaged network, and all that is needed to go on
    best.pt         the averaged network that scored best on the validation set
    log.jsonl       a line for each step and each validation
    unreadable.txt  images that could not be read, where there are any
    tensorboard/    scalars and images

Checkpoints are there whole or not at all, so that a run may be killed at any moment. One process at a time trains
there: it claims the folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from heatprop.errors import HeatpropError, OutputError
from heatprop.io.whole_files import write_text
from heatprop.lab.manifest_folder import FolderKind, ManifestFolder
from heatprop.lab.networks import CenterNet, save_checkpoint
from heatprop.lab.networks.weights import read_pickle
from heatprop.lab.training.saved import VERSION
from heatprop.zoo import ModelCard

LAST, BEST, LOG, UNREADABLE, BOARD = "last.pt", "best.pt", "log.jsonl", "unreadable.txt", "tensorboard"
_FORMER_LOCK = "run.lock"  # of runs by former versions


class TrainingFolderError(HeatpropError, ValueError):
    """A folder holds another run, something else, or a damaged file; the message names it."""


_KIND = FolderKind(
    manifest=LAST,
    ours=frozenset({LAST, BEST, LOG, UNREADABLE, BOARD, _FORMER_LOCK}),
    error=TrainingFolderError,
    foreign="{folder} holds other files, as {first}; give -o an empty folder or a new name",
)


class TrainingFolder(ManifestFolder):
    """Checkpoints and log of one run; a context manager, which holds the folder while it is open.

    Args:
        path: the folder.

    Raises:
        TrainingFolderError: the folder holds other files.
        BusyError: another process trains in it.
        OutputError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _KIND)
        self._log: TextIO | None = None
        self._claim = self.claim()
        try:
            self.refuse_others()
            for leftover in path.glob("*.part*.pt"):  # of a run that was killed while it wrote
                leftover.unlink(missing_ok=True)
            (path / _FORMER_LOCK).unlink(missing_ok=True)
        except OSError as error:
            self._claim.release()
            raise OutputError(
                f"{path}: cannot make a run there ({error.strerror}); choose another folder"
            ) from None
        except BaseException:
            self._claim.release()
            raise

    def saved(self) -> Mapping[str, Any] | None:
        """Return what is in ``last.pt``; None where there is none yet.

        Raises:
            ModelError: it is damaged.
            TrainingFolderError: it is no checkpoint of a run.
        """
        path = self.path / LAST
        if not path.exists():
            return None
        content = read_pickle(path)
        training = content.get("training") if isinstance(content, Mapping) else None
        if not isinstance(training, Mapping) or training.get("version") != VERSION:
            raise TrainingFolderError(
                f"{path} is no checkpoint that a run could go on from; give -o another folder"
            )
        return {"average": content["state_dict"], **training}

    def save(self, average: CenterNet, card: ModelCard, state: Mapping[str, Any]) -> None:
        """Write ``last.pt``: a network that can be used, and beside it the state to go on from.

        Raises:
            OutputError: it cannot be written; the one before stays.
        """
        if self._log is not None:
            self._log.flush()
        save_checkpoint(self.path / LAST, average, card, training_state=state, overwrite=True)

    def save_best(self, average: CenterNet, card: ModelCard) -> None:
        """Write ``best.pt``.

        Raises:
            OutputError: it cannot be written; the one before stays.
        """
        save_checkpoint(self.path / BEST, average, card, overwrite=True)

    def require_room(self) -> None:
        """Check that there is room for what a run writes: ``last.pt`` a second time, and ``best.pt``.

        Raises:
            OutputError: there is not.
        """
        needed = 2 * (self.path / LAST).stat().st_size
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise OutputError(
                f"{self.path}: {free / 1e6:,.0f} MB are free, and its checkpoints need {needed / 1e6:,.0f} MB "
                "more; make room, or choose another folder"
            )

    def open_log(self, step: int) -> None:
        """Begin, or go on with, the log; lines of later steps than `step` are dropped: they will come again."""
        path = self.path / LOG
        kept = []
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    is_earlier = json.loads(line)["step"] <= step
                except (ValueError, KeyError, TypeError):  # half a line, where a run was killed
                    continue
                if is_earlier:
                    kept.append(f"{line}\n")
        write_text(path, "".join(kept))
        self._log = path.open("a", encoding="utf-8")

    def log(self, entry: Mapping[str, Any]) -> None:
        """Write a line of the log; `entry` has the key ``step``.

        Raises:
            OutputError: it cannot be written.
        """
        assert self._log is not None
        try:
            self._log.write(json.dumps(entry, allow_nan=False) + "\n")
        except OSError as error:
            raise OutputError(
                f"{self.path / LOG}: cannot write it ({error.strerror}); is the disk full?"
            ) from None

    def write_unreadable(self, lines: list[str]) -> None:
        """Write the names of images that could not be read.

        Raises:
            OutputError: it cannot be written.
        """
        write_text(self.path / UNREADABLE, "".join(f"{line}\n" for line in lines))

    def __enter__(self) -> TrainingFolder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.close()
        self._claim.release()
        if not (self.path / LAST).exists():  # nothing came of it
            with suppress(OSError):
                self.path.rmdir()
