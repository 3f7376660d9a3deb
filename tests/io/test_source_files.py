"""A source reads the same files whatever it is called."""

import os
from pathlib import Path
from urllib.parse import quote

import cv2
import pytest

from heatprop.io.source_files import SourceFiles, files_of
from small_videos import build_video, paint

NAMES = ["a.mkv", "a b.mkv", "50%.mkv", "größe#1.mkv", "[x].mkv"]


def spellings(path: Path) -> list[str]:
    """Return ways to write the name of a file, from the folder that it is in."""
    plain, quoted = str(path), quote(str(path))
    (path.parent / "sub").mkdir()
    link, hard = path.parent / "link.mkv", path.parent / "hard.mkv"
    link.symlink_to(path)
    os.link(path, hard)
    return [
        *(plain, path.name, f"./{path.name}", f"sub/../{path.name}", str(link), str(hard)),
        *(f"file://{quoted}", f"FILE://{quoted}", f"file://localhost{quoted}", f"file://{quote(str(link))}"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_known_under_all_its_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build_video(tmp_path / name, 2)
    other = build_video(tmp_path / "other.mkv", 2)
    monkeypatch.chdir(tmp_path)
    ways = spellings(path)
    for source in ways:
        files = SourceFiles([str(other), source])
        for output in [path, tmp_path / "link.mkv", tmp_path / "hard.mkv", Path(name), Path("sub", "..", name)]:
            assert files.source_at(output) == source
        assert files.source_at("new.mkv") is None


def test_a_folder_or_pattern_reads_its_images(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), paint(number))
    (tmp_path / "notes.jsonl").write_text("mine")
    for source in (str(tmp_path), f"file://{tmp_path}", str(tmp_path / "*.png")):
        files = SourceFiles([source])
        assert files.source_at(tmp_path / "1.png") == source
        assert files.source_at(tmp_path / "notes.jsonl") is None


def test_addresses_cameras_and_standard_output_read_no_file() -> None:
    for source in ("rtsp://10.0.0.7/a.mkv", "https://example.org/a.mkv", "camera:0", "/dev/video7", ""):
        assert files_of(source) == []


def test_a_file_that_is_not_there_yet_is_known_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert SourceFiles([str(tmp_path / "a.mkv")]).source_at(tmp_path / "link" / "a.mkv") is not None
