"""A folder is of what its manifest says, of nothing else, and begun by one run at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heatprop.errors import BusyError, HeatpropError, OutputError
from heatprop.io.claims import FOLDER_LOCK
from heatprop.lab.manifest_folder import FolderKind, ManifestFolder, reason_of

KIND = FolderKind(
    manifest="inside/what.json",
    parts="{video:02d}-{part}.bin",
    ours=frozenset({"log.txt"}),
    silent="{folder} says nothing of {name}",
    different="{folder}: {name} is {old}, not {new}",
)
MANIFEST = {"name": "a", "sizes": {"width": 3, "height": 4}, "none": None}


def refusal(folder: ManifestFolder, manifest: dict[str, object]) -> str:
    with pytest.raises(HeatpropError) as caught:
        folder.begin(manifest)
    return str(caught.value).replace(str(folder.path), "FOLDER")


def test_a_new_folder_says_what_it_is_of_and_another_run_of_the_same_goes_on(tmp_path: Path) -> None:
    folder = ManifestFolder(tmp_path / "new" / "folder", KIND)
    folder.begin(MANIFEST)
    folder.begin(MANIFEST)
    assert folder.read_manifest() == MANIFEST == json.loads((folder.path / "inside" / "what.json").read_text())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "b"}, "FOLDER: name is a, not b"),
        ({"sizes": {"width": 3, "height": 5}}, "FOLDER: sizes.height is 4, not 5"),
        ({"sizes": {"width": 3}}, "FOLDER: sizes.height is 4, not None"),
        ({"sizes": {"width": 3, "height": 4, "depth": 1}}, "FOLDER says nothing of sizes.depth"),
        ({"none": {"some": 1}}, "FOLDER: none.some is None, not 1"),
        ({"name": "b" * 100}, f"FOLDER: name is a, not {'b' * 57}..."),
    ],
)
def test_the_first_difference_is_named(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    folder = ManifestFolder(tmp_path, KIND)
    folder.begin(MANIFEST)
    assert refusal(folder, MANIFEST | changed) == said


def test_other_files_are_refused_and_what_runs_put_there_is_none(tmp_path: Path) -> None:
    folder = ManifestFolder(tmp_path, KIND)
    for name in (FOLDER_LOCK, ".what.json.7-1.part", "out.part-2.pt", "log.txt"):
        (tmp_path / name).touch()
    folder.refuse_others()
    (tmp_path / "thesis.txt").touch()
    assert refusal(folder, MANIFEST) == "FOLDER holds other files; give -o an empty folder or a new name"
    assert not folder.manifest_file.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\x00\xff"])
@pytest.mark.parametrize(
    ("damaged", "said"),
    [(None, "FOLDER/what.json cannot be read ("), ("{file}: is damaged", "FOLDER/what.json: is damaged")],
)
def test_a_manifest_that_is_no_json_is_refused(
    tmp_path: Path, content: bytes, damaged: str | None, said: str
) -> None:
    folder = ManifestFolder(tmp_path, FolderKind(manifest="what.json", damaged=damaged))
    folder.manifest_file.write_bytes(content)
    assert refusal(folder, MANIFEST).startswith(said)


def test_one_process_holds_it(tmp_path: Path) -> None:
    folder = ManifestFolder(tmp_path / "f", KIND)
    with folder.claim(), pytest.raises(BusyError):
        folder.claim()
    assert not folder.path.exists()


def test_several_runs_may_begin_one_and_the_first_says_what_it_is_of(tmp_path: Path) -> None:
    folder = ManifestFolder(tmp_path / "f", KIND)
    folder.begin_among_others(MANIFEST)
    folder.begin_among_others({"name": "b"})
    assert folder.read_manifest() == MANIFEST


def test_a_part_is_finished_when_it_has_its_name(tmp_path: Path) -> None:
    folder = ManifestFolder(tmp_path, KIND)
    assert not folder.has(3, 1)
    (tmp_path / "03-1.bin").touch()
    assert folder.has(3, 1)
    assert folder.part_file(3, 1) == tmp_path / "03-1.bin"


def test_a_folder_without_manifest_has_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ManifestFolder(tmp_path, KIND).read_manifest()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        ManifestFolder(tmp_path / "file", KIND).begin(MANIFEST)


def test_a_reason_is_one_line() -> None:
    assert reason_of(ValueError("two\n  lines")) == "ValueError: two lines"
