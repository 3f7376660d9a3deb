"""Where outputs of `heatprop detect` go: a file or a folder, by one rule for one source and for several."""

import os
import shutil
from pathlib import Path

import pytest

from cli.conftest import Run
from heatprop.cli.output_names import name_outputs
from heatprop.cli.output_options import OutputOptions
from heatprop.errors import InvalidConfigError

FAST = ("--backend", "onnx", "--max-frames", "2", "--quiet")


def names(folder: Path = Path()) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "folder", ["drawn", "drawn/", "deep/drawn", "clip.mp4/", "2026.07.02", "old", "old.mp4"], ids=str
)
def test_a_folder_holds_a_file_of_the_source_for_one_source_too(run: Run, short_clip: Path, folder: str) -> None:
    Path("old").mkdir()
    Path("old.mp4").mkdir()
    done = run("detect", short_clip, *FAST, "-o", folder, "--json", folder)
    assert (done.code, done.err) == (0, "")
    assert names() == sorted([str(Path(folder, "street.jsonl")), str(Path(folder, "street.mp4"))])


def test_the_same_words_name_the_same_files_for_one_source_and_for_two(run: Run, short_clip: Path) -> None:
    Path("in").mkdir()
    clips = [shutil.copy(short_clip, f"in/{name}.mp4") for name in "ab"]
    assert run("detect", *clips, *FAST, "-o", "both/", "--json", "both").code == 0
    for clip in clips:
        assert run("detect", clip, *FAST, "-o", "each/", "--json", "each").code == 0
    assert names(Path("both")) == names(Path("each")) == ["a.jsonl", "a.mp4", "b.jsonl", "b.mp4"]


def test_what_exists_and_is_no_folder_is_a_file_whatever_its_name(run: Run, short_clip: Path) -> None:
    Path("old").write_text("old")
    assert run("detect", short_clip, *FAST, "--json", "old").code == 2
    assert Path("old").read_text() == "old"
    assert run("detect", short_clip, *FAST, "--json", "old", "--overwrite").code == 0
    assert len(Path("old").read_text().splitlines()) == 4
    assert run("detect", short_clip, *FAST, "--json", os.devnull).code == 0
    assert names() == ["old"]


def test_a_folder_of_one_video_gives_a_folder(run: Run, short_clip: Path) -> None:
    Path("films").mkdir()
    shutil.copy(short_clip, "films")
    assert run("detect", "films", *FAST, "--json", "found").code == 0
    assert names(Path("found")) == ["street.jsonl"]
    refused = run("detect", "films", *FAST, "--json", "all.jsonl")
    assert refused.code == 2
    assert "--json all.jsonl names a file; for several sources give a folder: --json all/" in refused.err


def test_a_folder_that_holds_the_source_is_refused_where_it_would_be_replaced(run: Run, short_clip: Path) -> None:
    Path("films").mkdir()
    shutil.copy(short_clip, "films")
    done = run("detect", "films/street.mp4", *FAST, "-o", "films", "--overwrite")
    assert done.code == 2
    assert "films/street.mp4 would be written, and it is a source" in done.err


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (OutputOptions(output="out.txt"), r"-o out.txt: its files end in .* or .*; .* out.txt/ for a folder"),
        (OutputOptions(json="out.csv"), r"--json out.csv: its files end in .jsonl or .json"),
        (OutputOptions(json="out.mp4"), r"--json out.mp4: its files end in .jsonl or .json"),
    ],
)
def test_a_name_of_another_kind_of_file_is_refused(wanted: OutputOptions, message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        name_outputs(["a.mp4"], wanted)


def test_help_says_the_rule(run: Run) -> None:
    assert "a folder, made if" in " ".join(run("detect", "--help").out.split())
