"""`heatprop export`, and `heatprop detect` with what it wrote."""

from __future__ import annotations

import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from cli.conftest import Finished, Run
from heatprop import zoo
from heatprop.io.results import read_results
from small_checkpoints import small_checkpoint


def refused(done: Finished, message: str) -> None:
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.startswith("heatprop: error: ")
    assert done.err.count("\n") == 1, done.err
    assert re.search(message, done.err), done.err


@pytest.mark.parametrize("ending", [".onnx", ".xml"])
def test_from_a_checkpoint_to_detections(run: Run, short_clip: Path, ending: str) -> None:
    model = Path(f"model{ending}")
    done = run("export", small_checkpoint(), "-o", model)
    assert done.code == 0, done.err
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert f"{model}: CenterNet, resnet18, 3 classes, input 512 px in multiples of 32, " in done.err
    results = {}
    for name, source in (("exported", model), ("checkpoint", small_checkpoint())):
        lines = f"{name}.jsonl"
        done = run(
            "detect", short_clip, "--model", source, "--json", lines,
            "--max-frames", "3", "--score-threshold", "0.1", "--quiet",
        )  # fmt: skip
        assert (done.code, done.err) == (0, "")
        header, frames = read_results(Path(lines))
        assert tuple(header.classes) == ("cat", "dog", "rabbit")
        found = [detections for _, _, detections in frames]
        assert len(found) == 3
        results[name] = found
    for exported, direct in zip(*results.values(), strict=True):
        assert len(exported) == len(direct) > 0
        np.testing.assert_allclose(exported.scores, direct.scores, atol=1e-3)
    assert not list(Path().glob("*.part.*"))


