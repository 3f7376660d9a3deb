"""Who is let in: requests as other pages, other users and other names of the machine would send them."""

from __future__ import annotations

import os
import stat
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import quote

import pytest

from app_client import Client
from heatprop.app.serving import AppServer

NO_TOKEN = {"Authorization": None}


def test_the_address_lets_a_browser_in_by_a_cookie_that_scripts_and_other_pages_do_not_get(client: Client) -> None:
    welcome = client.send("GET", f"/?token={client.token}", headers=NO_TOKEN)
    assert welcome.status == 200
    assert client.token not in welcome.body.decode()
    cookie = SimpleCookie(welcome.headers["set-cookie"])
    ((name, morsel),) = cookie.items()
    assert morsel["httponly"] is True
    assert morsel["samesite"].lower() == "strict"
    page = client.send("GET", "/", headers={**NO_TOKEN, "Cookie": f"{name}={morsel.value}"})
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    for others in ('shop={"a": 1}; theme=a b', "=; ;;", "broken", "a=b=c"):
        beside = client.send("GET", "/", headers={**NO_TOKEN, "Cookie": f"{others}; {name}={morsel.value}"})
        assert beside.status == 200, others


def test_the_key_that_a_browser_is_started_with_opens_once(tmp_path: Path) -> None:
    with AppServer(tmp_path / "folder", max_upload=1) as server:
        assert server.address_once != server.address
        key = Client(server.address_once).token
        client = Client(server.address)
        assert client.send("GET", "/api/runs", headers={"Authorization": f"Bearer {key}"}).status == 401
        first, second = (client.send("GET", f"/?token={key}", headers=NO_TOKEN) for _ in range(2))
        assert (first.status, second.status) == (200, 401)
        assert client.token in first.headers["set-cookie"]
        assert "set-cookie" not in second.headers


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has such rights")
def test_the_folder_of_runs_is_for_its_owner_alone(tmp_path: Path) -> None:
    with AppServer(tmp_path / "folder", max_upload=1):
        pass
    for name in ("runs", "uploads"):
        assert stat.S_IMODE((tmp_path / "folder" / name).stat().st_mode) == 0o700


@pytest.mark.parametrize("path", ["/", "/index.html", "/api/about", "/api/runs", "/api/events", "/nothing"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "heatprop=wrong"}, {"Authorization": "Basic dXNlcjp4"}],
)
def test_nothing_answers_without_the_token(client: Client, path: str, headers: dict[str, str]) -> None:
    answer = client.send("GET", path, headers={**NO_TOKEN, **headers})
    assert answer.status == 401
    assert answer.error == "open the address that heatprop app printed: it has the token"


def test_a_wrong_token_sets_no_cookie(client: Client) -> None:
    answer = client.send("GET", "/?token=" + quote("é" * 40), headers=NO_TOKEN)
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1:1", "", "[::1"]
)
def test_another_name_that_leads_here_is_refused_even_with_the_token(client: Client, host: str) -> None:
    answer = client.send("GET", "/api/runs", headers={"Host": host.format(port=client.port)})
    assert answer.status == 403
    assert "this server has no other name" in answer.error


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LOCALHOST:{port}"])
def test_names_of_this_machine_are_its_own(client: Client, host: str) -> None:
    assert client.send("GET", "/api/runs", headers={"Host": host.format(port=client.port)}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Heatprop": None},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/runs"), ("POST", "/api/uploads?name=a.mp4"), ("DELETE", "/api/runs/aaaaaaaaaaaa")],
)
def test_another_page_changes_nothing(
    client: Client, headers: dict[str, str | None], method: str, path: str
) -> None:
    answer = client.send(method, path, b"{}", headers=headers)
    assert answer.status == 403
    assert client.get("/api/runs").json == []


def test_the_page_itself_may_change_something(client: Client) -> None:
    origin = {"Origin": f"http://127.0.0.1:{client.port}", "Sec-Fetch-Site": "same-origin"}
    assert client.send("POST", "/api/uploads?name=a", b"x", headers=origin).status == 200


def test_another_page_cannot_load_what_is_shown(client: Client) -> None:
    assert client.get("/api/runs", Sec_Fetch_Site="cross-site").status == 403


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/runs/none", "/nothing", "/api/runs?token=x"])
def test_every_answer_forbids_scripts_frames_and_guesses(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert not any("unsafe" in each for each in policy)
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/api/runs/../../secret.txt",
        "/api/runs/..%2f..%2fsecret.txt",
        "/api/runs/..",
        "/api/exports/../secret.txt",
        "/api/exports/a/..%2f..%2fsecret.txt",
        "/secret.txt%00.html",
        "/routes.py",
        "/../routes.py",
    ],
)
def test_no_address_leads_out_of_the_page(client: Client, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "folder" / "secret.txt").write_text("secret")
    answer = client.get(path)
    assert answer.status in (400, 404, 405)
    assert b"secret" not in answer.body.replace(b"secret.txt", b"")


@pytest.mark.parametrize("key", ["../../secret", "..", "alone/../../x", "%00", "/etc", "x" * 5000])
def test_a_key_names_no_folder(shown: tuple[Client, str], key: str) -> None:
    client, run = shown
    for view in ("detections", "overview", "score", "commands"):
        answer = client.get(f"/api/runs/{run}/{view}?id=0&key={quote(key)}")
        assert answer.status in (400, 404), (view, answer.body)
        assert len(answer.error) < 300


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b"[" * 100_000, b'"x"'])
def test_a_body_that_is_no_object_is_told_in_a_line(client: Client, body: bytes) -> None:
    answer = client.send("POST", "/api/runs", body)
    assert (answer.status, answer.error) == (400, "the request's body is no JSON object")


def test_a_body_is_not_taken_whatever_its_size(client: Client) -> None:
    answer = client.send("POST", "/api/runs", b"{" + b" " * 300_000 + b"}")
    assert (answer.status, "more than 262,144 bytes" in answer.error) == (413, True)
