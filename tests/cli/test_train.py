"""`heatprop train`: it learns, goes on to the same bits after any stop, and says in a line what is wrong."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from cli.conftest import Run, command
from heatprop.cli import main
from heatprop.lab.networks import load_checkpoint
from heatprop.lab.training.training_folder import TrainingFolder
from small_training_runs import tiny_config, write_shapes

STEPS = 80  # of the run that is stopped


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Give other tests their threads back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", 9)


@pytest.fixture(scope="module")
def unbroken(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nothing stopped; its configuration is beside it."""
    folder = tmp_path_factory.mktemp("unbroken")
    schedule = {"epochs": STEPS // 4, "batch_size": 2}
    config = tiny_config(
        folder / "run.toml",
        shapes,
        schedule=schedule,
        validation={"every_epochs": 10},
        run={"checkpoint_steps": 3},
    )
    assert main(["train", "--config", str(config), "-o", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def assert_same(one: object, other: object, where: str = "") -> None:
    """Compare what two checkpoints hold, to the bit."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert isinstance(other, list | tuple)
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{number}")
    elif isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert torch.equal(one, other), where
    else:
        assert one == other, where


@pytest.mark.timeout(900)
def test_eight_images_are_learned_by_heart_and_the_result_is_a_model(run: Run) -> None:
    shapes = write_shapes(Path("shapes"), 8, 96)
    config = tiny_config(
        Path("run.toml"),
        shapes,
        augmentation={"flip": 0, "scale": [1, 1], "shift": False, "colour": 0, "lighting": 0},
        model={"width": 0.25, "head_width": 32, "input_side": 96},
        optimiser={"learning_rate": 2e-3, "average": 0.9},
        schedule={"epochs": 80, "batch_size": 8},
        validation={"every_epochs": 80},
    )
    done = run("train", "--config", config, "-o", "run")
    assert done.code == 0, done.err
    assert [entry["precision"] for entry in log_of(Path("run")) if "epoch" in entry] == [1.0]
    assert "epoch 80: AP50, COCO 100.00 % in 8 frames" in done.err
    for name in ("last.pt", "best.pt"):
        card = load_checkpoint(Path("run") / name).card
        assert (card.classes, card.input.longest_side) == (("box", "ball"), 96)
    found = run(
        "detect", "shapes", "--model", "run/best.pt", "--json", "-", "--score-threshold", "0.5", "--no-propagation"
    )
    assert found.code == 0, found.err
    lines = [json.loads(line) for line in found.out.splitlines()[1:-1]]
    truth = json.loads((shapes / "annotations.json").read_text())["annotations"]
    assert [len(line["boxes"]) for line in lines] == [
        sum(each["image_id"] == number for each in truth) for number in range(1, 9)
    ]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_stopped_run_goes_on_to_the_same_bits(run: Run, unbroken: Path, name: str) -> None:
    config = unbroken.parent / "run.toml"
    with subprocess.Popen(command("train", "--config", config, "-o", "run"), stderr=subprocess.PIPE) as process:
        log = Path("run/log.jsonl")
        while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 20):
            time.sleep(0.01)
        process.send_signal(signal.Signals[name])
        _, said = process.communicate(timeout=400)
    wanted = {"SIGKILL": -signal.SIGKILL, "SIGINT": 130, "SIGTERM": 143}[name]
    assert process.returncode == wanted, said.decode()
    if wanted > 0:
        assert b"heatprop: interrupted; what is done is kept: run the same command to go on" in said
    stopped = torch.load("run/last.pt")["training"]["progress"]["step"]
    assert 0 < stopped < STEPS
    load_checkpoint("run/last.pt")
    done = run("train", "--config", config, "-o", "run")
    assert done.code == 0, done.err
    assert f"goes on after step {stopped} of run/last.pt" in done.err
    assert log_of(Path("run")) == log_of(unbroken)
    assert_same(torch.load("run/last.pt"), torch.load(unbroken / "last.pt"))


def test_a_finished_run_stays_as_it_is(run: Run, unbroken: Path) -> None:
    shutil.copytree(unbroken, "run")
    done = run("train", "--config", unbroken.parent / "run.toml", "-o", "run")
    assert done.code == 0
    assert f"done: {STEPS} steps" in done.err
    assert log_of(Path("run")) == log_of(unbroken)
    assert_same(torch.load("run/last.pt"), torch.load(unbroken / "last.pt"))


@pytest.mark.timeout(900)
def test_two_processes_learn_as_one_does(run: Run, shapes: Path) -> None:
    config = tiny_config(
        Path("run.toml"),
        shapes,
        optimiser={"kind": "sgd", "learning_rate": 2e-3},
        schedule={"epochs": 6, "batch_size": 4},
        validation={"every_epochs": 3},
    )
    (shapes / "3.png").rename("3.png")
    (shapes / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    try:
        assert run("train", "--config", config, "-o", "one").code == 0
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        done = subprocess.run(
            [*launch, "-m", "heatprop.cli", "train", "--config", config, "-o", "two"],
            env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=800, check=False,
        )  # fmt: skip
    finally:
        shutil.move("3.png", shapes / "3.png")
    assert done.returncode == 0, done.stderr
    one, two = log_of(Path("one")), log_of(Path("two"))
    assert [entry["step"] for entry in one] == [entry["step"] for entry in two]
    assert two[0]["total"] == pytest.approx(one[0]["total"], rel=1e-5)
    assert two[0]["gradient_norm"] == pytest.approx(one[0]["gradient_norm"], rel=1e-4)
    for ours, theirs in zip(one, two, strict=True):
        assert ours.keys() == theirs.keys()
        for key in ("total", "heatmap", "size", "offset", "rate", "precision"):
            if key in ours:
                assert theirs[key] == pytest.approx(ours[key], rel=1e-3, abs=1e-4), (key, ours, theirs)
    saved = [torch.load(f"{name}/last.pt") for name in ("one", "two")]
    assert saved[0]["training"]["progress"]["unreadable"] == saved[1]["training"]["progress"]["unreadable"] != {}
    for key, value in saved[0]["state_dict"].items():
        torch.testing.assert_close(saved[1]["state_dict"][key], value, rtol=1e-2, atol=1e-3)
    assert done.stderr.count("done: 12 steps") == 1


def test_a_loss_that_is_no_number_ends_it_and_keeps_the_batch(run: Run, shapes: Path) -> None:
    config = tiny_config(Path("run.toml"), shapes, loss={"size": 3e38})
    done = run("train", "--config", config, "-o", "run")
    assert done.code == 1
    assert "the loss of step 1 is inf" in done.err
    (kept,) = Path("run").glob("not-finite-step-*.pt")
    assert f"its batch is in {kept}" in done.err
    batch = torch.load(kept)
    assert len(batch["images"]) == len(batch["pictures"]) == 4
    assert all(Path(image).is_file() for image in batch["pictures"])
    load_checkpoint("run/last.pt")


def test_weights_that_have_run_away_end_it_at_a_validation(run: Run, shapes: Path) -> None:
    explode = {"kind": "sgd", "learning_rate": 1e6, "clip_norm": 0}
    config = tiny_config(Path("run.toml"), shapes, optimiser=explode, schedule={"epochs": 10})
    done = run("train", "--config", config, "-o", "run", "--quiet")
    assert done.code == 1
    assert "begin in another folder with a lower optimiser.learning_rate" in done.err
    assert done.err.count("\n") == 1


def test_an_image_that_cannot_be_read_is_passed_over_and_named(run: Run) -> None:
    shapes = write_shapes(Path("shapes"), 8)
    (shapes / "5.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    done = run("train", "--config", tiny_config(Path("run.toml"), shapes), "-o", "run")
    assert done.code == 0, done.err
    line = "shapes/5.png: this image is cut off or damaged: its header is not whole; replace it"
    assert f"{line} (another is learned from in its place" in done.err
    assert "1 frames of the validation set cannot be read" in done.err
    assert "1 of 8 images could not be read" in done.err
    assert Path("run/unreadable.txt").read_text().splitlines() == [line]


def test_tensorboard_has_curves_and_images(run: Run, shapes: Path) -> None:
    config = tiny_config(Path("run.toml"), shapes, run={"tensorboard": True})
    assert run("train", "--config", config, "-o", "run").code == 0
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("run/tensorboard").Reload()
    wanted = {"loss/total", "loss/heatmap", "loss/size", "loss/offset", "validation/AP50, COCO"}
    assert wanted <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("validation/AP50, COCO")] == [2, 4]
    images = events.Images(events.Tags()["images"][0])
    assert [(each.step, each.width, each.height) for each in images] == [(2, 3 * 64, 64), (4, 3 * 64, 64)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("optimiser.learning_rte=1", "optimiser.learning_rte is unknown; perhaps learning_rate"),
        ("optimiser.learning_rate=fast", "optimiser.learning_rate is 'fast'; it must be a number"),
        ("data.train=nowhere", "nowhere: no such folder or file"),
        ("data.layout=imagenet-vid", "no Annotations/VID in it"),
        ("model.start=nowhere.pth", "checkpoint nowhere.pth: there is no such file"),
        ("model.backbone=timm:nothing", "'timm:nothing' is unknown to timm"),
        ("model.input_side=100", "model.input_side is 100; it must be a multiple of 32"),
        ("schedule.batch_size=10", "schedule.batch_size is 10, but there are only 9 images"),
        ("run.device=cuda", "run.device is 'cuda', but PyTorch has 0 such devices here"),
    ],
)
def test_a_bad_request_is_one_line(run: Run, shapes: Path, change: str, said: str) -> None:
    if change == "run.device=cuda" and torch.cuda.is_available():
        change, said = "run.device=tpu", "run.device is 'tpu'"
    done = run("train", "--config", tiny_config(Path("run.toml"), shapes), "-o", "run", "--set", change)
    assert done.code == 2
    assert done.out == ""
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not Path("run").exists()


def test_a_folder_that_is_in_use_or_holds_other_things_is_refused(run: Run, shapes: Path) -> None:
    config = tiny_config(Path("run.toml"), shapes)
    with TrainingFolder(Path("run")):
        done = run("train", "--config", config, "-o", "run")
    assert done.code == 2
    assert f"run is in use by another run (process {os.getpid()})" in done.err
    done = run("train", "--config", config, "-o", shapes)
    assert done.code == 2
    assert "holds other files" in done.err


def test_a_run_goes_on_with_its_settings_and_data_only(run: Run, unbroken: Path, shapes: Path) -> None:
    shutil.copytree(unbroken, "run")
    request = ["train", "--config", unbroken.parent / "run.toml", "-o", "run"]
    done = run(*request, "--set", "optimiser.learning_rate=0.5", "--set", "schedule.epochs=3")
    assert done.code == 2
    assert "optimiser.learning_rate: 0.001 -> 0.5" in done.err
    assert f"schedule.epochs: {STEPS // 4} -> 3" in done.err
    assert done.err.count("\n") == 1
    moved = shutil.copytree(shapes, "moved")
    where = ["--set", f"data.train={moved}", "--set", f"data.validation={moved}", "--set", "data.workers=1"]
    assert run(*request, *where).code == 0
    content = json.loads(Path("moved/annotations.json").read_text())
    content["annotations"][0]["bbox"][0] += 1
    Path("moved/annotations.json").write_text(json.dumps(content))
    done = run(*request, *where)
    assert done.code == 2
    assert "run holds a run on other data: classes, frames or boxes differ" in done.err


@contextmanager
def no_room(until: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Let no file grow beyond 100 kB, from when something is true."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    over = threading.Event()

    def wait() -> None:
        while not until() and not over.wait(0.01):
            pass
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))

    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        if until():
            waiting.join()
        yield
    finally:
        over.set()
        waiting.join()
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_room_at_the_start_is_one_line(run: Run, shapes: Path) -> None:
    config = tiny_config(Path("run.toml"), shapes)
    with no_room():
        done = run("train", "--config", config, "-o", "run", "--quiet")
    assert done.code == 2, done.err
    assert "run/last.pt: cannot write it" in done.err
    assert done.err.count("\n") == 1
    assert not list(Path("run").glob("*.pt"))


def test_no_room_later_is_one_line_and_the_last_checkpoint_stays(run: Run, shapes: Path) -> None:
    config = tiny_config(Path("run.toml"), shapes, run={"checkpoint_steps": 1}, schedule={"epochs": 1000})
    log = Path("run/log.jsonl")
    with no_room(lambda: log.exists() and log.read_text().count("\n") > 5):
        done = run("train", "--config", config, "-o", "run", "--quiet")
    assert done.code == 1, done.err
    assert "run/last.pt: cannot write it" in done.err
    assert done.err.count("\n") == 1
    assert not list(Path("run").glob("*.part*"))
    load_checkpoint("run/last.pt")
    assert torch.load("run/last.pt")["training"]["progress"]["step"] > 0
