"""`heatprop propagate`: detections that lie in a file, made steady; no image is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from heatprop.cli.forms import FORMS, Form
from heatprop.cli.messages import error, say
from heatprop.errors import HeatpropError, InvalidArrayError, InvalidConfigError, OutputError, check_range
from heatprop.interop.mot_text import mot_lines, parse_mot, read_sequence_info
from heatprop.interrupts import Interrupted, check
from heatprop.io.outputs import OutputFile, is_same_file
from heatprop.io.regular_files import LARGEST_DETECTIONS, read_regular
from heatprop.io.results import FORMAT, STANDARD_OUTPUT, ResultsWriter, read_results
from heatprop.lab.datasets import Layout, load_dataset
from heatprop.lab.evaluation.detection_files import read_detections, write_coco_json, write_official_text
from heatprop.lab.evaluation.propagated import propagated
from heatprop.propagation import DetectionPropagator, PropagationConfig
from heatprop.types import Detections

_Result = TypeVar("_Result")
_WRITERS = {".json": write_coco_json, ".txt": write_official_text}


@dataclass(frozen=True, slots=True)
class Propagate:
    """Make detections steady that another program wrote; no images are needed.
    $ heatprop propagate detections.json --dataset coco-video --root annotations.json -o steady.json
    $ heatprop propagate det/det.txt -o steady.txt
    $ heatprop propagate found.jsonl -o steady.jsonl

    DETECTIONS is COCO's JSON or official text of a dataset, MOTChallenge's text of one video, or JSON Lines of
    heatprop detect. Give weak detections, too, from 0.05 on: they help objects on. Cuts are not seen without
    images.
    """

    detections: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DETECTIONS")]
    """File of detections."""
    output: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="OUT", help_behavior_hint="")]
    """File to write, of the same form: .json (COCO) or .txt (official text) for a dataset; .txt for MOT, with ids;
    .jsonl, or - for standard output, for JSON Lines."""
    dataset: Annotated[Layout | None, tyro.conf.arg(help_behavior_hint="")] = None
    """How the dataset is laid out that says which frames follow one another."""
    root: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of the dataset; of coco-video also its JSON file."""
    split: Annotated[str, tyro.conf.arg(metavar="NAME")] = "val"
    """Split of ImageNet VID or MOTChallenge."""
    size: Annotated[str | None, tyro.conf.arg(metavar="WIDTHxHEIGHT", help_behavior_hint="")] = None
    """Of the frames, in pixels, where neither seqinfo.ini nor the file says it."""
    propagation: Form = "adaptive"
    """adaptive follows each object and soon forgets what is not seen; paper is the paper's."""
    alpha: Annotated[float, tyro.conf.arg(metavar="SHARE")] = PropagationConfig.alpha
    """Share of the past in the balance, 0 to 1."""
    beta: Annotated[float, tyro.conf.arg(metavar="POWER")] = PropagationConfig.beta
    """How strongly the length of a track counts; may be inf."""
    score_threshold: Annotated[float, tyro.conf.arg(metavar="SCORE")] = PropagationConfig.score_threshold
    """Write objects of at least this score, 0 to 1."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace a file that exists."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No summary; errors are still said."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request or the detections are bad; nothing was written.
        """
        config = replace(
            FORMS[self.propagation](), alpha=self.alpha, beta=self.beta, score_threshold=self.score_threshold
        )
        if (self.dataset is None) != (self.root is None):
            raise InvalidConfigError("--dataset and --root belong together; give both or neither")
        if self.output != STANDARD_OUTPUT and is_same_file(self.output, self.detections):
            raise OutputError(f"{self.output} is read and would be replaced; choose another name")
        try:
            count = self._propagate(config)
        except Interrupted as stop:
            error("stopped; nothing is written")
            return stop.exit_code
        if not self.quiet:
            say(f"{self.output}: {count:,} detections")
        return 0

    def _propagate(self, config: PropagationConfig) -> int:
        """Write, and return how many detections there are."""
        if self.dataset is not None and self.root is not None:
            return self._of_dataset(config, self.dataset, self.root)
        start = _first_of(self.detections)
        if start.startswith("{") and FORMAT in start:
            return self._of_results(config)
        if start.startswith("{") and '"frame"' in start:
            raise InvalidConfigError(
                f"{self.detections} has no header on its first line; docs/guides/any-detector.md shows one"
            )
        if start.startswith(("[", "{")):
            raise InvalidConfigError(
                f"{self.detections} holds JSON, of a dataset's frames; say which with --dataset and --root"
            )
        return self._of_mot(config)

    def _of_dataset(self, config: PropagationConfig, layout: Layout, root: Path) -> int:
        write = _WRITERS.get(Path(self.output).suffix)
        if write is None:
            raise InvalidConfigError(f"{self.output}: a name that ends in .json (COCO) or .txt (official text)")
        dataset = load_dataset(layout, root, self.split)
        seen = read_detections(self.detections, dataset)
        table = _naming(self.detections, partial(propagated, dataset, seen, config, on_frame=check))
        write(self.output, dataset, table, overwrite=self.overwrite)
        return len(table)

    def _of_results(self, config: PropagationConfig) -> int:
        header, frames = read_results(self.detections)
        if header.settings.get("propagation") is not None and not self.quiet:
            say(
                f"heatprop: note: {self.detections} was propagated already; better are detections of "
                "heatprop detect --no-propagation --score-threshold 0.05"
            )
        height, width = (header.source.get(side, 0) for side in ("height", "width"))
        is_said = isinstance(height, int) and isinstance(width, int) and min(height, width) > 0
        size = self._size((int(height), int(width)) if is_said else None)
        propagator = DetectionPropagator(config)
        settings = {**header.settings, "propagated": config}
        writer = ResultsWriter(self.output, replace(header, settings=settings), overwrite=self.overwrite)
        count = 0
        try:
            for index, time, seen in frames:
                check()
                found = _naming(f"{self.detections}, frame {index}", partial(propagator.update, seen, size))
                writer.write(index, time, found)
                count += len(found)
        except BaseException:
            writer.discard()
            raise
        writer.close(complete=frames.completeness.value == "complete")
        return count

    def _of_mot(self, config: PropagationConfig) -> int:
        text = _text_of(self.detections)
        seen = _naming(self.detections, lambda: parse_mot(text))
        said, length = read_sequence_info(self.detections)
        size = self._size(said)
        last = max(length or 0, int(seen.frames.max(initial=0)))
        propagator = DetectionPropagator(config)
        count = 0

        def steps() -> Iterator[tuple[int, Detections]]:
            nonlocal count
            for frame, each in seen.by_frame(last):
                check()
                found = _naming(f"{self.detections}, frame {frame}", partial(propagator.update, each, size))
                count += len(found)
                yield frame, found

        output = OutputFile(self.output, overwrite=self.overwrite)
        with output, output.partial.open("w", encoding="utf-8") as file:
            file.writelines(mot_lines(steps()))
        return count

    def _size(self, said: tuple[int, int] | None) -> tuple[int, int]:
        """Return height and width of the frames."""
        if self.size is None:
            if said is None:
                raise InvalidConfigError(
                    f"{self.detections} does not say how large frames are; add --size 1920x1080"
                )
            return said
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", self.size)
        if found is None:
            raise InvalidConfigError(f"--size is {self.size}; give width and height in pixels, such as 1920x1080")
        width, height = map(int, found.groups())
        check_range("--size", min(width, height), 1, 99_999)
        return height, width


def _first_of(path: Path) -> str:
    """Return how a file begins."""
    try:
        with path.open("rb") as file:
            return file.read(4096).decode("utf-8-sig", errors="replace").lstrip()
    except OSError as problem:
        raise InvalidConfigError(
            f"{path} cannot be read ({problem.strerror}); give a file of detections"
        ) from None


def _text_of(path: Path) -> str:
    try:
        return read_regular(path, LARGEST_DETECTIONS).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidConfigError(f"{path} is no text; give COCO's JSON, MOT text or JSON Lines") from None
    except OSError as problem:
        raise InvalidConfigError(
            f"{path} cannot be read ({problem.strerror}); give a file of detections"
        ) from None


def _naming(place: Path | str, work: Callable[[], _Result]) -> _Result:
    """Return what work gives; say where it was where an array in it is wrong."""
    try:
        return work()
    except InvalidArrayError as problem:
        raise HeatpropError(f"{place}: {problem}") from None
