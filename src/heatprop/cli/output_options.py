"""What `heatprop detect` writes, and where: its options for outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from heatprop.errors import InvalidConfigError
from heatprop.io.detection_parquet import check_pyarrow
from heatprop.io.line_file import STANDARD_OUTPUT

_NAMES_OF_STANDARD_OUTPUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is written. A name with a suffix, such as out.mp4, is a file. A name without one is a folder, made if
    missing, in which each source has NAME.mp4, NAME.jsonl and so on.
    """

    output: Annotated[
        str | None, tyro.conf.arg(aliases=["-o"], metavar="OUT.mp4|FOLDER", help_behavior_hint="")
    ] = None
    """Annotated video; with no output named: NAME.heatprop.mp4 in the current folder."""
    json: Annotated[str | None, tyro.conf.arg(metavar="OUT.jsonl|FOLDER", help_behavior_hint="")] = None
    """Detections as JSON Lines; - for standard output."""
    csv: Annotated[str | None, tyro.conf.arg(metavar="OUT.csv|FOLDER", help_behavior_hint="")] = None
    """Detections as a table, a row each; - for standard output."""
    parquet: Annotated[str | None, tyro.conf.arg(metavar="OUT.parquet|FOLDER", help_behavior_hint="")] = None
    """The same table as Parquet, for pandas, DuckDB and their like; needs pip install 'heatprop[parquet]'."""
    crops: Annotated[str | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """A picture of each object where it was seen best, such as person-12.jpg; each of several sources has a folder
    inside."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace outputs that exist."""
    resume: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Skip outputs that exist and are complete; do those that are missing or unfinished, from the start."""

    @property
    def uses_standard_output(self) -> bool:
        """Whether lines of an output go to standard output."""
        return STANDARD_OUTPUT in (self.json, self.csv)

    @property
    def has_video(self) -> bool:
        """Whether an annotated video is written: it is asked for, or nothing is."""
        others = (self.json, self.csv, self.parquet, self.crops)
        return self.output is not None or all(each is None for each in others)

    def __post_init__(self) -> None:
        for name in ("json", "csv"):
            if getattr(self, name) in _NAMES_OF_STANDARD_OUTPUT:
                object.__setattr__(self, name, STANDARD_OUTPUT)

    def check(self) -> None:
        """Check that options go together.

        Raises:
            InvalidConfigError: they do not.
            MissingPackageError: an extra is not installed.
        """
        if self.resume and self.overwrite:
            raise InvalidConfigError(
                "--resume keeps what is complete and --overwrite replaces it; drop one of them"
            )
        if self.json == self.csv == STANDARD_OUTPUT:
            raise InvalidConfigError("--json - and --csv - would mix on standard output; give one of them a file")
        if self.parquet is not None:
            if self.parquet == STANDARD_OUTPUT:
                raise InvalidConfigError("--parquet needs a file, which is no stream of lines; give OUT.parquet")
            check_pyarrow()
