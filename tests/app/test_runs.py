"""Runs: begun, watched, paused, ended, kept, and found again."""

from __future__ import annotations

import io
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app_client import Client
from heatprop.errors import BusyError
from heatprop.io.results import ResultsHeader, ResultsWriter
from heatprop.types import Detections
from small_videos import build_video, number_of


def picture(answer: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(answer, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_a_run_of_a_path_says_what_it_holds(shown: tuple[Client, str], walks: str) -> None:
    client, number = shown
    run = client.run(number)
    assert (run["state"], run["frames"], run["total"], run["error"]) == ("done", 150, 150, None)
    assert (run["width"], run["height"], run["rate"], run["labels"]) == (160, 96, 25, ["person", "car"])
    assert run["times"] == pytest.approx([frame / 25 for frame in range(150)], abs=1e-3)
    assert (run["source"], run["name"], run["kind"], run["tunable"]) == (walks, "walks.mp4", "video", True)
    assert [each["id"] for each in client.get("/api/runs").json] == [number]


def test_frame_n_is_the_nth_of_the_video_whatever_the_times_of_the_source(
    client: Client, tmp_path: Path, block_model: str
) -> None:
    ticks = [round(512 * (number + (0.4 if number % 3 else 0))) for number in range(150)]
    source = build_video(tmp_path / "uneven.mp4", 150, ticks=ticks, width=96, height=64)
    run = client.begin(source=str(source), model=block_model)
    assert client.ended(run)["frames"] == 150
    with av.open(io.BytesIO(client.get(f"/api/runs/{run}/video").body)) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 25)
        frames = list(video.decode(stream))
    assert [round(frame.time * 25) for frame in frames] == list(range(150))
    assert [number_of(frame.to_ndarray(format="rgb24")) for frame in frames] == [n % 16 for n in range(150)]
    key_frames = [place for place, frame in enumerate(frames) if frame.key_frame]
    assert max(np.diff([*key_frames, 150])) <= 10
    for number in (0, 63, 64, 65, 149):
        answer = client.get(f"/api/runs/{run}/frames/{number}.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert number_of(picture(answer.body)) == number % 16


def test_a_wide_video_is_shown_smaller(client: Client, tmp_path: Path, block_model: str) -> None:
    source = build_video(tmp_path / "wide.mp4", 4, width=1920, height=1080)
    run = client.begin(source=str(source), model=block_model)
    said = client.ended(run)
    assert (said["width"], said["height"]) == (1920, 1080)
    assert picture(client.get(f"/api/runs/{run}/frames/1.jpg").body).shape == (720, 1280, 3)


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"), [("bytes=0-9", 206, 0, 9), ("bytes=100-", 206, 100, None)]
)
def test_a_browser_may_ask_for_a_part_of_the_video(
    shown: tuple[Client, str], asked: str, status: int, first: int, last: int | None
) -> None:
    client, run = shown
    whole = client.get(f"/api/runs/{run}/video")
    part = client.get(f"/api/runs/{run}/video", Range=asked)
    assert (whole.status, part.status, whole.headers["accept-ranges"]) == (200, status, "bytes")
    end = len(whole.body) - 1 if last is None else last
    assert part.body == whole.body[first : end + 1]
    assert part.headers["content-range"] == f"bytes {first}-{end}/{len(whole.body)}"


def test_a_range_beyond_the_end_is_told(shown: tuple[Client, str]) -> None:
    client, run = shown
    assert client.get(f"/api/runs/{run}/video", Range="bytes=99999999-").status == 416


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"source": "missing.mp4"}, "missing.mp4: no such file; check the path"),
        ({"source": ""}, "the source is empty"),
        ({}, "give a source or an upload, and not both"),
        ({"source": "a.mp4", "upload": "b"}, "give a source or an upload, and not both"),
        ({"source": "a.mp4", "nothing": 1}, "nothing is unknown"),
        ({"source": 7}, "source is 7; it must be"),
        ({"source": "a\0b.mp4"}, "no name has a null character"),
        ({"upload": "../../../etc/passwd"}, "there is no such upload"),
        ({"source": "missing.jsonl"}, "missing.jsonl: cannot read"),
    ],
)
def test_what_cannot_be_run_is_told_as_the_command_line_tells_it(
    client: Client, asked: dict[str, object], said: str
) -> None:
    answer = client.post("/api/runs", asked)
    assert answer.status in (400, 404)
    assert said in answer.error
    assert "\n" not in answer.error
    assert client.get("/api/runs").json == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": "no-such"}, "model no-such: there is no such model"),
        ({"classes": ["unicorn"]}, "the model has no class 'unicorn'"),
        ({"input_size": 33}, "33"),
        ({"truth": "/nowhere"}, "/nowhere: there are no annotations"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_run(
    client: Client, walks: str, asked: dict[str, object], said: str
) -> None:
    answer = client.post("/api/runs", {"source": walks, **asked})
    assert answer.status == 400
    assert said in answer.error


def test_a_run_waits_while_it_is_paused_and_ends_when_it_is_cancelled(
    client: Client, tmp_path: Path, block_model: str
) -> None:
    source = build_video(tmp_path / "long.mp4", 2000, width=320, height=240)
    run = client.begin(source=str(source), model=block_model)
    client.until(lambda: client.run(run)["frames"] > 0)
    assert client.post(f"/api/runs/{run}/pause").json["state"] == "paused"
    assert client.get(f"/api/runs/{run}/video").status == 409
    frames = client.run(run)["frames"]
    assert picture(client.get(f"/api/runs/{run}/frames/{frames - 1}.jpg").body).shape == (240, 320, 3)
    refused = client.post(f"/api/runs/{run}/pause")
    assert (refused.status, refused.error) == (409, "the run is paused; that needs one that is running")
    assert client.post(f"/api/runs/{run}/resume").json["state"] == "running"
    client.until(lambda: client.run(run)["frames"] > frames + 10)
    client.post(f"/api/runs/{run}/cancel")
    ended = client.ended(run)
    assert ended["state"] == "cancelled"
    assert 0 < ended["frames"] < 2000
    with av.open(io.BytesIO(client.get(f"/api/runs/{run}/video").body)) as video:
        assert sum(1 for _ in video.decode(video=0)) == ended["frames"]
    assert len(client.detections(run)) == ended["frames"]


def test_a_cancelled_run_goes_on_where_it_ended(client: Client, tmp_path: Path, block_model: str) -> None:
    source = build_video(tmp_path / "long.mp4", 400)
    run = client.begin(source=str(source), model=block_model)
    client.until(lambda: client.run(run)["frames"] > 70)
    client.post(f"/api/runs/{run}/cancel")
    if client.ended(run)["state"] == "cancelled":
        assert client.post(f"/api/runs/{run}/resume").status == 200
    assert (
        client.until(lambda: found if (found := client.ended(run))["state"] == "done" else None)["frames"] == 400
    )
    for number in (0, 63, 64, 200, 399):
        assert number_of(picture(client.get(f"/api/runs/{run}/frames/{number}.jpg").body)) == number % 16


def test_a_run_is_renamed_and_deleted_with_its_files(
    client: Client, tmp_path: Path, walks: str, block_model: str
) -> None:
    run = client.begin(source=walks, model=block_model)
    client.ended(run)
    assert client.post(f"/api/runs/{run}/rename", {"name": " my  walk "}).json["name"] == "my walk"
    assert client.post(f"/api/runs/{run}/rename", {"name": " "}).status == 400
    assert client.post(f"/api/runs/{run}/rename", {"name": 7}).status == 400
    assert client.send("DELETE", f"/api/runs/{run}").json == {"id": run}
    assert client.get("/api/runs").json == []
    assert list((tmp_path / "folder" / "runs").iterdir()) == []
    assert Path(walks).exists()
    for name in ("", "/video", "/frames/0.jpg", "/detections", "/overview"):
        answer = client.get(f"/api/runs/{run}{name}")
        assert (answer.status, answer.error) == (404, "there is no such run; it may have been deleted")


def test_a_run_that_is_deleted_while_it_is_at_work_leaves_nothing(
    client: Client, tmp_path: Path, block_model: str
) -> None:
    source = build_video(tmp_path / "long.mp4", 2000, width=320, height=240)
    run = client.begin(source=str(source), model=block_model)
    client.until(lambda: client.run(run)["frames"] > 0)
    assert client.send("DELETE", f"/api/runs/{run}").status == 200
    assert list((tmp_path / "folder" / "runs").iterdir()) == []


def test_a_run_that_waits_for_others_is_ended_and_deleted_at_once(
    client: Client, tmp_path: Path, block_model: str
) -> None:
    source = str(build_video(tmp_path / "long.mp4", 2000, width=320, height=240))
    busy = [client.begin(source=source, model=block_model) for _ in range(2)]
    for run in busy:
        client.until(lambda run=run: client.run(run)["frames"] > 0)
        assert client.post(f"/api/runs/{run}/pause").status == 200
    first, second = (client.begin(source=source, model=block_model) for _ in range(2))
    assert client.post(f"/api/runs/{first}/cancel").status == 200
    assert client.run(first)["state"] == "cancelled"
    assert client.post(f"/api/runs/{first}/resume").json["state"] == "queued"
    for run in (first, second):
        assert client.send("DELETE", f"/api/runs/{run}").status == 200
        assert client.send("DELETE", f"/api/runs/{run}").status == 404
    for run in busy:
        assert client.post(f"/api/runs/{run}/cancel").status == 200
        client.ended(run)
    last = client.begin(source=source, model=block_model)  # after those that are gone
    client.until(lambda: client.run(last)["frames"] > 0)
    client.post(f"/api/runs/{last}/cancel")
    client.ended(last)
    assert {path.name for path in (tmp_path / "folder" / "runs").iterdir()} == {*busy, last}


def test_of_several_tabs_that_let_a_run_go_on_one_does(client: Client, tmp_path: Path, block_model: str) -> None:
    source = str(build_video(tmp_path / "long.mp4", 600, width=320, height=240))
    run = client.begin(source=source, model=block_model)
    client.until(lambda: client.run(run)["frames"] > 70)
    client.post(f"/api/runs/{run}/cancel")
    assert client.ended(run)["state"] == "cancelled"
    with ThreadPoolExecutor(6) as tabs:
        answers = list(tabs.map(lambda _: client.post(f"/api/runs/{run}/resume"), range(6)))
    assert sorted(answer.status for answer in answers) == [200] + 5 * [409]
    assert (client.ended(run)["state"], client.run(run)["frames"]) == ("done", 600)


def test_a_folder_that_was_not_begun_goes_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    from heatprop.app.serving import AppServer

    for name in ("neverbegun00", "damagedrun00"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "neverbegun00" / "source.mp4").write_bytes(b"half")
    (tmp_path / "runs" / "damagedrun00" / "run.json").write_text("{")
    with AppServer(tmp_path, max_upload=1) as server:
        assert Client(server.address).get("/api/runs").json == []
        (said,) = server.library.damaged
    assert "damagedrun00" in said
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["damagedrun00"]


def test_a_source_that_breaks_off_keeps_what_was_seen(client: Client, tmp_path: Path, block_model: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), 40 * number, np.uint8))
    (folder / "5.png").write_bytes(b"no picture")
    run = client.begin(source=str(folder), model=block_model)
    ended = client.ended(run)
    assert ended["frames"] == 5
    assert picture(client.get(f"/api/runs/{run}/frames/4.jpg").body).shape == (48, 64, 3)


