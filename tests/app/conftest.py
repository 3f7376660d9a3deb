"""A server of the page in this process, on a port of its own, and small videos to give it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app_client import Client
from block_videos import write_block_detector, write_blocks

FRAMES = 150


@pytest.fixture(scope="session")
def block_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a network that sees red and blue blocks."""
    return str(write_block_detector(tmp_path_factory.mktemp("model") / "blocks.onnx"))


@pytest.fixture(scope="session")
def walks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a video of a person and a car; the person is hidden in every tenth frame from the thirtieth on."""
    steps = range(FRAMES)
    person = [None if step >= 30 and step % 10 == 0 else (20 + 0.8 * step, 30) for step in steps]
    car = [(140 - 0.7 * step, 90) for step in steps]
    path = tmp_path_factory.mktemp("walks") / "walks.mp4"
    return str(write_blocks(path, {"person": [person], "car": [car]}))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Return a client of a server with an empty folder, which takes uploads of a megabyte."""
    from heatprop.app.serving import AppServer

    with AppServer(tmp_path / "folder", max_upload=1_000_000) as server:
        yield Client(server.address)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, walks: str, block_model: str) -> Iterator[tuple[Client, str]]:
    """Return a client of a server that has a run of the walks, and its id: for tests that leave it as it is."""
    from heatprop.app.serving import AppServer

    with AppServer(tmp_path_factory.mktemp("shown"), max_upload=1_000_000) as server:
        client = Client(server.address)
        run = client.begin(source=walks, model=block_model)
        assert client.ended(run)["state"] == "done"
        yield client, run
