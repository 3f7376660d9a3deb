"""What an evaluation leaves for people and other programs, in its folder.

FOLDER/detections.txt   official text
FOLDER/detections.json  COCO's list of results
FOLDER/mot/VIDEO.txt    MOTChallenge text
FOLDER/report.json      all figures
"""

from __future__ import annotations

import shutil
from pathlib import Path

from heatprop.errors import OutputError
from heatprop.io.whole_files import write_json, write_whole
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detection_files.writing import write_coco_json, write_mot_text, write_official_text
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.results import EvaluationReport


def write_results(
    folder: Path, dataset: VideoDataset, detections: DetectionTable, report: EvaluationReport
) -> None:
    """Write everything anew; equal detections give equal bytes.

    Raises:
        OutputError: something cannot be written.
    """
    write_whole(
        folder / "detections.txt", lambda path: write_official_text(path, dataset, detections, overwrite=True)
    )
    write_whole(
        folder / "detections.json", lambda path: write_coco_json(path, dataset, detections, overwrite=True)
    )
    partial, mot = folder / ".mot.part", folder / "mot"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        write_mot_text(partial, dataset, detections)
        shutil.rmtree(mot, ignore_errors=True)
        partial.rename(mot)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{mot}: cannot write it ({error.strerror}); see to room and rights, and run again"
        ) from None
    write_json(folder / "report.json", report.to_dict())
