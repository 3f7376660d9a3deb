"""Uploads: streamed, bounded, and under harmless names."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app_client import Client


def lying(tmp_path: Path) -> list[str]:
    return [each.name for each in (tmp_path / "folder" / "uploads").iterdir()]


def test_an_upload_becomes_a_run(client: Client, walks: str, block_model: str) -> None:
    content = Path(walks).read_bytes()
    sent = client.upload("My walk.MP4", content).json
    assert sent["bytes"] == len(content)
    run = client.ended(client.begin(upload=sent["upload"], model=block_model))
    assert (run["state"], run["frames"], run["name"], run["source"]) == ("done", 150, "My walk.MP4", "My walk.MP4")
    again = client.post("/api/runs", {"upload": sent["upload"], "model": block_model})
    assert (again.status, again.error) == (404, "there is no such upload; send the file again")


def test_a_file_of_two_gigabytes_is_refused_by_its_announced_length(client: Client, tmp_path: Path) -> None:
    answer = client.send(
        "POST", "/api/uploads?name=large.mp4", b"beginning", headers={"Content-Length": str(2 << 30)}
    )
    assert answer.status == 413
    assert answer.error == (
        "the file is larger than 0.001 GB; name its path as the source, or start heatprop app with a larger "
        "--max-upload"
    )
    assert lying(tmp_path) == []


def test_a_file_of_unknown_length_is_refused_while_it_comes(client: Client, tmp_path: Path) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(2 << 10):  # two gigabytes, were they taken
            sent += 1 << 20
            yield bytes(1 << 20)

    try:
        answer = client.upload("large.mp4", chunks())
    except OSError:  # the server hung up, and the answer was lost with the rest
        pass
    else:
        assert answer.status == 413
    assert sent < 2 << 30
    assert lying(tmp_path) == []
    assert client.get("/api/runs").status == 200


@pytest.mark.parametrize(
    "name",
    [
        "../../../evil.mp4",
        "..\\..\\evil.mp4",
        "/etc/passwd",
        "a\x00b.mp4",
        "line\nbreak.mp4",
        "<img src=x onerror=alert(1)>.mp4",
        "x" * 5000 + ".mp4",
        "",
        ".mp4",
        "con.mp4",
        "film.mp4/../../x.sh",
        "\u202egnp.exe",
    ],
)
def test_no_name_of_an_upload_becomes_a_path(client: Client, tmp_path: Path, name: str) -> None:
    before = {path for path in tmp_path.rglob("*") if "uploads" not in path.parts}
    assert client.upload(name, b"something").status == 200
    (stored,) = lying(tmp_path)
    assert stored[:12].isalnum()
    assert stored[12:] in ("", ".mp4", ".exe", ".sh")
    assert {path for path in tmp_path.rglob("*") if "uploads" not in path.parts} == before


def test_what_is_no_video_is_told_as_the_command_line_tells_it(client: Client, block_model: str) -> None:
    upload = client.upload("notes.mp4", b"no video at all" * 100).json["upload"]
    answer = client.post("/api/runs", {"upload": upload, "model": block_model})
    assert answer.status == 400
    assert ".mp4" in answer.error
    assert client.get("/api/runs").json == []


def test_an_empty_upload_is_refused(client: Client, tmp_path: Path) -> None:
    answer = client.upload("nothing.mp4", b"")
    assert (answer.status, lying(tmp_path)) == (400, [])


def test_two_tabs_that_begin_with_one_upload_make_one_run(client: Client, walks: str, block_model: str) -> None:
    upload = client.upload("walks.mp4", Path(walks).read_bytes()).json["upload"]
    asked = {"upload": upload, "model": block_model}
    with ThreadPoolExecutor(4) as tabs:
        answers = list(tabs.map(lambda _: client.post("/api/runs", asked), range(4)))
    assert sorted(answer.status for answer in answers) == [200, 404, 404, 404]
    (run,) = client.get("/api/runs").json
    assert client.ended(run["id"])["state"] == "done"


def test_only_the_newest_uploads_wait_for_a_run(client: Client, tmp_path: Path) -> None:
    sent = [client.upload("a.mp4", b"x").json["upload"] for _ in range(20)]
    kept = {name.partition(".")[0] for name in lying(tmp_path)}
    assert kept == set(sent[-len(kept) :])
    assert 0 < len(kept) < 20


def test_uploads_that_no_run_took_go_with_the_server(tmp_path: Path) -> None:
    from heatprop.app.serving import AppServer

    for _ in range(2):
        with AppServer(tmp_path / "folder", max_upload=1_000_000) as server:
            assert lying(tmp_path) == []
            assert Client(server.address).upload("a.mp4", b"x").status == 200
