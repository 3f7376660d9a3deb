"""How long each stage takes for one frame, measured in turns on the same frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from heatprop.errors import SourceError
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import ImageNetwork
from heatprop.offline.seqnms import SeqNmsConfig, seq_nms
from heatprop.types import Detections

_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds of one frame in each stage, one frame after another with nothing beside it.

    Attributes:
        frames: how many frames it rests on.
        read: reading and decoding the image, median.
        prepare: laying it into the network's input, median.
        network: running the network, median.
        methods: everything after the network, of each method, median.
        seq_nms: rescoring, mean, of each method.
    """

    frames: int
    read: float
    prepare: float
    network: float
    methods: Mapping[str, float]
    seq_nms: Mapping[str, float]

    def of(self, method: str, *, rescored: bool) -> float:
        """Return the milliseconds of a frame from image in memory to boxes; without reading it."""
        after = self.methods[method] + (self.seq_nms[method] if rescored else 0.0)
        return self.prepare + self.network + after


def time_stages(paths: Sequence[Path], network: ImageNetwork, methods: Mapping[str, Method]) -> StageTimes:
    """Time the stages on images, in their order.

    Raises:
        SourceError: an image is missing or damaged, or there is none.
        InvalidArrayError: an output of the network is broken.
    """
    if not paths:
        raise SourceError("there are no frames to time")
    at_work = {name: network.begin(method) for name, method in methods.items()}
    found: dict[str, list[Detections]] = {name: [] for name in methods}
    read, prepare, run = [], [], []
    after: dict[str, list[float]] = {name: [] for name in methods}
    for path in [*paths[:_WARM_UP], *paths]:
        started = perf_counter()
        image = network.read(path)
        read.append(perf_counter() - started)
        started = perf_counter()
        fitted, batch = network.prepare(image)
        prepare.append(perf_counter() - started)
        started = perf_counter()
        output = network.run(batch)
        run.append(perf_counter() - started)
        for name, method in at_work.items():
            started = perf_counter()
            found[name].append(method.update(output, fitted))
            after[name].append(perf_counter() - started)
    rescoring = {}
    for name, frames in found.items():
        started = perf_counter()
        seq_nms(frames, SeqNmsConfig())
        rescoring[name] = 1e3 * (perf_counter() - started) / len(frames)
    skipped = min(_WARM_UP, len(paths))
    return StageTimes(
        frames=len(paths),
        read=1e3 * median(read[skipped:]),
        prepare=1e3 * median(prepare[skipped:]),
        network=1e3 * median(run[skipped:]),
        methods={name: 1e3 * median(times[skipped:]) for name, times in after.items()},
        seq_nms=rescoring,
    )