def test_only_the_wanted_classes_are_found(client: Client, walks: str, block_model: str) -> None:
    run = client.begin(source=walks, model=block_model, classes=["car"])
    client.ended(run)
    frames = client.detections(run)
    assert {label for frame in frames for label in frame["labels"]} == {1}
    assert client.run(run)["classes"] == ["car"]


def test_events_tell_of_runs_from_beginning_to_end(client: Client, walks: str, block_model: str) -> None:
    events = client.events()
    run = client.begin(source=walks, model=block_model)
    states, tuned = [], set()
    for name, content in events:
        if name == "run" and content["id"] == run:
            states.append(content["state"])
        if name == "tuning" and content["run"] == run and content["done"]:
            tuned.add(content["key"])
        if states[-1:] == ["done"] and len(tuned) == 2:
            break
    assert tuned == {client.run(run)["key"], "alone"}
    client.send("DELETE", f"/api/runs/{run}")
    assert next(content for name, content in events if name == "gone") == {"id": run}


def test_two_servers_do_not_share_a_folder(client: Client, tmp_path: Path) -> None:
    from heatprop.app.serving import AppServer

    with pytest.raises(BusyError):
        AppServer(tmp_path / "folder", max_upload=1)
    assert client.get("/api/runs").status == 200


def test_runs_are_there_again_when_the_server_is_started_again(
    tmp_path: Path, walks: str, block_model: str
) -> None:
    from heatprop.app.serving import AppServer

    with AppServer(tmp_path, max_upload=1) as server:
        client = Client(server.address)
        run = client.begin(source=walks, model=block_model)
        before = client.ended(run)
        key = client.tune(run, form="paper", radius=3, score_threshold=0.2)["key"]
        found = client.detections(run, key)
        client.until(lambda: client.get(f"/api/runs/{run}/overview?key={key}").json["done"])
        overview = client.get(f"/api/runs/{run}/overview?key={key}").json
    (tmp_path / "runs" / "damagedrun00").mkdir()
    (tmp_path / "runs" / "damagedrun00" / "run.json").write_text("{")
    with AppServer(tmp_path, max_upload=1) as server:
        client = Client(server.address)
        after = client.run(run)
        assert {**after, "settings": 0, "key": 0} == {**before, "settings": 0, "key": 0}
        assert after["key"] == key
        assert client.detections(run, key) == found
        assert (
            client.until(
                lambda: each if (each := client.get(f"/api/runs/{run}/overview?key={key}").json)["done"] else None
            )
            == overview
        )


