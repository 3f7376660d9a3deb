"""`heatprop app` as a user runs it: in a process of its own, stopped, killed, and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app_client import Client
from small_videos import build_video


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """Run the command; it is killed at the end."""
    command = [sys.executable, "-m", "heatprop", "app", "--no-browser", "--folder", str(folder), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.communicate()
        yield process, Client(address)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_the_run_can_go_on(
    tmp_path: Path, block_model: str, sent: signal.Signals, code: int
) -> None:
    source = build_video(tmp_path / "long.mp4", 3000, width=320, height=240)
    with served(tmp_path / "folder") as (process, client):
        run = client.begin(source=str(source), model=block_model)
        client.until(lambda: client.run(run)["frames"] > 0)
        process.send_signal(sent)
        _, said = process.communicate()
        assert process.returncode == code
        assert said == "heatprop: stopped; runs are kept, and those that were cut off can go on\n"
    with served(tmp_path / "folder") as (_, client):
        assert client.run(run)["state"] == "interrupted"


def test_a_run_goes_on_after_the_server_was_killed_as_if_nothing_had_been(
    tmp_path: Path, block_model: str
) -> None:
    source = str(build_video(tmp_path / "long.mp4", 600, width=320, height=240))
    with served(tmp_path / "folder") as (process, client):
        run = client.begin(source=source, model=block_model)
        client.until(lambda: client.run(run)["frames"] >= 130)
        process.kill()
        process.wait()
    with served(tmp_path / "folder") as (_, client):
        left = client.run(run)
        if left["state"] != "done":  # it was faster than the kill
            assert left["state"] == "interrupted"
            assert left["frames"] % 64 == 0
            assert left["frames"] >= 64
            assert client.get(f"/api/runs/{run}/video").status == 200
            assert len(client.detections(run)) == left["frames"]
            assert client.post(f"/api/runs/{run}/resume").status == 200
        assert client.ended(run)["frames"] == 600
        whole = client.begin(source=source, model=block_model)
        client.ended(whole)
        assert client.detections(run) == client.detections(whole)
        assert client.run(run)["times"] == client.run(whole)["times"]
        for number in (0, 64, 130, 599):
            one, other = (client.get(f"/api/runs/{each}/frames/{number}.jpg").body for each in (run, whole))
            assert one == other


def test_sources_of_the_command_line_are_begun(tmp_path: Path) -> None:
    build_video(tmp_path / "a.mp4", 5)
    with served(tmp_path / "folder", str(tmp_path / "a.mp4"), "missing.mp4") as (_, client):
        (run,) = client.until(lambda: client.get("/api/runs").json)
        assert (run["name"], client.ended(run["id"])["frames"]) == ("a.mp4", 5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "70000"], "--port is 70000; it must be a whole number from 0 to 65535"),
        (["--max-upload", "0"], "--max-upload is 0.0; it must be a number"),
        (["--host", ""], "--host is empty"),
        (["--host", "no.such.name.invalid"], "--host no.such.name.invalid:"),
        (["--host", "192.0.2.1"], "192.0.2.1:0: cannot listen there"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "heatprop", "app", "--no-browser", "--folder", str(tmp_path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"heatprop: error: {said}")
    assert done.stderr.count("\n") == 1


def test_without_the_extra_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['starlette'] = None; from heatprop.cli import main; sys.exit(main(['app']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "heatprop: error: heatprop app needs starlette, which is not installed; run: pip install 'heatprop[app]'\n"
    )


def test_the_wheel_holds_the_page(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    pytest.importorskip("hatchling", reason="needs hatchling, which is not installed")
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    page = root / "src" / "heatprop" / "app" / "page"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"heatprop/app/page/{path.relative_to(page).as_posix()}" for path in page.rglob("*.*")} <= names
