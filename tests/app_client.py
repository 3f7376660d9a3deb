"""A client of the page's server: what a browser sends, without a browser."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

AT_WORK = ("queued", "running", "paused")


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


class Client:
    """Sends requests to a server, with its token unless told otherwise."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.token = parse_qs(parts.query)["token"][0]

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Send a request; a header that is None is left out."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        sent = {"Authorization": f"Bearer {self.token}", "X-Heatprop": "1", **(headers or {})}
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        try:
            connection.request(
                method,
                path,
                data,
                {name: value for name, value in sent.items() if value is not None},
                encode_chunked=data is not None and not isinstance(data, (bytes, str)),
            )
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, body: Any = None) -> Answer:
        return self.send("POST", path, body)

    def upload(self, name: str, content: Any) -> Answer:
        return self.send("POST", f"/api/uploads?name={quote(name)}", content)

    def begin(self, **asked: Any) -> str:
        """Begin a run and return its id."""
        answer = self.post("/api/runs", asked)
        assert answer.status == 200, answer.body
        return answer.json["id"]

    def run(self, run: str) -> dict[str, Any]:
        answer = self.get(f"/api/runs/{run}")
        assert answer.status == 200, answer.body
        return answer.json

    def until(self, work: Callable[[], Any]) -> Any:
        """Return what `work` gives as soon as it gives something."""
        while not (found := work()):
            time.sleep(0.02)
        return found

    def ended(self, run: str) -> dict[str, Any]:
        """Return a run when it has ended."""
        return self.until(lambda: found if (found := self.run(run))["state"] not in AT_WORK else None)

    def detections(self, run: str, key: str = "") -> list[dict[str, Any]]:
        """Return the detections in all frames, once they are computed."""
        frames = self.run(run)["frames"]

        def part(start: int) -> Any:
            address = f"/api/runs/{run}/detections?key={key}&from={start}&to={min(start + 512, frames)}"
            answer = self.get(address)
            assert answer.status == 200, answer.body
            found = answer.json["frames"]
            return found if all(found) else None

        return [frame for start in range(0, frames, 512) for frame in self.until(lambda start=start: part(start))]

    def tune(self, run: str, at: int = 0, **settings: Any) -> dict[str, Any]:
        answer = self.post(f"/api/runs/{run}/tune", {"settings": settings, "at": at})
        assert answer.status == 200, answer.body
        return answer.json

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and content of events as they come."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request("GET", "/api/events", headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        name = ""
        try:
            while line := answer.readline():
                kind, _, text = line.decode().rstrip("\n").partition(": ")
                if kind == "event":
                    name = text
                elif kind == "data":
                    yield name, json.loads(text)
        finally:
            connection.close()

    def exported(self, run: str, **asked: Any) -> Answer:
        """Export, wait for the file, and return it."""
        begun = self.post(f"/api/runs/{run}/export", asked)
        assert begun.status == 200, begun.body
        for name, job in self.events():
            if name == "export" and job["job"] == begun.json["job"] and (job["url"] or job["error"]):
                assert job["error"] is None, job["error"]
                return self.get(job["url"])
        raise AssertionError("the server ended")
