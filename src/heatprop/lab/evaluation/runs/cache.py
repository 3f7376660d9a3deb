"""A folder of network outputs, so that whatever comes after the network costs no run of it.

    FOLDER/manifest.json              which model, dataset, classes and floor: see `CacheManifest`
    FOLDER/parts/000012-003.zarr.zip  frames 192 to 255 of video 12: a Zarr 3 group in one file

A part is written under another name and gets its own when it is whole, so a run that is killed leaves whole parts
only. Zip's checksums tell a damaged one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError
from heatprop.io.whole_files import write_whole
from heatprop.lab.datasets.annotations import Video
from heatprop.lab.evaluation.runs.cache_manifest import (
    CACHE,
    CacheError,
    CacheManifest,
    read_manifest,
    require_same,
)
from heatprop.lab.manifest_folder import ManifestFolder, reason_of
from heatprop.propagation.box_evidence import check_detections
from heatprop.runtime.kept_outputs import (
    KeptOutput,
    SparseOutput,
    check_sparse,
    places_of,
)
from heatprop.types import Detections, IntArray

Arrays: TypeAlias = dict[str, NDArray[Any]]

PART_FRAMES = 64
"""Frames in a part: some seconds of the network's work, which is all that a kill can cost."""
DEFAULT_FLOOR = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class CachedPart:
    """Some consecutive frames of a video.

    Attributes:
        frame_sizes: width and height of each image in pixels, int64 ``(F, 2)``.
        outputs: the network's, for each.
    """

    frame_sizes: IntArray
    outputs: Sequence[KeptOutput]


