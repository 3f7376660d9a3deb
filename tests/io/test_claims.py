"""Claims of folders and files: one owner at a time, until its end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from heatprop.errors import BusyError, OutputError
from heatprop.io.claims import FOLDER_LOCK, Claim, claim_file, claim_folder

CLAIMS: list[Callable[[Path], Claim]] = [claim_folder, claim_file]


@contextmanager
def another_process(code: str, place: Path) -> Iterator[subprocess.Popen[str]]:
    """Run code in a process of its own, and go on when it has said "ready"; it ends with the context."""
    code = f"from pathlib import Path\nfrom heatprop.io.claims import *\nplace = Path({str(place)!r})\n{code}"
    with subprocess.Popen([sys.executable, "-c", code], text=True, stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_place_is_claimed_once_and_again_after_its_release(
    tmp_path: Path, claim: Callable[[Path], Claim]
) -> None:
    place = tmp_path / "place"
    with claim(place) as first:
        with pytest.raises(
            BusyError, match=rf"place is in use by another run \(process {os.getpid()}\)"
        ) as caught:
            claim(place)
        assert "\n" not in str(caught.value)
        first.release()
        first.release()
        with claim(place):
            pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("claim", CLAIMS)
def test_all_names_of_a_place_meet_in_one_claim(
    tmp_path: Path, claim: Callable[[Path], Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    place = tmp_path / "real" / "place"
    (tmp_path / "direct").symlink_to(place)
    monkeypatch.chdir(tmp_path / "real")
    names = [place, Path("place"), tmp_path / "link" / "place", tmp_path / "real" / ".." / "real" / "place"]
    for mine in (*names, tmp_path / "direct"):
        with claim(mine):
            for other in (*names, tmp_path / "direct"):
                with pytest.raises(BusyError):
                    claim(other)


def test_places_beside_each_other_are_each_on_its_own(tmp_path: Path) -> None:
    with (
        claim_folder(tmp_path),
        claim_file(tmp_path / "a"),
        claim_file(tmp_path / "b"),
        claim_folder(tmp_path / "c"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("claim", CLAIMS)
def test_of_many_threads_one_has_it(tmp_path: Path, claim: Callable[[Path], Claim]) -> None:
    inside, most, refused = 0, 0, 0
    counting, start = threading.Lock(), threading.Barrier(8)

    def work() -> None:
        nonlocal inside, most, refused
        start.wait()
        for _ in range(200):
            try:
                mine = claim(tmp_path / "place")
            except BusyError:
                with counting:
                    refused += 1
                continue
            with counting:
                inside += 1
                most = max(most, inside)
            with counting:
                inside -= 1
            mine.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (1, 0)
    assert refused < 1600
    assert [each for each in tmp_path.rglob("*") if not each.is_dir()] == []


def test_processes_that_come_and_go_are_never_two_at_once(tmp_path: Path) -> None:
    """Each adds 1 to a number 100 times, reading and writing it in two steps: none may be lost."""
    (tmp_path / "number").write_text("0")
    code = f"""
import time
from pathlib import Path
from heatprop.errors import BusyError
from heatprop.io.claims import claim_file
number = Path({str(tmp_path)!r}) / "number"
done = 0
while done < 100:
    try:
        with claim_file(number):
            number.write_text(str(int(number.read_text()) + 1))
            done += 1
    except BusyError:
        time.sleep(0.0005)
"""
    with ExitStack() as ended:
        processes = [ended.enter_context(subprocess.Popen([sys.executable, "-c", code])) for _ in range(3)]
        for process in processes:
            ended.callback(process.kill)  # or a stuck one would take a core for as long as the tests run
        assert [process.wait(timeout=100) for process in processes] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "300"


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_dies_with_its_process(tmp_path: Path, claim: Callable[[Path], Claim]) -> None:
    place = tmp_path / "place"
    code = f"mine = {claim.__name__}(place); print('ready', flush=True); input()"
    with another_process(code, place) as process:
        with pytest.raises(BusyError, match=f"process {process.pid}"):
            claim(place)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with claim(place):
            pass
    assert not place.exists() or list(place.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize(
    "start",
    [
        "import os, time; first, last = os.pipe(); child = os.fork()\n"
        "if not child: os.write(last, b'x'); time.sleep(600)\n"
        "os.read(first, 1)  # until it has begun, it has what its parent has",
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], "
        "close_fds=False).pid",
    ],
    ids=["forked", "started"],
)
def test_children_that_live_on_do_not_keep_it(tmp_path: Path, start: str) -> None:
    code = f"mine = claim_folder(place)\n{start}\nprint('ready', flush=True); print(child, flush=True); input()"
    with another_process(code, tmp_path) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            with pytest.raises(BusyError):
                claim_folder(tmp_path)
            process.send_signal(signal.SIGKILL)
            process.wait()
            claim_folder(tmp_path).release()
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_neither_has_nor_releases_what_its_parent_claimed(tmp_path: Path) -> None:
    with claim_folder(tmp_path) as mine:
        child = os.fork()
        if child == 0:
            mine.release()
            try:
                claim_folder(tmp_path)
            except BusyError:
                os._exit(7)
            os._exit(8)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        with pytest.raises(BusyError):
            claim_folder(tmp_path)


def test_what_a_killed_run_left_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / FOLDER_LOCK).write_text("77\n")
    claim_folder(tmp_path).release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_stays_if_something_was_written(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "kept").write_text("x")
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["kept"]


def test_what_is_no_regular_file_is_not_claimed() -> None:
    with claim_file(os.devnull), claim_file(os.devnull):
        pass


def test_a_long_name_can_be_claimed(tmp_path: Path) -> None:
    with claim_file(tmp_path / ("ä" * 127)), pytest.raises(BusyError):
        claim_file(tmp_path / ("ä" * 127))


def test_what_cannot_be_claimed_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "locked").mkdir()
    os.mkfifo(tmp_path / "locked" / FOLDER_LOCK)
    for folder in (tmp_path / "file", tmp_path / "file" / "a", tmp_path / "locked", Path("/proc/none")):
        with pytest.raises(OutputError, match=str(folder)) as caught:
            claim_folder(folder)
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="cannot write there"):
        claim_file(tmp_path / "none" / "file")


def test_where_a_file_system_has_no_locks_a_run_goes_on_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("filelock.lock_descriptor", refuse)
    for name in ("a.jsonl", "b.mp4", "a.jsonl"):
        with claim_file(tmp_path / name) as claim:
            assert not claim.is_certain
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"{tmp_path}: its file system has no locks (No locks available): a second run there would not be noticed"
    ]