def write_results(path: Path, video: str, propagation: object) -> Path:
    header = ResultsHeader(
        "blocks", ["person", "car"], {"name": video, "width": 160, "height": 96}, {"propagation": propagation}
    )
    with ResultsWriter(path, header) as results:
        for number in range(100):
            boxes = Detections([[10 + number, 5, 26 + number, 29]], [0.6], [0], track_ids=[3])
            results.write(number, number / 25, boxes if number % 7 else Detections.empty())
    return path


def test_results_of_an_earlier_run_are_shown_over_their_video_as_they_are(
    client: Client, tmp_path: Path, walks: str
) -> None:
    path = write_results(tmp_path / "found.jsonl", walks, {"radius": 2})
    run = client.begin(source=str(path))
    said = client.ended(run)
    assert (said["state"], said["frames"], said["kind"], said["tunable"]) == ("done", 100, "results", False)
    assert (said["key"], said["model"], said["labels"]) == ("file", "blocks", ["person", "car"])
    frames = client.detections(run, "file")
    assert frames[8] == {
        "boxes": [[18, 5, 34, 29]], "scores": [0.6], "labels": [0], "ids": [3], "lengths": [1]
    }  # fmt: skip
    refused = client.post(f"/api/runs/{run}/tune", {"settings": {}})
    assert (refused.status, "propagated already" in refused.error) == (409, True)
    overview = client.get(f"/api/runs/{run}/overview").json
    assert (overview["recovered"], overview["counts"]["alone"]) == ([], None)
    assert picture(client.get(f"/api/runs/{run}/frames/3.jpg").body)[8:20, 16:28, 0].mean() > 200  # the person


