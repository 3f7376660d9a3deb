"""Detect in a whole dataset, in parts that survive a kill, and put the detections together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heatprop.backends import Backend, BackendName, Device, Precision, open_backend
from heatprop.backends.reading import nms_iou_of
from heatprop.errors import InvalidArrayError, SourceError
from heatprop.interrupts import check
from heatprop.io.image_files import ImageError, read_image
from heatprop.io.sequence_reader import SequenceReader
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.runs.cache import CachedPart, OutputCache, part_count, part_rows
from heatprop.lab.evaluation.runs.class_matching import ClassMatching, match_classes
from heatprop.lab.evaluation.runs.evaluation_folder import EvaluationFolder, FinishedPart
from heatprop.lab.evaluation.runs.methods import Method, VideoMethod, finish_video
from heatprop.letterbox import Letterbox, fit_letterbox, letterbox
from heatprop.runtime.kept_outputs import KeptOutput, restored, sparsify
from heatprop.runtime.pipeline import map_ahead
from heatprop.types import Detections, DetectorOutput, ImageArray
from heatprop.zoo import Model, ModelCard


@dataclass(frozen=True, slots=True)
class ImageNetwork:
    """A network that runs on image files and detects a dataset's classes; may be used by many threads.

    Attributes:
        backend: runs the network.
        card: of the model.
        classes: which of its channels the dataset has classes for; the others are skipped.
        reader: reads an image.
    """

    backend: Backend
    card: ModelCard
    classes: ClassMatching
    reader: Callable[[Path], ImageArray] = read_image

    def begin(self, method: Method) -> VideoMethod:
        """Return a method at work on the outputs for a video."""
        return VideoMethod(method, self.classes.labels, self.card.stride, nms_iou_of(self.card.layout))

    def infer(self, path: Path) -> tuple[Letterbox, DetectorOutput]:
        """Read an image and run the network on it.

        Raises:
            SourceError: the image is missing or damaged.
        """
        fitted, batch = self.prepare(self.read(path))
        return fitted, self.run(batch)

    def read(self, path: Path) -> ImageArray:
        """Read an image, uint8 RGB ``(H, W, 3)``.

        Raises:
            SourceError: it is missing or damaged.
        """
        try:
            return self.reader(path)
        except ImageError as error:
            raise SourceError(f"{error} and run again: what is finished is kept") from None

    def prepare(self, image: ImageArray) -> tuple[Letterbox, ImageArray]:
        """Lay an image into the network's input; return how, and the batch of one."""
        fitted = fit_letterbox(image.shape[1], image.shape[0], self.card.input)
        return fitted, letterbox(image, fitted)[None]

    def run(self, batch: ImageArray) -> DetectorOutput:
        """Run the network on a batch of one; what it says of the dataset's classes."""
        (output,) = self.backend.infer(batch)
        return self.classes.restrict(output)


def open_network(
    model: Model,
    dataset: VideoDataset,
    *,
    backend: BackendName = "auto",
    precision: Precision = "f32",
    device: Device = "auto",
) -> ImageNetwork:
    """Open a model to run on the images of a dataset; for the options see `open_backend`.

    Raises:
        InvalidConfigError: model and dataset have no class in common.
        HeatpropError: see `open_backend`.
    """
    classes = match_classes(model.card.classes, dataset.classes)
    opened = open_backend(backend, model, precision=precision, device=device)
    return ImageNetwork(opened, model.card, classes, SequenceReader(dataset.image_paths).read)


def frames_to_do(dataset: VideoDataset, folder: EvaluationFolder) -> int:
    """Return how many frames are not finished."""
    return sum(map(len, unfinished(dataset, folder).values()))


@dataclass(frozen=True, slots=True)
class _Seen:
    fitted: Letterbox
    output: DetectorOutput
    kept: KeptOutput | None


@contextmanager
def _naming(image: str | Path) -> Iterator[None]:
    """Let what is wrong with an output say which image it is of."""
    try:
        yield
    except InvalidArrayError as error:
        raise InvalidArrayError(f"{image}: {error}") from None


class _Frames:
    """Gives the network's output for each frame, from the cache where it is there."""

    def __init__(self, dataset: VideoDataset, network: ImageNetwork, cache: OutputCache | None) -> None:
        self._dataset, self._network, self._cache = dataset, network, cache
        self._lock = threading.Lock()
        self._read: dict[tuple[int, int], CachedPart] = {}

    def see(self, item: tuple[int, int, int]) -> _Seen:
        """Return what is said about one frame, given as (video, part, row); called from several threads at once.

        With a cache every output passes through it, so that it does not matter which run filled the cache.
        """
        number, part, row = item
        if self._cache is None:
            fitted, output = self._network.infer(Path(self._dataset.image_paths[row]))
            return _Seen(fitted, output, None)
        content = self._cached(number, part)
        if content is None:
            fitted, output = self._network.infer(Path(self._dataset.image_paths[row]))
            with _naming(self._dataset.image_paths[row]):
                kept = sparsify(output, self._cache.manifest.floor)
        else:
            place = row - part_rows(self._dataset.videos[number], part).start
            kept = content.outputs[place]
            width, height = content.frame_sizes[place].tolist()
            fitted = fit_letterbox(width, height, self._network.card.input)
        return _Seen(fitted, restored(kept), kept)

    def _cached(self, number: int, part: int) -> CachedPart | None:
        assert self._cache is not None
        with self._lock:
            if (number, part) not in self._read:
                if not self._cache.has(number, part):
                    return None
                frames = len(part_rows(self._dataset.videos[number], part))
                content = self._cache.read(number, part, frames)
                self._read = {**dict(list(self._read.items())[-1:]), (number, part): content}
            return self._read[number, part]