def test_what_the_checkpoint_does_not_say_can_be_said(run: Run) -> None:
    Path("names.txt").write_text("lion\ntiger\n\nbear\n")
    done = run(
        "export", small_checkpoint(), "-o", "model.xml", "--quiet",
        "--classes", "names.txt", "--licence", "MIT", "--input", "384", "--multiple", "64",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    card = zoo.load("model.xml").card
    assert card.classes == ("lion", "tiger", "bear")
    assert card.licence == "MIT"
    assert (card.input.longest_side, card.input.multiple) == (384, 64)


def test_eight_bits_are_set_by_a_video(run: Run, short_clip: Path) -> None:
    done = run("export", small_checkpoint(), "-o", "model.xml", "--int8", "--calibration", short_clip)
    assert done.code == 0, done.err
    assert done.out == ""
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["heatprop", "model.xml"], done.err
    assert Path("model.bin").stat().st_size < small_checkpoint().stat().st_size / 2
    done = run("detect", short_clip, "--model", "model.xml", "--json", "out.jsonl", "--max-frames", "2", "--quiet")
    assert (done.code, done.err) == (0, "")


class Bomb:
    """What a hostile pickle does when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("open('executed', 'w')",))


def make_clutter() -> None:
    """Fill the folder with everything that is no good."""
    Path("text.pth").write_text("this is no checkpoint\n" * 20)
    Path("text.mp4").write_text("this is no video\n" * 50)
    Path("empty.pth").touch()
    Path("folder.pth").mkdir()
    Path("torn.pth").write_bytes(small_checkpoint().read_bytes()[:100_000])
    Path("bomb.pth").write_bytes(pickle.dumps({"state_dict": Bomb()}, protocol=2))
    torch.save({"state_dict": Bomb()}, "bomb2.pth")
    torch.save({"fc.weight": torch.zeros(2, 2)}, "other.pth")
    Path("two.txt").write_text("cat\ndog\n")
    Path("twice.txt").write_text("cat\ncat\ndog\n")
    Path("old.onnx").write_bytes(b"precious")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "nothing", [], [])), "bare.onnx")


BAD_CHECKPOINTS = {
    "gone.pth": "no such file",
    "text.pth": "not a whole PyTorch checkpoint",
    "empty.pth": "not a whole PyTorch checkpoint",
    "folder.pth": "folder",
    "torn.pth": "not a whole PyTorch checkpoint",
    "bomb.pth": "code|not a whole PyTorch checkpoint",
    "bomb2.pth": "carries code",
    "other.pth": "another architecture",
}
BAD_REQUESTS = {
    "no known ending": (["GOOD", "-o", "model.engine"], r"model\.engine ends in '\.engine'; .*\.onnx or \.xml"),
    "no folder": (["GOOD", "-o", "nowhere/model.onnx"], "nowhere"),
    "an existing file": (["GOOD", "-o", "old.onnx"], "old.onnx exists.*--overwrite"),
    "too few names": (["GOOD", "-o", "model.onnx", "--classes", "two.txt"], "3 classes, not 2 .*two.txt"),
    "a name twice": (["GOOD", "-o", "model.onnx", "--classes", "twice.txt"], "'cat' is there twice.*twice.txt"),
    "no file of names": (["GOOD", "-o", "model.onnx", "--classes", "gone.txt"], "gone.txt"),
    "names that are no text": (["GOOD", "-o", "model.onnx", "--classes", "GOOD"], "give a text file"),
    "an odd input": (["GOOD", "-o", "model.onnx", "--input", "500"], "--input 500 is no multiple of 32"),
    "no input": (["GOOD", "-o", "model.onnx", "--input", "0"], "--input is 0"),
    "a vast input": (["GOOD", "-o", "model.onnx", "--input", "100000000"], "--input is 100000000; .* 1 to 16384"),
    "no multiple": (["GOOD", "-o", "model.onnx", "--multiple", "-5"], "--multiple is -5"),
    "a multiple that does not fit": (["GOOD", "-o", "model.onnx", "--multiple", "30"], "--input 512 is no .* 30"),
    "a folder": (["GOOD", "-o", "folder.pth"], "folder.pth is a folder"),
    "what is exported already": (["old.onnx", "-o", "model.xml"], "old.onnx is exported already; .*pth"),
    "an odd multiple": (["GOOD", "-o", "model.onnx", "--multiple", "16"], "multiple of 32"),
    "8 bits for ONNX": (["GOOD", "-o", "model.onnx", "--int8", "--calibration", "CLIP"], r"give a name .* \.xml"),
    "8 bits without a video": (["GOOD", "-o", "model.xml", "--int8"], "--int8 and --calibration .* together"),
    "a video without 8 bits": (["GOOD", "-o", "model.xml", "--calibration", "CLIP"], "belong together"),
    "no such video": (
        ["GOOD", "-o", "model.xml", "--int8", "--calibration", "gone.mp4"],
        "gone.mp4: no such file",
    ),
    "a video without frames": (["GOOD", "-o", "model.xml", "--int8", "--calibration", "text.mp4"], "text.mp4"),
    "a folder without frames": (
        ["GOOD", "-o", "model.xml", "--int8", "--calibration", "folder.pth"],
        "folder.pth",
    ),
    "an empty licence": (["GOOD", "-o", "model.onnx", "--licence", ""], "--licence is empty"),
}


def contents() -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(Path().rglob("*"))}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_stops_with_one_line_and_nothing_is_left(tmp_path: Path, name: str) -> None:
    (tmp_path / "good.pth").write_bytes(small_checkpoint().read_bytes())
    # In the middle of the work, whatever the machine's speed.
    code = (
        "import os, signal, sys\n"
        "from heatprop.lab.networks import export\n"
        "trace = export.trace\n"
        "def stopped(deployed):\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
        "    return trace(deployed)\n"
        "export.trace = stopped\n"
        "from heatprop.cli import main\n"
        "sys.exit(main(['export', 'good.pth', '-o', 'model.xml']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (128 + signal.Signals[name], "")
    assert done.stderr == "heatprop: interrupted; nothing is written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["good.pth"]


@pytest.mark.parametrize("command", ["export", "detect"])
@pytest.mark.parametrize(("name", "message"), BAD_CHECKPOINTS.items(), ids=BAD_CHECKPOINTS)
def test_a_bad_checkpoint_is_one_line_and_nothing_is_executed_or_written(
    run: Run, short_clip: Path, name: str, message: str, command: str
) -> None:
    make_clutter()
    before = contents()
    if command == "export":
        done = run("export", name, "-o", "model.onnx")
    else:
        done = run("detect", short_clip, "--model", name, "--json", "out.jsonl")
    refused(done, f"{name}.*({message})")
    assert contents() == before


@pytest.mark.parametrize(("arguments", "message"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_request_is_one_line_and_nothing_is_written(
    run: Run, short_clip: Path, arguments: list[str], message: str
) -> None:
    make_clutter()
    before = contents()
    files = {"GOOD": small_checkpoint(), "CLIP": short_clip}
    refused(run("export", *[files.get(word, word) for word in arguments]), message)
    assert contents() == before


def test_an_onnx_file_that_is_no_network_is_refused(run: Run, short_clip: Path) -> None:
    make_clutter()
    done = run("detect", short_clip, "--model", "bare.onnx", "--json", "out.jsonl")
    refused(done, "refuses bare.onnx")


def test_without_torch_one_line_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'torch': raise ModuleNotFoundError('hidden', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "from heatprop.cli import main\n"
        "sys.exit(main(['export', 'model.pth', '-o', 'model.onnx']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    refused(
        Finished(done.returncode, done.stdout, done.stderr), r"torch, which is not installed.*heatprop\[export\]"
    )
    assert not list(tmp_path.iterdir())


def test_no_other_command_imports_torch() -> None:
    code = "import sys, heatprop.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["dataset", "detect", "evaluate", "export", "models", "score", "sweep"])
def test_a_command_imports_neither_torch_nor_the_other_commands(name: str) -> None:
    code = (
        "import sys\n"
        "from heatprop.cli import main\n"
        f"assert main([{name!r}, '--help']) == 0\n"
        f"others = {{'dataset', 'detect', 'evaluate', 'export', 'models', 'score', 'sweep'}} - {{{name!r}}}\n"
        "loaded = {other for other in others if f'heatprop.cli.{other}' in sys.modules}\n"
        "assert (loaded, 'torch' in sys.modules) == (set(), False), loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
