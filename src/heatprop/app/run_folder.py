"""The folder of a run: its files and what each of them is for.

RUN/run.json                what the run is and how far it came: `RunRecord`
RUN/source.mp4              an upload; any other source stays where it is
RUN/outputs/000000.npz      the network's outputs of frames 0 to 63: `heatprop.app.kept_frames`
RUN/segments/000000.mp4     the same frames of the proxy, until they are joined
RUN/proxy.mp4               the proxy
RUN/tunings/KEY/000000.npz  detections of these frames by one tuning
RUN/exports/JOB/...         files made for downloading
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from heatprop.app.kept_frames import DamagedRunError
from heatprop.app.settings import Tuning
from heatprop.io.whole_files import read_json, write_json
from heatprop.structuring import MisfitError, structure

Kind = Literal["video", "results"]
State = Literal["queued", "running", "paused", "done", "cancelled", "failed", "interrupted"]
AT_WORK: tuple[State, ...] = ("queued", "running", "paused")
RUN_ID = re.compile(r"[a-z0-9]{12}")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What ``run.json`` holds.

    Attributes:
        id: of the run.
        name: for people.
        source: what the user gave; of an upload the name of its file in the folder.
        is_upload: whether the source lies in the folder.
        kind: a video, or a file of results.
        model: name or path.
        classes: names or numbers of the wanted classes; empty for all.
        input_size: see `heatprop.backends.load_model`; so `layout` and `class_names`.
        truth: path of annotations; None without.
        created: when, in seconds since 1970.
        state: how far it is.
        error: why it failed.
        frames: how many whole chunks hold.
        total: how many the source says to have.
        width: of the frames in pixels; 0 before the source was opened.
        height: likewise.
        rate: frames a second of the proxy.
        sample_aspect_ratio: see `heatprop.io.SourceInfo`.
        proxy_size: width and height of the proxy in pixels.
        labels: names of all classes.
        card: of the model, as JSON; empty before it was loaded, and of results.
        facts: of the source, for the header of results.
        file_settings: those in the header of a file of results.
        backend: what ran the network, in words.
        settings: of the tuning that was asked for last.
        is_tunable: whether there are outputs that can be propagated again.
    """

    id: str
    name: str
    source: str
    is_upload: bool
    kind: Kind
    model: str
    classes: tuple[str, ...]
    input_size: int | None
    layout: str
    class_names: tuple[str, ...] | None
    truth: str | None
    created: float
    state: State = "queued"
    error: str | None = None
    frames: int = 0
    total: int | None = None
    width: int = 0
    height: int = 0
    rate: int = 25
    sample_aspect_ratio: float = 1.0
    proxy_size: tuple[int, int] = (0, 0)
    labels: tuple[str, ...] = ()
    card: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    file_settings: dict[str, Any] = field(default_factory=dict)
    backend: str = ""
    settings: dict[str, Any] = field(default_factory=lambda: Tuning().to_json())
    is_tunable: bool = True


class RunFolder:
    """The files of a run.

    Args:
        path: of the folder; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.proxy = path / "proxy.mp4"
        self.exports = path / "exports"
        self.tunings = path / "tunings"

    def outputs(self, chunk: int) -> Path:
        """Return the file of the outputs of a chunk."""
        return self.path / "outputs" / f"{chunk:06d}.npz"

    def segment(self, chunk: int) -> Path:
        """Return the file of the proxy's segment of a chunk."""
        return self.path / "segments" / f"{chunk:06d}.mp4"

    def found(self, key: str, chunk: int) -> Path:
        """Return the file of the detections in a chunk by a tuning."""
        return self.tunings / key / f"{chunk:06d}.npz"

    @property
    def is_begun(self) -> bool:
        """Whether it says what the run is."""
        return (self.path / "run.json").exists()

    def read(self) -> RunRecord:
        """Read what the run is.

        Raises:
            DamagedRunError: the file is missing or damaged.
        """
        try:
            return structure(RunRecord, read_json(self.path / "run.json"), "run", "json")
        except (OSError, ValueError, MisfitError) as error:
            raise DamagedRunError(
                f"{self.path}: run.json is missing or damaged ({error}); delete that folder"
            ) from None

    def write(self, record: RunRecord) -> None:
        """Write what the run is, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        write_json(self.path / "run.json", asdict(record))

    def delete(self) -> None:
        """Remove all files."""
        shutil.rmtree(self.path, ignore_errors=True)

    def delete_parts(self, names: Iterable[str]) -> None:
        """Remove folders or files in it, by their names."""
        for name in names:
            part = self.path / name
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)


def with_state(record: RunRecord, state: State, error: str | None = None) -> RunRecord:
    """Return a record in another state."""
    return replace(record, state=state, error=error)
