"""From a configuration to a run that can begin: everything is read and checked, before hours are spent."""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

import torch

from heatprop.errors import InvalidConfigError, MissingPackageError
from heatprop.lab.datasets import VideoDataset
from heatprop.lab.training.config import RunConfig, TrainingConfig
from heatprop.lab.training.datasets import load_training_set, load_validation_set
from heatprop.lab.training.engine import Run
from heatprop.lab.training.learning import Learner, Watcher
from heatprop.lab.training.optimisation import WeightAverage, build_optimiser
from heatprop.lab.training.ranks import Ranks, local_rank
from heatprop.lab.training.samples import DatasetSamples
from heatprop.lab.training.saved import Progress, fingerprint, require_same, restore, state_of
from heatprop.lab.training.starting import start_network
from heatprop.lab.training.synced_norm import sync_norms
from heatprop.lab.training.training_folder import LAST, TrainingFolder

_SWITCH_INTERVAL = 2e-4  # s; with Python's 5e-3, threads that read images hold up the one that learns


def open_run(
    config: TrainingConfig, path: Path, folder: TrainingFolder | None, ranks: Ranks, watcher: Watcher
) -> Run:
    """Read data and weights, check that all fits, and go on with what is in the folder.

    Args:
        config: of the run.
        path: of its folder.
        folder: which is open in the first process; None in the others.
        ranks: who else takes part.
        watcher: is told what the run starts from.

    Raises:
        HeatpropError: the configuration, the dataset, the start or the folder is wrong.
    """
    _check(config, ranks)
    _set_machine(config.run, watcher)
    saved = ranks.from_first(None if folder is None else folder.saved())
    dataset, validation_set = _load(config, watcher)
    data = fingerprint(dataset)
    if saved is not None:
        require_same(path, saved, config, data)
    learner, said = build_learner(config, dataset.classes, ranks)
    progress = Progress() if saved is None else restore(learner, saved)
    weights = sum(each.numel() for each in learner.network.parameters())
    watcher.note(
        f"{len(dataset.image_paths):,} images of {len(dataset.classes)} classes, {weights / 1e6:.2f} M weights; "
        + (f"starts from {said}" if saved is None else f"goes on after step {progress.step:,} of {path / LAST}")
    )
    if folder is not None and saved is None:  # what cannot be written is better known now
        folder.save(learner.average.network, learner.card, state_of(learner, progress, data))
        folder.require_room()
    samples = DatasetSamples(
        dataset,
        config.augmentation,
        side=config.model.input_side,
        early_sides=config.schedule.early_sides,
        seed=config.run.seed,
    )
    return Run(
        learner,
        samples,
        validation_set=validation_set,
        progress=progress,
        fingerprint=data,
        folder=folder,
        watcher=watcher,
    )


def build_learner(config: TrainingConfig, classes: tuple[str, ...], ranks: Ranks) -> tuple[Learner, str]:
    """Build the network, its average and its optimiser; say what it starts from.

    Raises:
        ModelError: what it starts from does not fit.
        InvalidConfigError: a setting of the model is wrong.
    """
    start = start_network(config.model, classes, config.run.seed)
    side, multiple = config.model.input_side, start.network.multiple
    for name, value in (
        ("model.input_side", side),
        ("model.input_multiple", config.model.input_multiple),
        *(("schedule.early_sides", each) for each in config.schedule.early_sides),
    ):
        if value % multiple:
            raise InvalidConfigError(f"{name} is {value}; it must be a multiple of {multiple}")
    network = start.network.to(ranks.device).to(memory_format=torch.channels_last)
    average = WeightAverage(network, config.optimiser.average)
    if ranks.count > 1 and config.model.norm == "batch":
        sync_norms(network)
    optimiser = build_optimiser(network, config.optimiser)
    return Learner(config, network, average, optimiser, start.card, ranks), start.said


def choose_device(name: str) -> torch.device:
    """Return the device of this process.

    Raises:
        InvalidConfigError: there is no such device.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cuda" and count <= local_rank():
        raise InvalidConfigError(
            f"run.device is 'cuda', but PyTorch has {count} such devices here and needs number {local_rank()}; "
            "use 'cpu'"
        )
    return torch.device("cuda", local_rank()) if name != "cpu" and count else torch.device("cpu")


def _check(config: TrainingConfig, ranks: Ranks) -> None:
    size = config.schedule.batch_size
    if size % ranks.count:
        raise InvalidConfigError(
            f"schedule.batch_size is {size}; it must be a multiple of the {ranks.count} processes"
        )
    by_coco = config.data.layout != "imagenet-vid" and config.data.validation and config.validation.every_epochs
    if by_coco and importlib.util.find_spec("faster_coco_eval") is None:
        raise MissingPackageError(
            "validation needs faster-coco-eval; pip install 'heatprop[train]', or set validation.every_epochs = 0"
        )


def _set_machine(config: RunConfig, watcher: Watcher) -> None:
    sys.setswitchinterval(_SWITCH_INTERVAL)
    if config.threads:
        torch.set_num_threads(config.threads)
    if config.precision == "bf16" and config.device != "cuda" and not torch.cuda.is_available():
        has_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)()
        if platform.machine() in ("x86_64", "AMD64") and not has_bf16:
            watcher.note(
                "this processor has no bf16 and only imitates it, slowly; run.precision = 'f32' is faster"
            )


def _load(config: TrainingConfig, watcher: Watcher) -> tuple[VideoDataset, VideoDataset | None]:
    dataset = load_training_set(config.data, config.run.seed, watcher.note)
    if dataset.frame_count < config.schedule.batch_size:
        raise InvalidConfigError(
            f"schedule.batch_size is {config.schedule.batch_size}, but there are only {dataset.frame_count} "
            "images to learn from; make it smaller"
        )
    if not config.validation.every_epochs:
        return dataset, None
    return dataset, load_validation_set(config.data, config.validation.frames, dataset.classes)
