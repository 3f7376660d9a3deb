"""The folder of one evaluation: its settings, and the detections of every part that is finished.

    run.json             what shapes the detections; a run with other settings is refused
    work/000012-003.npz  detections of frames 192 to 255 of video 12, and what later frames need to know

Each file is there whole or not at all, so a run may be killed at any moment and goes on where it was.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heatprop.errors import HeatpropError, InvalidArrayError, shortened
from heatprop.io.whole_files import holds_files, read_json, write_json, write_whole
from heatprop.lab.evaluation.runs.methods import Arrays
from heatprop.types import Detections, IntArray

FORMAT = "heatprop-evaluation"
VERSION = 2
_COLUMNS = ("boxes", "scores", "labels", "lengths", "track_ids")
_MEMORY = "memory_"


class RunFolderError(HeatpropError, ValueError):
    """A folder holds another evaluation, something else, or a damaged file; the message names it."""


@dataclass(frozen=True, slots=True, eq=False)
class FinishedPart:
    """Some consecutive frames of a video, detected in.

    Attributes:
        frame_sizes: width and height of each picture in pixels, int64 ``(F, 2)``.
        found: its detections, in pixels, labels of the dataset; before Seq-NMS.
        memory: what the method knows after them; see `VideoMethod.memory`.
    """

    frame_sizes: IntArray
    found: Sequence[Detections]
    memory: Arrays


class RunFolder:
    """Holds the finished work of one evaluation; made, or opened again with the same settings.

    Args:
        path: the folder.
        settings: everything that shapes the detections, as JSON knows it.

    Raises:
        RunFolderError: the folder holds an evaluation with other settings, or other files.
        OutputError: it cannot be made.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        wanted = {"format": FORMAT, "version": VERSION, **settings}
        try:
            have = read_json(path / "run.json")
        except FileNotFoundError:
            if path.is_dir() and holds_files(path):
                raise RunFolderError(f"{path} holds other files; give -o an empty folder or a new name") from None
            write_json(path / "run.json", wanted)
            return
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{path}/run.json cannot be read ({error}); give -o a new name") from None
        _require_same(path, have, wanted)

    def _file(self, video: int, part: int) -> Path:
        return self.path / "work" / f"{video:06d}-{part:03d}.npz"

    def has(self, video: int, part: int) -> bool:
        """Say whether a part is finished."""
        return self._file(video, part).exists()

    def write(self, video: int, part: int, content: FinishedPart) -> None:
        """Keep a part, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        arrays: dict[str, Any] = {
            "frame_sizes": content.frame_sizes,
            "counts": np.array([len(found) for found in content.found], np.int64),
            **{name: np.concatenate([getattr(found, name) for found in content.found]) for name in _COLUMNS},
            **{_MEMORY + name: array for name, array in content.memory.items()},
        }

        def save(path: Path) -> None:
            # By way of memory: where there is no room, NumPy 1 leaves an archive open that complains later.
            whole = io.BytesIO()
            np.savez(whole, **arrays)
            path.write_bytes(whole.getbuffer())

        write_whole(self._file(video, part), save)

    def read(self, video: int, part: int) -> FinishedPart:
        """Read a part.

        Raises:
            RunFolderError: it is missing or damaged.
        """
        path = self._file(video, part)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
            ends = np.cumsum(arrays["counts"])
            columns = [np.split(arrays[name], ends[:-1]) for name in _COLUMNS]
            found = [Detections(*each) for each in zip(*columns, strict=True)]
            if len(arrays["frame_sizes"]) != len(found) or (arrays["counts"] != [*map(len, found)]).any():
                raise InvalidArrayError("its columns differ in length")
        except Exception as error:  # NumPy and zip have a dozen unrelated exception types
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise RunFolderError(
                f"{path} is damaged ({reason}); delete it and run again: only its frames are computed anew"
            ) from None
        memory = {name.removeprefix(_MEMORY): array for name, array in arrays.items() if name.startswith(_MEMORY)}
        return FinishedPart(arrays["frame_sizes"], found, memory)


def _require_same(path: Path, have: Any, wanted: Mapping[str, Any]) -> None:
    old, new = dict(_leaves(have)), dict(_leaves(wanted))
    for name in {**new, **old}:
        within = [name.rpartition(".")[0], name]  # where something was none, nothing within it is said
        if not any(each in old for each in within):
            raise RunFolderError(
                f"{path} holds an evaluation that does not say its {name}, perhaps of an earlier version; "
                "give -o another folder"
            )
        if old.get(name) != new.get(name):
            raise RunFolderError(
                f"{path} holds an evaluation with {name} {shortened(str(old.get(name)))}, "
                f"not {shortened(str(new.get(name)))}; "
                "give -o another folder"
            )


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
