"""Files of detections: read in three forms, written in three."""

from heatprop.lab.evaluation.detection_files.raw import DetectionFileError
from heatprop.lab.evaluation.detection_files.reading import read_detections
from heatprop.lab.evaluation.detection_files.writing import write_coco_json, write_mot_text, write_official_text

__all__ = ["DetectionFileError", "read_detections", "write_coco_json", "write_mot_text", "write_official_text"]
