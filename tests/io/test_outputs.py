"""Outputs are claimed under a name of their own, and harm nothing that was there before."""

import os
import sys
from pathlib import Path

import pytest

from heatprop.errors import OutputError
from heatprop.io.outputs import OutputFile


def test_a_file_with_the_partial_name_is_not_touched(tmp_path: Path) -> None:
    other = tmp_path / "street.part.mp4"
    other.write_text("precious")
    (tmp_path / "street.part-2.mp4").symlink_to("nowhere")
    output = OutputFile(tmp_path / "street.mp4", overwrite=True)
    assert output.partial.parent == tmp_path
    assert output.partial.suffix == ".mp4"
    output.partial.write_text("new")
    output.commit()
    assert other.read_text() == "precious"
    assert (tmp_path / "street.mp4").read_text() == "new"
    assert not (tmp_path / "nowhere").exists()


def test_two_runs_write_two_files(tmp_path: Path) -> None:
    first, second = (OutputFile(tmp_path / "street.mp4", overwrite=True) for _ in range(2))
    assert first.partial.name == "street.part.mp4"
    assert first.partial != second.partial
    second.discard()
    assert first.partial.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
@pytest.mark.parametrize("kind", ["fifo", "device", "dangling"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out.mp4"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null" if kind == "device" else tmp_path / "missing")
    with pytest.raises(OutputError, match=r"no regular file.*--json -"):
        OutputFile(path, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("name", ["o" * 300 + ".mp4", "o" * 250 + ".mp4", "o" * 300 + "/out.mp4"])
def test_a_name_that_is_too_long_is_an_error_of_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError) as caught:
        OutputFile(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_one_may_not_enter_is_an_error_of_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0)
    try:
        with pytest.raises(OutputError):
            OutputFile(folder / "out.mp4")
    finally:
        folder.chmod(0o700)


def test_as_a_context_it_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "street.txt"
    with OutputFile(path) as output:
        output.partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    with pytest.raises(ZeroDivisionError), OutputFile(path, overwrite=True) as output:
        output.partial.write_text(f"newer {1 / 0}")
    with (
        pytest.raises(OutputError, match=r"street.txt: cannot write it \(No space left"),
        OutputFile(path, overwrite=True),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(OutputError, match="no such image"), OutputFile(path, overwrite=True):
        raise OutputError("no such image")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["new"]
