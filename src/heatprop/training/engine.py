"""The run: a step, an epoch, and all epochs with validation and checkpoints between them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from time import perf_counter
from typing import Protocol

import torch
from torch import nn

from heatprop.errors import HeatpropError, InvalidConfigError
from heatprop.networks.normalisation import normalise
from heatprop.training.batch import Batch
from heatprop.training.config import TrainingConfig
from heatprop.training.datasets import load_training_set, load_validation_set
from heatprop.training.loading import batches
from heatprop.training.losses import Losses, center_net_loss
from heatprop.training.optimisation import WeightAverage, build_optimiser, learning_rate
from heatprop.training.run_folder import RunFolder
from heatprop.training.samples import DatasetSamples
from heatprop.training.starting import start_network
from heatprop.training.validation import average_precision, detect_frames, metric_name


class TrainingError(HeatpropError, RuntimeError):
    """Training cannot go on; what was saved is kept."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step did.

    Attributes:
        step: its number, counted from 1.
        steps: of the whole run.
        steps_an_epoch: of each epoch.
        losses: the weighted sum, and the parts.
        rate: learning rate.
        gradient_norm: before clipping.
        images: of the step, over all processes.
        waited: seconds that were spent on waiting for pictures.
        seconds: of the whole step.
    """

    step: int
    steps: int
    steps_an_epoch: int
    losses: dict[str, float]
    rate: float
    gradient_norm: float
    images: int
    waited: float
    seconds: float


class Watcher(Protocol):
    """Is told how a run goes."""

    def note(self, text: str) -> None:
        """Something that people should know."""

    def stepped(self, report: StepReport) -> None:
        """A step is done."""

    def validating(self, frames: int, total: int) -> None:
        """So many frames of the validation set are done."""


class Run:
    """A training run; all is read and checked when it is made, so that mistakes show before hours are spent.

    Args:
        config: of the run.
        folder: where checkpoints are kept; a run that is in it already goes on.
        watcher: is told how it goes.
        held: while entered, interruptions wait, so that a step is never cut.

    Raises:
        HeatpropError: the configuration, the dataset, the start or the folder is wrong.
    """

    def __init__(
        self,
        config: TrainingConfig,
        folder: Path,
        watcher: Watcher,
        held: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.config, self.watcher, self._held = config, watcher, held
        self.device = _device(config.run.device)
        if config.run.threads:
            torch.set_num_threads(config.run.threads)
        dataset = load_training_set(config.data, config.run.seed, watcher.note)
        side, seed = config.model.input_side, config.run.seed
        self.data = DatasetSamples(dataset, config.augmentation, side=side, seed=seed)
        self.steps_an_epoch = len(self.data) // config.schedule.batch_size
        if not self.steps_an_epoch:
            raise InvalidConfigError(
                f"schedule.batch_size is {config.schedule.batch_size}, but there are only {len(self.data)} "
                "pictures to learn from; make it smaller"
            )
        self.steps = self.steps_an_epoch * config.schedule.epochs
        self.validation_set = None
        if config.validation.every_epochs:
            self.validation_set = load_validation_set(config.data, config.validation.frames, dataset.classes)
        self.folder = RunFolder(folder, config, dataset)
        network, self.card, said = start_network(config.model, dataset.classes, seed)
        if side % network.multiple:
            raise InvalidConfigError(f"model.input_side is {side}; it must be a multiple of {network.multiple}")
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.average = WeightAverage(self.network, config.optimiser.average)
        self.optimiser = build_optimiser(self.network, config.optimiser)
        self.progress = self.folder.progress
        saved = self.folder.saved
        if saved is not None:
            self.network.load_state_dict(saved["network"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.average.network.load_state_dict(
                torch.load(self.folder.path / "last.pt", map_location=self.device)["state_dict"]
            )
            said = f"step {self.progress.step:,} of {folder / 'last.pt'}"
        weights = sum(each.numel() for each in self.network.parameters())
        watcher.note(
            f"starts from {said}; {weights / 1e6:.1f} M weights, {len(self.data):,} pictures, "
            f"{len(dataset.classes)} classes, {self.steps_an_epoch:,} steps an epoch"
        )

    def train(self) -> None:
        """Do all that is not done yet.

        Raises:
            HeatpropError: it cannot go on.
            KeyboardInterrupt: it was interrupted; the last step is saved.
        """
        self.folder.open_log(self.progress.step)
        try:
            while self.progress.step < self.steps:
                self._train_epoch()
                self._end_epoch()
            self._end_epoch()
        except KeyboardInterrupt:
            self._save()
            raise
        finally:
            self.folder.close()

    def _train_epoch(self) -> None:
        """Learn from what is left of an epoch."""
        epoch, first = divmod(self.progress.step, self.steps_an_epoch)
        config = self.config
        loading = batches(
            self.data, epoch, seed=config.run.seed, batch_size=config.schedule.batch_size, first=first,
            workers=config.data.workers,
        )  # fmt: skip
        with closing(loading):
            started = perf_counter()
            for loaded in loading:
                waited = perf_counter() - started
                with self._held():
                    losses, rate, norm = self._step(loaded.batch)
                    self.progress = self.progress.after(loaded.unreadable)
                    self.folder.log({"step": self.progress.step, "rate": rate, "norm": norm, **losses})
                    if self.progress.step % config.run.checkpoint_steps == 0:
                        self._save()
                now = perf_counter()
                self.watcher.stepped(
                    StepReport(
                        self.progress.step, self.steps, self.steps_an_epoch, losses, rate, norm,
                        config.schedule.batch_size, waited, now - started,
                    )
                )  # fmt: skip
                started = now

    def _step(self, batch: Batch) -> tuple[dict[str, float], float, float]:
        """Learn from one batch; return losses, learning rate and norm of the gradient."""
        step, config = self.progress.step, self.config
        torch.manual_seed((config.run.seed << 32) + step)  # of dropout and the like
        rate = learning_rate(step, self.steps_an_epoch, config.optimiser.learning_rate, config.schedule)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        losses = self._losses(batch.to(self.device))
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        most = config.optimiser.clip_norm or float("inf")
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), most))
        values = {name: float(value.detach()) for name, value in losses._asdict().items()}
        if not all(map(_is_finite, (norm, *values.values()))):
            raise TrainingError(f"the loss is not finite after step {step}: {values}, gradient {norm}")
        self.optimiser.step()
        self.average.update(self.network, step)
        return values, rate, norm

    def _losses(self, batch: Batch) -> Losses:
        images = normalise(batch.images, self.card.input)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.run.precision == "bf16"):
            output = self.network(images)
        return center_net_loss(output, batch, self.config.loss)

    def _end_epoch(self) -> None:
        """Save, and validate where that is due and not done."""
        epoch, rest = divmod(self.progress.step, self.steps_an_epoch)
        if rest or self.progress.validated == self.progress.step:
            return
        with self._held():
            self._save()
        every = self.config.validation.every_epochs
        due = every and (epoch % every == 0 or self.progress.step == self.steps)
        precision = self._validate() if due and self.validation_set is not None else None
        with self._held():
            self.progress = replace(self.progress, validated=self.progress.step)
            if precision is not None:
                self.folder.log({"step": self.progress.step, "epoch": epoch, "precision": precision})
                if precision > self.progress.best:
                    self.progress = replace(self.progress, best=precision)
                    self.folder.save_best(self.average.network, self.card)
            self._save()

    def _validate(self) -> float:
        """Return the average precision of the averaged weights."""
        assert self.validation_set is not None
        done, total = 0, self.validation_set.frame_count

        def advance(frames: int) -> None:
            nonlocal done
            done += frames
            self.watcher.validating(done, total)

        found = detect_frames(
            self.average.network,
            self.validation_set,
            self.card.input,
            batch_size=self.config.validation.batch_size,
            device=self.device,
            precision=torch.bfloat16 if self.config.run.precision == "bf16" else None,
            workers=self.config.data.workers,
            advance=advance,
        )
        precision = average_precision(self.validation_set, found)
        precision = 0.0 if isnan(precision) else precision
        epoch = self.progress.step // self.steps_an_epoch
        self.watcher.note(
            f"epoch {epoch}: {metric_name(self.validation_set)} {100 * precision:.2f} % "
            f"({total:,} frames; best so far {100 * max(precision, self.progress.best):.2f} %)"
        )
        return precision

    def _save(self) -> None:
        self.folder.save(self.average.network, self.network, self.optimiser, self.card, self.progress)


def _is_finite(value: float) -> bool:
    return value - value == 0


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidConfigError("run.device is 'cuda', but PyTorch has no such device here; use 'cpu'")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name, int(os.environ.get("LOCAL_RANK", "0"))) if name == "cuda" else torch.device(name)