def part_count(video: Video) -> int:
    """Return how many parts a video has."""
    return -(-video.length // PART_FRAMES)


def part_rows(video: Video, part: int) -> range:
    """Return the rows of the frames of a part of a video."""
    return video.rows[part * PART_FRAMES : (part + 1) * PART_FRAMES]


class OutputCache(ManifestFolder):
    """An open cache; several processes may use one at once.

    Args:
        path: the folder where it is, or shall be.
        manifest: what it must be of; None takes an existing one as it is.

    Attributes:
        manifest: what it is of.

    Raises:
        CacheError: it is of something else, or there is none and `manifest` is None.
        OutputError: it cannot be made.
    """

    def __init__(self, path: str | Path, manifest: CacheManifest | None = None) -> None:
        _zarr()
        super().__init__(path, CACHE)
        if manifest is not None:
            self.begin_among_others(manifest.to_json())
        self.manifest = read_manifest(self.path)
        if manifest is not None:
            require_same(self.path, self.manifest, manifest)

    def require_whole(self, videos: Sequence[Video]) -> None:
        """Check that no part is missing.

        Raises:
            CacheError: one is.
        """
        wanted = [(number, part) for number, video in enumerate(videos) for part in range(part_count(video))]
        missing = sum(not self.has(*each) for each in wanted)
        if missing:
            raise CacheError(
                f"cache {self.path}: {missing} of its {len(wanted)} parts are missing; "
                "run evaluate --cache with it to the end first"
            )

    def write(self, video: int, part: int, content: CachedPart) -> None:
        """Keep a part, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        write_whole(self.part_file(video, part), lambda path: _write_part(path, content))

    def read(self, video: int, part: int, frames: int) -> CachedPart:
        """Read a part of so many frames.

        Raises:
            CacheError: it is missing or damaged.
        """
        path = self.part_file(video, part)
        if not path.exists():
            raise CacheError(f"cache {self.path}: {path.name} is missing; run evaluate --cache again")
        try:
            content = _read_part(path)
        except Exception as error:  # zarr, zip and the codecs have a dozen unrelated exception types
            raise CacheError(
                f"cache {path} is damaged ({reason_of(error)}); delete this file and run evaluate --cache again: "
                "only its frames are computed anew"
            ) from None
        wanted = len(self.manifest.classes)
        classes = {_classes(output, wanted) for output in content.outputs}
        if classes != {wanted} or len(content.outputs) != frames:
            raise CacheError(
                f"cache {path} has {len(content.outputs)} frames of {sorted(classes)} classes, not {frames} of "
                f"{wanted}; delete this file and run evaluate --cache again"
            )
        return content


def _classes(output: KeptOutput, least: int) -> int:
    """Return how many classes an output is of; boxes may be of some of them only."""
    if isinstance(output, SparseOutput):
        return output.shape[0]
    return max(least, int(output.labels.max(initial=-1)) + 1)


def _write_part(path: Path, content: CachedPart) -> None:
    zarr = _zarr()
    arrays = {"frame_sizes": np.asarray(content.frame_sizes, np.int64), **_arrays_of(content.outputs)}
    with zarr.storage.ZipStore(path, mode="w") as store:
        group = zarr.create_group(store)
        for name, values in arrays.items():
            # Bytes of a rank together: they compress to half.
            squeeze = zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=values.itemsize)
            chunks = tuple(max(1, side) for side in values.shape)
            array = group.create_array(
                name, shape=values.shape, dtype=values.dtype, chunks=chunks, compressors=squeeze
            )
            if values.size:
                array[...] = values


def _arrays_of(outputs: Sequence[KeptOutput]) -> Arrays:
    """Return the arrays of a part, of heatmaps or of boxes."""
    boxes = [output for output in outputs if isinstance(output, Detections)]
    if boxes:
        return {
            "box_counts": np.array([len(each) for each in boxes], np.int64),
            "boxes": np.concatenate([each.boxes for each in boxes]),
            "scores": np.concatenate([each.scores for each in boxes]),
            "labels": np.concatenate([each.labels for each in boxes]),
        }
    heatmaps = [output for output in outputs if isinstance(output, SparseOutput)]
    arrays: Arrays = {
        "shapes": np.array([output.shape for output in heatmaps], np.int64).reshape(-1, 3),
        "cell_counts": np.array([len(output.cells) for output in heatmaps], np.int64),
        "cell_steps": np.concatenate([np.diff(output.cells, prepend=0) for output in heatmaps]).astype(np.uint32),
        "scores": np.concatenate([output.scores for output in heatmaps]),
        "sizes": np.concatenate([output.sizes for output in heatmaps]),
    }
    if heatmaps[0].offsets is not None:
        arrays["offsets"] = np.concatenate([output.offsets for output in heatmaps if output.offsets is not None])
    return arrays


def _read_part(path: Path) -> CachedPart:
    zarr = _zarr()
    if not zipfile.is_zipfile(path) and path.exists():  # Zarr's own words are about its insides
        raise InvalidArrayError("it is not a whole zip file")
    with zarr.storage.ZipStore(path, mode="r") as store:
        group = zarr.open_group(store, mode="r")
        arrays = {name: np.asarray(array[...]) for name, array in group.arrays()}
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    known = {"zarr.json", *(f"{name}/zarr.json" for name in arrays)}
    known |= {"/".join([name, "c", *"0" * values.ndim]) for name, values in arrays.items()}
    if not names <= known:  # Zarr would read zeros in place of values that have another name
        raise InvalidArrayError("a name in it is damaged")
    outputs = _boxes_in(arrays) if "boxes" in arrays else _heatmaps_in(arrays)
    if len(arrays["frame_sizes"]) != len(outputs):
        raise InvalidArrayError("the number of sizes is not that of the frames")
    return CachedPart(arrays["frame_sizes"], outputs)


def _boxes_in(arrays: Arrays) -> Sequence[KeptOutput]:
    """Return the outputs of a network that gives boxes."""
    ends = np.cumsum(arrays["box_counts"])
    rows = {len(arrays[name]) for name in ("boxes", "scores", "labels")}
    if len(ends) == 0 or rows != {int(ends[-1])} or (arrays["box_counts"] < 0).any():
        raise InvalidArrayError("the number of boxes is not that of the frames")
    if (arrays["labels"] < 0).any():
        raise InvalidArrayError("a label is below 0")
    starts = [0, *ends[:-1].tolist()]
    found = [
        Detections(*(arrays[name][start:end] for name in ("boxes", "scores", "labels")))
        for start, end in zip(starts, ends.tolist(), strict=True)
    ]
    for each in found:
        check_detections(each)
    return found


def _heatmaps_in(arrays: Arrays) -> Sequence[KeptOutput]:
    """Return the outputs of a network with heatmaps."""
    shapes, counts = arrays["shapes"], arrays["cell_counts"]
    ends = np.cumsum(counts)
    if len(ends) == 0 or ends[-1] != len(arrays["cell_steps"]) or ends[-1] != len(arrays["scores"]):
        raise InvalidArrayError("the number of cells is not that of the frames")
    outputs: list[SparseOutput] = []
    place = 0
    for shape, end, count in zip(shapes.tolist(), ends.tolist(), counts.tolist(), strict=True):
        cells = np.cumsum(arrays["cell_steps"][end - count : end], dtype=np.int64)
        extent = (shape[0], shape[1], shape[2])
        rows = slice(place, place + len(places_of(cells, extent)))
        offsets = arrays["offsets"][rows] if "offsets" in arrays else None
        output = SparseOutput(extent, cells, arrays["scores"][end - count : end], arrays["sizes"][rows], offsets)
        check_sparse(output)
        outputs.append(output)
        place = rows.stop
    if place != len(arrays["sizes"]):
        raise InvalidArrayError("the number of sizes is not that of the cells")
    return outputs


def _zarr() -> ModuleType:
    try:
        import zarr  # noqa: PLC0415
        import zarr.codecs  # noqa: PLC0415
        import zarr.storage  # noqa: PLC0415
    except ImportError:
        raise CacheError("a cache needs the package zarr; run: pip install 'heatprop[evaluate]'") from None
    return zarr
