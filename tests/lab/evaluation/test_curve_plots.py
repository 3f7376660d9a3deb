"""Plots are drawn into files that appear whole."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import cv2
import pytest

from heatprop.errors import InvalidConfigError, OutputError, OutputExistsError
from heatprop.lab.evaluation.curve_plots import PlotFiles, class_figure, motion_figure
from heatprop.lab.evaluation.results import score
from lab.evaluation.golden_videval import load
from lab.evaluation.small_datasets import make_dataset, make_detections

REPORT = score(*load(), ["official"])


def test_each_class_has_a_panel_with_its_average_precision():
    titles = [panel.get_title() for panel in class_figure(REPORT.official).axes]
    assert [title for title in titles if title] == [
        "bicycle  81.82", "bird  77.25", "bus  82.12", "car  74.61", "dog  72.22", "horse  47.54",
        "watercraft  93.28", "zebra  64.32",
    ]  # fmt: skip


def test_each_speed_has_a_curve_from_recall_0_to_the_last():
    (panel,) = motion_figure(REPORT.class_agnostic).axes
    lines = {line.get_label().split()[0]: line for line in panel.get_lines()}
    assert list(lines) == ["slow", "medium", "fast", "overall"]
    curve = REPORT.class_agnostic.groups[-1].curve
    recall, precision = lines["overall"].get_data()
    assert (recall[0], recall[-1], precision[-1]) == (0, curve.recall[-1], curve.precision[-1])
    assert len(lines["fast"].get_xdata()) == 0


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_files_are_images_and_the_same_each_time(tmp_path, suffix):
    first = PlotFiles(tmp_path / "new" / "plots", suffix=suffix).write(REPORT)
    assert [path.name for path in first] == [f"classes{suffix}", f"motion{suffix}"]
    contents = [path.read_bytes() for path in first]
    for path, content in zip(first, contents, strict=True):
        if suffix == ".svg":
            assert ElementTree.fromstring(content).tag.endswith("svg")
        elif suffix == ".png":
            assert cv2.imread(str(path)).std() > 5
        else:
            assert content.startswith(b"%PDF")
    again = PlotFiles(first[0].parent, suffix=suffix, overwrite=True).write(REPORT)
    assert [path.read_bytes() for path in again] == contents
    assert len(list(first[0].parent.iterdir())) == 2


def test_files_that_exist_stay(tmp_path):
    (tmp_path / "motion.svg").write_text("precious")
    with pytest.raises(OutputExistsError):
        PlotFiles(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["motion.svg"]
    assert (tmp_path / "motion.svg").read_text() == "precious"


def test_nothing_is_left_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), PlotFiles(tmp_path):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_nothing_found_is_drawn_too(tmp_path):
    box = [0, 0, 9, 9]
    for dataset in (make_dataset([]), make_dataset([(0, 0, 0, box)])):
        report = score(dataset, make_detections([]), ["official"])
        assert len(PlotFiles(tmp_path, overwrite=True).write(report)) == 2


def test_bad_requests_are_refused(tmp_path):
    with pytest.raises(InvalidConfigError, match=r"'\.bmp'"):
        PlotFiles(tmp_path, suffix=".bmp")
    with pytest.raises(InvalidConfigError, match="official"):
        PlotFiles(tmp_path).write(score(*load(), ["coco"]))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        PlotFiles(tmp_path / "file" / "plots")


def test_neither_pyplot_nor_matplotlib_is_loaded_without_need():
    code = "import heatprop.lab.evaluation.curve_plots, sys; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_without_matplotlib_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'heatprop\[evaluate\]'"):
        PlotFiles(tmp_path)
    assert not list(tmp_path.iterdir())
