"""`heatprop evaluate`: detect in a whole dataset, resumable at any moment, and score what was found."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import tyro
from rich.console import Console

from heatprop import layouts
from heatprop.backends import BackendName, Device, Precision, load_model
from heatprop.cli.class_names_file import read_class_names
from heatprop.cli.messages import error, say
from heatprop.cli.progress import FrameProgress
from heatprop.errors import HeatpropError, InvalidConfigError, MissingPackageError, check_range
from heatprop.interrupts import Interrupted, wait_for
from heatprop.io.claims import claim_folder
from heatprop.lab.datasets import DatasetError, Layout, VideoDataset, load_dataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.flicker import SHOWN_FROM
from heatprop.lab.evaluation.metrics.track_sequences import import_trackeval, true_tracks
from heatprop.lab.evaluation.results import METRICS, WIDEST_TABLE, EvaluationReport, score
from heatprop.lab.evaluation.runs.cache import DEFAULT_FLOOR, OutputCache
from heatprop.lab.evaluation.runs.cache_manifest import manifest_of
from heatprop.lab.evaluation.runs.class_matching import ClassMatching
from heatprop.lab.evaluation.runs.evaluation_folder import EvaluationFolder, write_results
from heatprop.lab.evaluation.runs.methods import Method, MethodName
from heatprop.lab.evaluation.runs.running import (
    ImageNetwork,
    detect_dataset,
    finished_detections,
    frames_to_do,
    images_of_other_size,
    open_network,
    require_images,
)
from heatprop.offline.joining import JoiningConfig
from heatprop.offline.seqnms import SeqNmsConfig
from heatprop.propagation import PropagationConfig


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Detect in a whole dataset and score it; run again after a stop, it goes on where it was.
    $ heatprop evaluate --dataset imagenet-vid --root ILSVRC2015 --model vid.onnx -o vid-propagation
    $ heatprop evaluate --dataset coco-video --root clips -o alone --method network --cache outputs
    $ heatprop evaluate --dataset coco-video --root clips -o both --seq-nms --cache outputs

    A stop, even a kill, loses some seconds of work at most.
    """

    dataset: Layout
    """How the dataset's files are laid out."""
    root: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the dataset; of coco-video also its JSON file, with the images beside it."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT_DIR", help_behavior_hint="")]
    """Folder for detections, report and finished work; one for each setting."""
    split: str = "val"
    """Of ImageNet VID or MOTChallenge."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = "mb3-coco"
    """Embedded model, or path of any detector's file."""
    layout: Annotated[str, tyro.conf.arg(metavar="NAME")] = layouts.AUTO
    """Family of the model, where its file is not recognised; see heatprop models inspect FILE."""
    class_names: Annotated[Path | None, tyro.conf.arg(metavar="NAMES.txt", help_behavior_hint="")] = None
    """Names of the model's classes, one a line, where its file has none or others."""
    input_size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Scale the longer side of an image to this for the network; default: as the model's card says."""
    backend: BackendName = "auto"
    """What runs the network; auto takes the fastest installed."""
    device: Device = "auto"
    """Where the network runs."""
    precision: Precision = "f32"
    """Of the network."""
    method: MethodName = Method.name
    """The network alone, the paper's interpolation or propagation, or propagation that adapts, as in detect."""
    no_propagation: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """The same as --method network."""
    radius: Annotated[int, tyro.conf.arg(metavar="CELLS")] = PropagationConfig.radius
    """Propagation: how far an object may move in a frame, in cells of the output grid; adaptive: from where its
    velocity takes it, and less once that is known well."""
    alpha: Annotated[float, tyro.conf.arg(metavar="SHARE")] = PropagationConfig.alpha
    """Propagation: share of the past in the balance, 0 to 1."""
    beta: Annotated[float, tyro.conf.arg(metavar="POWER")] = PropagationConfig.beta
    """Propagation: how strongly the length of a track counts; may be inf."""
    score_threshold: Annotated[float, tyro.conf.arg(metavar="SCORE")] = Method.score_threshold
    """Keep detections of at least this score, 0 to 1."""
    seq_nms: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Rescore whole videos with Seq-NMS afterwards, and join tracks of the same object."""
    cache: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Keep the network's outputs here, or take them from here: other settings then cost no run of the network."""
    cache_floor: Annotated[float, tyro.conf.arg(metavar="SCORE")] = DEFAULT_FLOOR
    """Cells of the heatmap below this are not kept in the cache; 0 keeps all."""
    metric: Literal["all", "official", "coco", "tracking"] = "all"
    """official: ImageNet VID, with slow, medium and fast objects apart. coco: AP50:95, AP50 and AP75. all: both.
    tracking: identities, by HOTA, IDF1 and MOTA; needs trackeval."""
    shown_from: Annotated[float, tyro.conf.arg(metavar="SCORE")] = SHOWN_FROM
    """tracking: detections of at least this score count, 0 to 1. With --seq-nms, tracks are joined of these."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print the report as JSON instead of tables."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar and no notes; errors are still said."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad.
        """
        method = self._method()
        if self.cache is not None and self.cache.resolve().is_relative_to(self.output.resolve()):
            raise InvalidConfigError(
                f"--cache {self.cache} lies in the folder of -o, {self.output}; give it a folder elsewhere"
            )
        check_range("--shown-from", self.shown_from, 0, 1)
        if self.metric == "tracking":
            import_trackeval()
            if method.name == "network":
                raise InvalidConfigError(
                    "--method network gives no identities, so --metric tracking has nothing to score; choose "
                    "--method propagation or adaptive"
                )
        if self.metric in ("all", "coco") and importlib.util.find_spec("faster_coco_eval") is None:
            raise MissingPackageError(
                "COCO's metrics need faster-coco-eval; pip install 'heatprop[evaluate]', or add --metric official"
            )
        cv2.setNumThreads(1)  # images are scaled side by side
        dataset = wait_for(lambda: load_dataset(self.dataset, self.root, self.split))
        if not dataset.frame_count:
            raise DatasetError(f"{self.root}: the dataset has no frames; give another --root or --split")
        if self.metric == "tracking":
            true_tracks(dataset)  # to know before hours are spent
        names = None if self.class_names is None else read_class_names(self.class_names)
        model = load_model(self.model, input_size=self.input_size, layout=self.layout, classes=names)
        network = open_network(model, dataset, backend=self.backend, precision=self.precision, device=self.device)
        manifest = manifest_of(
            model,
            network.backend,
            dataset,
            split=self.split,
            classes=network.classes,
            floor=self.cache_floor,
        )
        cache = None if self.cache is None else OutputCache(self.cache, manifest)
        source = manifest.to_json() | {"floor": None if cache is None else manifest.floor}
        settings = {"outputs": source, "classes": list(dataset.classes), "method": method.to_json()}
        with claim_folder(self.output):
            return self._work(dataset, network, method, EvaluationFolder(self.output, settings), cache)

    def _work(
        self,
        dataset: VideoDataset,
        network: ImageNetwork,
        method: Method,
        folder: EvaluationFolder,
        cache: OutputCache | None,
    ) -> int:
        try:
            self._announce(dataset, network.classes)
            require_images(dataset, folder, cache)
            self._detect(dataset, network, method, folder, cache)
            report = self._finish(dataset, method, folder)
        except Interrupted as interrupted:
            if not self.quiet:
                say("heatprop: interrupted; what is finished is kept: run the same command to go on")
            return interrupted.exit_code
        except (HeatpropError, OSError) as problem:
            error(problem)
            return 1
        if self.json:
            sys.stdout.write(json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n")
        else:
            console = Console(highlight=False, markup=False)
            console.width = max(console.width, WIDEST_TABLE)
            console.print(report.tables())
        return 0

    def _method(self) -> Method:
        if self.no_propagation and self.method not in (Method.name, "network"):
            raise InvalidConfigError(f"--no-propagation contradicts --method {self.method}; drop one of them")
        config = PropagationConfig(radius=self.radius, alpha=self.alpha, beta=self.beta)
        check_range("--cache-floor", self.cache_floor, 0, 1)
        if self.cache is not None and self.score_threshold < self.cache_floor:
            raise InvalidConfigError(
                f"--score-threshold is {self.score_threshold:g}, but the cache keeps cells from "
                f"{self.cache_floor:g} on only; raise it, or lower --cache-floor"
            )
        name = "network" if self.no_propagation else self.method
        joins = self.seq_nms and name != "network"
        return Method(
            name=name,
            propagation=config,
            score_threshold=self.score_threshold,
            seq_nms=SeqNmsConfig() if self.seq_nms else None,
            joining=JoiningConfig(min_score=self.shown_from) if joins else None,
        )

    def _announce(self, dataset: VideoDataset, classes: ClassMatching) -> None:
        if classes.missing and not self.quiet:
            say(
                f"heatprop: note: {self.model} has no class for {len(classes.missing)} of the dataset's "
                f"{len(dataset.classes)}, nothing is found of them: {', '.join(classes.missing)}"
            )

    def _detect(
        self,
        dataset: VideoDataset,
        network: ImageNetwork,
        method: Method,
        folder: EvaluationFolder,
        cache: OutputCache | None,
    ) -> None:
        to_do = frames_to_do(dataset, folder)
        if to_do < dataset.frame_count and not self.quiet:
            say(
                f"heatprop: {dataset.frame_count - to_do:,} of {dataset.frame_count:,} frames are finished already"
            )
        with FrameProgress(self.root.name or str(self.root), to_do, quiet=self.quiet) as progress:
            detect_dataset(dataset, network, method, folder, cache=cache, advance=progress.advance)
        wrong = images_of_other_size(dataset, folder)
        if wrong and not self.quiet:
            say(
                f"heatprop: warning: {len(wrong)} images are not as large as the annotations say, so boxes "
                f"cannot fit; the first is {dataset.image_paths[wrong[0]]}"
            )

    def _finish(self, dataset: VideoDataset, method: Method, folder: EvaluationFolder) -> EvaluationReport:
        metrics = METRICS if self.metric == "all" else (self.metric,)

        def scored() -> tuple[DetectionTable, EvaluationReport]:
            table = DetectionTable.from_frames(finished_detections(dataset, method, folder))
            return table, score(dataset, table, metrics, shown_from=self.shown_from)

        table, report = wait_for(scored)
        write_results(folder.path, dataset, table, report)
        return report
