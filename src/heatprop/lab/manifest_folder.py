"""A folder that a run fills, may be stopped in, and goes on in: a manifest in it says what all in it comes from.

Whatever is written there is there whole or not at all, so what has its name is finished. A run with another
manifest is refused, and so is a folder with something else in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heatprop.errors import BusyError, HeatpropError, OutputError, shortened
from heatprop.io.claims import FOLDER_LOCK, Claim, claim_folder
from heatprop.io.partial_names import stem_of_output
from heatprop.io.whole_files import read_json, write_json

_PAUSE = 0.05  # seconds
_PATIENCE = 200  # pauses, while another run writes a manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderKind:
    """What tells folders of one kind from others, and how they refuse what does not fit.

    In the messages stand ``{folder}``, ``{file}``, the manifest, and what each names below.

    Attributes:
        manifest: the file in the folder that says what the others come from.
        parts: what the file of a part of a video is called: ``{video}`` and ``{part}``.
        ours: names that are the kind's own, whether or not there is a manifest.
        error: is raised.
        foreign: says that there are other files, ``{first}`` among them.
        unreadable: says that the manifest cannot be read, for a ``{reason}``.
        damaged: the same of one that is no JSON; None says it as `unreadable` does.
        silent: says that the manifest lacks ``{name}``; None says it as `different` does.
        different: says that ``{name}`` is ``{old}`` there and not ``{new}``.
    """

    manifest: str
    parts: str = ""
    ours: frozenset[str] = frozenset()
    error: type[HeatpropError] = OutputError
    foreign: str = "{folder} holds other files; give -o an empty folder or a new name"
    unreadable: str = "{file} cannot be read ({reason}); give -o a new name"
    damaged: str | None = None
    silent: str | None = None
    different: str = "{folder} holds something with {name} {old}, not {new}; give -o another folder"


class ManifestFolder:
    """A folder of one kind, which need not be there yet.

    Args:
        path: the folder.
        kind: of which kind it is.
    """

    def __init__(self, path: str | Path, kind: FolderKind) -> None:
        self.path = Path(path)
        self.kind = kind
        self.manifest_file = self.path / kind.manifest

    def claim(self) -> Claim:
        """Claim the folder for this process; see `claim_folder`."""
        return claim_folder(self.path)

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Write what the folder is of, if it is new; otherwise check that it is of the same.

        Raises:
            HeatpropError: of the kind: the folder is of something else, or its manifest cannot be read.
            OutputError: it cannot be written.
        """
        if self.manifest_file.exists():
            self.require_same(self.read_manifest(), manifest)
        else:
            self.refuse_others()
            write_json(self.manifest_file, manifest)

    def begin_among_others(self, manifest: Mapping[str, Any]) -> None:
        """Write what the folder is of, if it is new; of several runs that do so at once, the first says it.

        Raises:
            HeatpropError: of the kind: the folder holds something else.
            OutputError: it cannot be written.
        """
        for tried in range(_PATIENCE):
            if self.manifest_file.exists():
                return
            try:
                claim = self.claim()
            except BusyError:  # another run writes the manifest
                if tried == _PATIENCE - 1:
                    raise
                time.sleep(_PAUSE)
                continue
            with claim:
                if not self.manifest_file.exists():
                    self.begin(manifest)
                return

    def read_manifest(self) -> Any:
        """Return what the folder is of, as JSON gives it.

        Raises:
            FileNotFoundError: there is no manifest.
            HeatpropError: of the kind: it cannot be read.
        """
        try:
            return read_json(self.manifest_file)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self.refusal(self.kind.unreadable, reason=error) from None
        except ValueError as error:
            raise self.refusal(self.kind.damaged or self.kind.unreadable, reason=error) from None

    def refuse_others(self) -> None:
        """Check that a folder without a manifest holds nothing but what a run that begins puts there.

        Raises:
            HeatpropError: of the kind: it holds other files.
        """
        names = [each.name for each in self.path.iterdir()] if self.path.is_dir() else []
        others = [name for name in names if name not in {FOLDER_LOCK, *self.kind.ours} and not _is_partial(name)]
        if others and not self.manifest_file.exists():
            raise self.refusal(self.kind.foreign, first=others[0])

    def require_same(self, have: Any, wanted: Mapping[str, Any]) -> None:
        """Check that what a folder is of is what is wanted; within objects each value counts.

        Raises:
            HeatpropError: of the kind; it names the first thing that differs.
        """
        old, new = dict(_leaves(have)), dict(_leaves(wanted))
        for name in {**new, **old}:
            within = [name.rpartition(".")[0], name]  # where something was none, nothing within it is said
            if self.kind.silent and not any(each in old for each in within):
                raise self.refusal(self.kind.silent, name=name)
            if old.get(name) != new.get(name):
                said = {"name": name, "old": _said(old.get(name)), "new": _said(new.get(name))}
                raise self.refusal(self.kind.different, **said)

    def part_file(self, video: int, part: int) -> Path:
        """Return the file of a part of a video."""
        return self.path / self.kind.parts.format(video=video, part=part)

    def has(self, video: int, part: int) -> bool:
        """Say whether a part of a video is finished."""
        return self.part_file(video, part).exists()

    def refusal(self, message: str, **words: object) -> HeatpropError:
        """Return an error of the kind, with the words in its message."""
        return self.kind.error(message.format(folder=self.path, file=self.manifest_file, **words))


def reason_of(error: Exception) -> str:
    """Return what went wrong with a file, in a line, whatever library says it."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _is_partial(name: str) -> bool:
    return name.endswith(".part") or stem_of_output(Path(name)) is not None


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _said(value: object) -> str:
    return shortened(", ".join(value) if isinstance(value, tuple) else str(value))
