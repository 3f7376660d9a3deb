"""A run's folder is one run's: held by one process, whole at any moment, never another's files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from heatprop.errors import BusyError, ModelError, OutputError
from heatprop.io.claims import FOLDER_LOCK
from heatprop.lab.networks import CenterNet, CenterNetConfig, save_checkpoint
from heatprop.lab.training.training_folder import TrainingFolder, TrainingFolderError


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "a"
    with TrainingFolder(path), pytest.raises(BusyError, match=r"runs/a is in use by another run \(process \d+\)"):
        TrainingFolder(path)
    with TrainingFolder(path):
        pass


def test_a_folder_of_which_nothing_came_goes(tmp_path: Path) -> None:
    with TrainingFolder(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()
    assert not (tmp_path / "run").exists()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(TrainingFolderError, match=r"holds other files, as thesis.txt; give -o an empty folder"):
        TrainingFolder(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(OutputError, match="run: cannot write there"):
        TrainingFolder(tmp_path / "run")


def test_what_a_killed_run_left_half_written_goes(tmp_path: Path) -> None:
    (tmp_path / "last.part.pt").write_bytes(b"half")
    (tmp_path / "best.part-2.pt").write_bytes(b"half")
    (tmp_path / "run.lock").write_bytes(b"77")  # as versions before wrote it
    with TrainingFolder(tmp_path) as folder:
        assert folder.saved() is None
        assert [each.name for each in tmp_path.iterdir()] == [FOLDER_LOCK]


def test_the_log_goes_on_after_the_step_that_was_saved(tmp_path: Path) -> None:
    with TrainingFolder(tmp_path) as folder:
        (tmp_path / "last.pt").write_bytes(b"")
        folder.open_log(0)
        for step in (1, 2, 3):
            folder.log({"step": step})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "to')
    with TrainingFolder(tmp_path) as folder:
        folder.open_log(2)
        folder.log({"step": 3, "again": True})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1}, {"step": 2}, {"step": 3, "again": True}]


def test_a_damaged_checkpoint_and_one_of_no_run_are_named(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04half")
    with TrainingFolder(tmp_path) as folder, pytest.raises(ModelError, match=r"last\.pt is not a whole PyTorch"):
        folder.saved()
    config = CenterNetConfig(backbone="resnet18", classes=1, width=1 / 16, deformable=False)
    save_checkpoint(tmp_path / "last.pt", CenterNet(config), overwrite=True)
    with (
        TrainingFolder(tmp_path) as folder,
        pytest.raises(TrainingFolderError, match="no checkpoint that a run could go on"),
    ):
        folder.saved()
    torch.save([1], tmp_path / "last.pt")
    with (
        TrainingFolder(tmp_path) as folder,
        pytest.raises(TrainingFolderError, match="no checkpoint that a run could go on"),
    ):
        folder.saved()


def test_too_little_room_is_known_at_the_start(tmp_path: Path) -> None:
    with TrainingFolder(tmp_path) as folder:
        (tmp_path / "last.pt").write_bytes(b"small")
        folder.require_room()
        with (tmp_path / "last.pt").open("wb") as file:
            file.truncate(shutil.disk_usage(tmp_path).free)  # sparse: takes no room itself
        with pytest.raises(OutputError, match="MB are free, and its checkpoints need"):
            folder.require_room()
