"""What an evaluation leaves for people and other programs, in its folder.

FOLDER/detections.txt   official text
FOLDER/detections.json  COCO's list of results
FOLDER/mot/VIDEO.txt    MOTChallenge text
FOLDER/report.json      all figures
"""

from __future__ import annotations

from pathlib import Path

from heatprop.errors import OutputError
from heatprop.io.whole_files import emptied_beside, replace_folder, write_json, write_text
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detection_files.writing import coco_lines, official_lines, write_mot_text
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.results import EvaluationReport


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