def test_results_whose_video_is_gone_are_shown_on_nothing(client: Client, tmp_path: Path) -> None:
    run = client.begin(source=str(write_results(tmp_path / "found.jsonl", "gone.mp4", {"radius": 2})))
    assert client.ended(run)["state"] == "done"
    assert picture(client.get(f"/api/runs/{run}/frames/3.jpg").body).shape == (96, 160, 3)


def test_results_that_name_an_address_or_a_camera_open_neither(client: Client, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        address = f"http://127.0.0.1:{stranger.getsockname()[1]}/street.mp4"
        for number, name in enumerate((address, "camera:0", "/dev/video0")):
            results = write_results(tmp_path / f"{number}.jsonl", name, {"radius": 2})
            run = client.begin(source=str(results))
            assert client.ended(run)["state"] == "done"
            assert picture(client.get(f"/api/runs/{run}/frames/3.jpg").body).std() < 1
        stranger.settimeout(0)
        with pytest.raises(BlockingIOError):
            stranger.accept()


def test_results_of_the_network_alone_can_be_tuned(client: Client, tmp_path: Path, walks: str) -> None:
    path = write_results(tmp_path / "alone.jsonl", walks, None)
    upload = client.upload("alone.jsonl", path.read_bytes()).json["upload"]
    run = client.begin(upload=upload)
    assert client.ended(run)["tunable"] is True
    frames = client.detections(run)
    alone = client.detections(run, "alone")
    assert [len(frame["boxes"]) for frame in alone] == [1 if number % 7 else 0 for number in range(100)]
    assert sum(len(frame["boxes"]) for frame in frames) > 90  # most of the gaps are closed


def test_results_that_are_damaged_are_told_with_their_line(client: Client, tmp_path: Path, walks: str) -> None:
    path = write_results(tmp_path / "found.jsonl", walks, None)
    path.write_bytes(path.read_bytes().replace(b'"frame":50', b'"frame":5'))
    run = client.begin(source=str(path))
    said = client.ended(run)
    assert (said["state"], said["frames"]) == ("failed", 50)
    assert "line 52" in said["error"]
