"""Files that are no checkpoints, damaged or hostile: one line, and nothing in them is run."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.networks.refusals import refusal


def test_a_value_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save([torch.ones(1)], path)
    assert refusal(path) == "checkpoint FILE holds no state dict, but a list; give a published CenterNet"
    torch.save({"epoch": 3}, path)
    assert refusal(path) == "checkpoint FILE holds no state dict: epoch is a int, no tensor"


@pytest.mark.parametrize(
    "content", [b"", b"<html>404</html>", b"hello world", b"PK\x03\x04 and so on", pickle.dumps([1], 2)[:-2]]
)
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    assert refusal(path) == "checkpoint FILE is not a whole PyTorch checkpoint; fetch or save it again"


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.pth") == "checkpoint FILE: there is no such file; check the name"
    assert refusal(tmp_path) == "checkpoint FILE is a folder; give the file in it"
    os.mkfifo(tmp_path / "pipe.pth")
    for endless in (tmp_path / "pipe.pth", Path("/dev/zero")):
        assert refusal(endless) == "checkpoint FILE is no regular file; save it as one first"


def test_an_archive_that_swells_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({"a": torch.zeros(10**6)}, tmp_path / "plain.pth")
    with ZipFile(tmp_path / "plain.pth") as plain, ZipFile(path, "w", ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert refusal(path) == "checkpoint FILE unpacks to more than 10 times its size; save it again"


def test_a_program_of_torchscript_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):  # newer versions call it outdated
        torch.jit.trace(torch.nn.ReLU(), torch.zeros(1)).save(tmp_path / "model.pth")
    assert refusal(tmp_path / "model.pth") == (
        "checkpoint FILE is a TorchScript program, not only weights; nothing of it was run; "
        "save its state dict alone"
    )


class Trap:
    """A value whose unpickling makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("how", ["zip", "legacy", 2, 4])
def test_code_in_a_pickle_is_refused_and_never_run(how: str | int, tmp_path: Path) -> None:
    marker, path = tmp_path / "marker", tmp_path / "model.pth"
    value = {"state_dict": {"conv1.weight": Trap(marker)}}
    if isinstance(how, int):
        path.write_bytes(pickle.dumps(value, how))
    else:
        torch.save(value, path, _use_new_zipfile_serialization=how == "zip")
    told = refusal(path)
    assert not marker.exists()
    if how == 4:
        assert told == (
            "checkpoint FILE is a plain pickle, which may carry code; nothing of it was run; "
            "save its state dict with torch.save"
        )
    else:
        assert re.fullmatch(
            r"checkpoint FILE carries code \((io|_io|__builtin__|builtins)\.open\), not only weights; "
            "nothing of it was run; save its state dict alone",
            told,
        )
    if isinstance(how, int):
        pickle.loads(path.read_bytes()).get("state_dict")["conv1.weight"].close()
        assert marker.exists(), "the trap itself works"


def test_a_pickled_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "model.pth")
    assert refusal(tmp_path / "model.pth") == (
        "checkpoint FILE carries code (torch.nn.modules.linear.Linear), not only weights; nothing of it was run; "
        "save its state dict alone"
    )


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "model.pth"
    torch.save({"state_dict": {"a": torch.zeros(50)}, "epoch": 1}, path)
    return path.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_one_line(whole_file: bytes, tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray(whole_file[: data.draw(st.integers(0, len(whole_file)))])
    for place in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=4)) if damaged else []:
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.pth"
    path.write_bytes(damaged)
    refusal(path)