def unfinished(dataset: VideoDataset, folder: EvaluationFolder) -> dict[tuple[int, int], range]:
    """Return the rows of each part, as (video, part), that is not finished, in order."""
    return {
        (number, part): part_rows(video, part)
        for number, video in enumerate(dataset.videos)
        for part in range(part_count(video))
        if not folder.has(number, part)
    }


def require_images(dataset: VideoDataset, folder: EvaluationFolder, cache: OutputCache | None) -> None:
    """Check that the images that are still to be read are there, before hours are lost.

    Raises:
        SourceError: one is not.
    """
    rows = [
        row
        for (number, part), rows in unfinished(dataset, folder).items()
        if cache is None or not cache.has(number, part)
        for row in rows
    ]
    missing = [row for row in rows if not os.path.exists(dataset.image_paths[row])]
    if missing:
        raise SourceError(
            f"{dataset.image_paths[missing[0]]}: there is no such image, and {len(missing)} of {len(rows)} are "
            "missing in all; put them there and run again: heatprop dataset check names them"
        )


def detect_dataset(
    dataset: VideoDataset,
    network: ImageNetwork,
    method: Method,
    folder: EvaluationFolder,
    *,
    cache: OutputCache | None = None,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Detect in all frames that are not finished; images are read and the network is run some frames ahead.

    However often it is killed and called again, the folder ends up the same.

    Args:
        dataset: its images must be there.
        network: what runs on them.
        method: what happens to its outputs.
        folder: keeps what is finished.
        cache: keeps, and spares, the network's outputs.
        advance: called after each frame.

    Raises:
        SourceError: an image is missing or damaged; what was finished is kept.
        InvalidArrayError: the network's output for an image is broken.
        CacheError: the cache is damaged.
        OutputError: the folder or the cache cannot be written.
        Interrupted: it was requested; what was finished is kept.
    """
    pending = unfinished(dataset, folder)
    items = ((*each, row) for each, rows in pending.items() for row in rows)
    workers = network.backend.concurrency + 2
    at_work: VideoMethod | None = None
    last = (-1, -1)
    with closing(map_ahead(items, _Frames(dataset, network, cache).see, workers)) as frames:
        for (number, part), rows in pending.items():
            if at_work is None or last != (number, part - 1):
                at_work = network.begin(method)
                if part > 0:
                    at_work.restore(folder.read(number, part - 1).memory)
            last = (number, part)
            sizes: list[tuple[int, int]] = []
            found: list[Detections] = []
            kept: list[KeptOutput] = []
            for row in rows:
                _, seen = next(frames)
                with _naming(dataset.image_paths[row]):
                    found.append(at_work.update(seen.output, seen.fitted, overwrite=True))
                sizes.append((seen.fitted.frame_width, seen.fitted.frame_height))
                kept += [] if seen.kept is None else [seen.kept]
                advance()
                check()
            frame_sizes = np.array(sizes, np.int64)
            if cache is not None and not cache.has(number, part):
                cache.write(number, part, CachedPart(frame_sizes, kept))
            folder.write(number, part, FinishedPart(frame_sizes, found, at_work.memory()))


def finished_detections(
    dataset: VideoDataset, method: Method, folder: EvaluationFolder
) -> Iterator[tuple[int, Detections]]:
    """Yield the row of each frame and its detections, after all that the method does.

    Raises:
        EvaluationFolderError: a part is missing or damaged.
    """
    for number, video in enumerate(dataset.videos):
        parts = [folder.read(number, part) for part in range(part_count(video))]
        found = finish_video(method, (each for part in parts for each in part.found))
        yield from zip(video.rows, found, strict=True)


def images_of_other_size(dataset: VideoDataset, folder: EvaluationFolder) -> list[int]:
    """Return the rows of images that are not as large as the annotations say; 0 there means nothing is said.

    Raises:
        EvaluationFolderError: a part is missing or damaged.
    """
    wrong: list[int] = []
    for number, video in enumerate(dataset.videos):
        for part in range(part_count(video)):
            rows = part_rows(video, part)
            said = dataset.image_sizes[rows.start : rows.stop]
            differ = ((folder.read(number, part).frame_sizes != said) & (said > 0)).any(axis=1)
            wrong += [rows[place] for place in np.flatnonzero(differ).tolist()]
    return wrong
