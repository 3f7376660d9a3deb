"""What is read whole is a regular file of a sensible size; everything else is refused at once."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from heatprop.errors import HeatpropError, UnfitFileError
from heatprop.io.regular_files import check_regular, open_regular, read_regular

READERS: list[Callable[[Path], object]] = [open_regular, lambda path: read_regular(path, 100), check_regular]


@pytest.mark.parametrize("read", READERS)
def test_pipes_devices_sockets_and_folders_are_refused_in_a_line(
    tmp_path: Path, read: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        places = {
            "pipe": "a pipe",
            "socket": "a socket",
            ".": "a folder",
            "/dev/zero": "a device",
            os.devnull: "a device",
        }
        for place, kind in places.items():
            with pytest.raises(UnfitFileError, match=f"it is {kind}, not a regular file; give a file$") as caught:
                read(Path(place))
            assert str(caught.value).startswith(f"{place}: ")
            assert caught.value.strerror in str(caught.value)


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert read_regular(tmp_path / "link", 7) == b"content"
    with pytest.raises(UnfitFileError, match="a device"):
        read_regular(tmp_path / "zero", 7)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(3 * 10**12)
    (tmp_path / "small").write_bytes(b"12345678")
    with pytest.raises(UnfitFileError, match=r"large: it has 3e\+03 GB, and at most 2 GB are read"):
        read_regular(tmp_path / "large", 2 * 10**9)
    with pytest.raises(UnfitFileError, match="small: it has 8 bytes, and at most 7 bytes are read"):
        check_regular(tmp_path / "small", 7)
    assert read_regular(tmp_path / "small", 8) == b"12345678"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no files of unknown size")
def test_a_file_that_does_not_know_its_size_is_read_no_further_than_the_limit() -> None:
    assert read_regular("/proc/self/status", 10**6).startswith(b"Name:")
    with pytest.raises(UnfitFileError, match="at most 5 bytes"):
        read_regular("/proc/self/status", 5)


@pytest.mark.parametrize("read", READERS)
def test_a_missing_file_is_missing(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        read(tmp_path / "none")
    assert not isinstance(caught.value, HeatpropError)


def test_the_error_survives_a_change_of_process() -> None:
    error = UnfitFileError("name", "it is a pipe", "give a file")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.strerror) == (str(error), error.strerror)
