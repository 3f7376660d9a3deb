"""The folder of one evaluation: its settings, the detections of every part that is finished, and the results.

    run.json             what shapes the detections; a run with other settings is refused
    work/000012-003.npz  detections of frames 192 to 255 of video 12, and what later frames need to know

and, when all are, what it leaves for people and other programs:

    detections.txt       official text
    detections.json      COCO's list of results
    mot/VIDEO.txt        MOTChallenge text
    report.json          all figures

Each file is there whole or not at all, so a run may be killed at any moment and goes on where it was.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heatprop.errors import HeatpropError, InvalidArrayError, OutputError
from heatprop.io.whole_files import emptied_beside, replace_folder, write_json, write_text, write_whole
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detection_files.writing import coco_lines, official_lines, write_mot_text
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.results import EvaluationReport
from heatprop.lab.evaluation.runs.methods import Arrays
from heatprop.lab.manifest_folder import FolderKind, ManifestFolder, reason_of
from heatprop.types import Detections, IntArray

FORMAT = "heatprop-evaluation"
VERSION = 2
_COLUMNS = ("boxes", "scores", "labels", "lengths", "track_ids")
_MEMORY = "memory_"


class EvaluationFolderError(HeatpropError, ValueError):
    """A folder holds another evaluation, something else, or a damaged file; the message names it."""


_KIND = FolderKind(
    manifest="run.json",
    parts="work/{video:06d}-{part:03d}.npz",
    error=EvaluationFolderError,
    silent="{folder} holds an evaluation that does not say its {name}, perhaps of an earlier version; "
    "give -o another folder",
    different="{folder} holds an evaluation with {name} {old}, not {new}; give -o another folder",
)


@dataclass(frozen=True, slots=True, eq=False)
class FinishedPart:
    """Some consecutive frames of a video, detected in.

    Attributes:
        frame_sizes: width and height of each image in pixels, int64 ``(F, 2)``.
        found: its detections, in pixels, labels of the dataset; before Seq-NMS.
        memory: what the method knows after them; see `VideoMethod.memory`.
    """

    frame_sizes: IntArray
    found: Sequence[Detections]
    memory: Arrays


class EvaluationFolder(ManifestFolder):
    """Holds the finished work of one evaluation; made, or opened again with the same settings.

    Args:
        path: the folder.
        settings: everything that shapes the detections, as JSON knows it.

    Raises:
        EvaluationFolderError: the folder holds an evaluation with other settings, or other files.
        OutputError: it cannot be made.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        super().__init__(path, _KIND)
        self.begin({"format": FORMAT, "version": VERSION, **settings})

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

        write_whole(self.part_file(video, part), save)

    def read(self, video: int, part: int) -> FinishedPart:
        """Read a part.

        Raises:
            EvaluationFolderError: it is missing or damaged.
        """
        path = self.part_file(video, part)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
            ends = np.cumsum(arrays["counts"])
            columns = [np.split(arrays[name], ends[:-1]) for name in _COLUMNS]
            found = [Detections(*each) for each in zip(*columns, strict=True)]
            if len(arrays["frame_sizes"]) != len(found) or (arrays["counts"] != [*map(len, found)]).any():
                raise InvalidArrayError("its columns differ in length")
        except Exception as error:  # NumPy and zip have a dozen unrelated exception types
            raise EvaluationFolderError(
                f"{path} is damaged ({reason_of(error)}); delete it and run again: "
                "only its frames are computed anew"
            ) from None
        memory = {name.removeprefix(_MEMORY): array for name, array in arrays.items() if name.startswith(_MEMORY)}
        return FinishedPart(arrays["frame_sizes"], found, memory)


def write_results(
    folder: Path, dataset: VideoDataset, detections: DetectionTable, report: EvaluationReport
) -> None:
    """Write everything anew; equal detections give equal bytes.

    Raises:
        OutputError: something cannot be written.
    """
    write_text(folder / "detections.txt", official_lines(dataset, detections))
    write_text(folder / "detections.json", coco_lines(dataset, detections))
    mot = folder / "mot"
    try:
        partial = emptied_beside(mot)
        write_mot_text(partial, dataset, detections)
        replace_folder(partial, mot)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{mot}: cannot write it ({error.strerror}); see to room and rights, and run again"
        ) from None
    write_json(folder / "report.json", report.to_dict())
