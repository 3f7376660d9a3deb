"""The run: all epochs, and what happens between them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from math import isnan
from time import perf_counter

import torch

from heatprop.errors import HeatpropError, InvalidArrayError
from heatprop.lab.datasets import VideoDataset
from heatprop.lab.training.batch import Batch, TrainingData
from heatprop.lab.training.board import Board
from heatprop.lab.training.learning import Learner, NotFiniteError, StepReport, Watcher, train_step
from heatprop.lab.training.loading import Loaded, batches
from heatprop.lab.training.optimisation import learning_rate
from heatprop.lab.training.saved import Progress, state_of
from heatprop.lab.training.training_folder import BOARD, LAST, UNREADABLE, TrainingFolder
from heatprop.lab.training.validation import (
    LetterboxedFrame,
    Predictor,
    average_precision,
    detections_of,
    metric_name,
)
from heatprop.types import Detections, HeadOutput

_NAMED = 10
_DIVERGED = "begin in another folder with a lower optimiser.learning_rate or clip_norm"


class Stopped(Exception):  # noqa: N818 - no error
    """The run was asked to stop."""


class Run:
    """A training run that can begin, or go on.

    Args:
        learner: what learns.
        data: what it learns from.
        validation_set: what it is tested on; None: nothing.
        progress: how far it is.
        fingerprint: of the data, for checkpoints.
        folder: of the first process; None in the others.
        watcher: is told how it goes.
    """

    def __init__(
        self,
        learner: Learner,
        data: TrainingData,
        *,
        validation_set: VideoDataset | None,
        progress: Progress,
        fingerprint: str,
        folder: TrainingFolder | None,
        watcher: Watcher,
    ) -> None:
        self.learner, self.data, self.validation_set = learner, data, validation_set
        self.progress, self._fingerprint = progress, fingerprint
        self.folder, self.watcher = folder, watcher
        self.config, self.ranks = learner.config, learner.ranks
        self.steps_an_epoch = len(data) // self.config.schedule.batch_size
        self.steps = self.steps_an_epoch * self.config.schedule.epochs
        self._board: Board | None = None
        self._asked: Callable[[], bool] = lambda: False

    def train(self, asked_to_stop: Callable[[], bool] = lambda: False) -> bool:
        """Do all that is not done yet.

        Args:
            asked_to_stop: is asked after every step and batch; on yes the run saves what is done and ends.

        Returns:
            Whether everything is done.

        Raises:
            HeatpropError: it cannot go on; the last checkpoint is kept.
        """
        self._asked = asked_to_stop
        self._open()
        try:
            self._end_epoch()
            while self.progress.step < self.steps:
                self._train_epoch()
                self._end_epoch()
        except Stopped:
            self._save()
            return False
        finally:
            if self._board is not None:
                self._board.close()
        self._say_done()
        return True

    def _open(self) -> None:
        if self.folder is None:
            return
        self.folder.open_log(self.progress.step)
        if self.config.run.tensorboard:
            try:
                self._board = Board(self.folder.path / BOARD, self.progress.step)
            except ImportError:
                self.watcher.note("tensorboard is not installed, so nothing is written for it; pip install it")

    def _train_epoch(self) -> None:
        """Learn from what is left of an epoch."""
        epoch, first = divmod(self.progress.step, self.steps_an_epoch)
        config, ranks = self.config, self.ranks
        loading = batches(
            self.data,
            epoch,
            seed=config.run.seed,
            batch_size=config.schedule.batch_size,
            first=first,
            rank=ranks.rank,
            ranks=ranks.count,
            workers=config.data.workers,
        )
        with closing(loading):
            before = perf_counter()
            for loaded in loading:
                waited = perf_counter() - before
                self._learn(loaded, waited, before)
                before = perf_counter()
                if self.progress.step % config.run.checkpoint_steps == 0:
                    self._save()
                if ranks.any(self._asked()):
                    raise Stopped

    def _learn(self, loaded: Loaded, waited: float, before: float) -> None:
        """Do one step, and tell of it."""
        config, number = self.config, self.progress.step
        rate = learning_rate(number, self.steps_an_epoch, config.optimiser.learning_rate, config.schedule)
        try:
            step = train_step(self.learner, loaded.batch, number, rate)
        except NotFiniteError as error:
            raise self._keep_culprit(loaded.batch, error) from None
        if loaded.unreadable and not self.progress.unreadable:
            problem = next(iter(loaded.unreadable.values()))
            self.watcher.note(f"{problem} (another is learned from in its place; all are named at the end)")
        self.progress.unreadable |= loaded.unreadable
        self.progress.step = number + 1
        if self.folder is not None:
            entry = {"step": number + 1, "rate": rate, "gradient_norm": step.gradient_norm, **step.losses}
            self.folder.log(entry)
        if self._board is not None:
            self._board.step(number + 1, step)
        self.watcher.stepped(
            StepReport(
                number + 1,
                self.steps,
                self.steps_an_epoch,
                config.schedule.batch_size,
                waited,
                perf_counter() - before,
                step,
            )
        )

    def _keep_culprit(self, batch: Batch, error: NotFiniteError) -> HeatpropError:
        """Save the batch that a step failed on, and return the error that says so."""
        if self.folder is None:
            return error
        path = self.folder.path / f"not-finite-step-{self.progress.step + 1}.pt"
        content = {name: getattr(batch, name) for name in batch.__slots__}
        content["pictures"] = [self.data.describe(number) for number in batch.numbers.tolist()]
        torch.save(content, path)
        return NotFiniteError(
            f"{error}; its batch is in {path}, earlier weights are in the last checkpoint; check the images, "
            f"or {_DIVERGED}"
        )

    def _end_epoch(self) -> None:
        """Save, and validate where that is due and not done."""
        progress, every = self.progress, self.config.validation.every_epochs
        epoch, rest = divmod(progress.step, self.steps_an_epoch)
        if rest or progress.ended == progress.step:
            return
        self._save()
        if self.validation_set is not None and (epoch % every == 0 or progress.step == self.steps):
            precision = self._validate(self.validation_set, epoch)
            if precision > progress.best:
                progress.best = precision
                if self.folder is not None:
                    self.folder.save_best(self.learner.average.network, self.learner.card)
        progress.ended = progress.step
        self._save()

    def _validate(self, dataset: VideoDataset, epoch: int) -> float:
        """Return the average precision of the averaged weights; each process takes its share of the frames."""
        config, ranks, number = self.config, self.ranks, self.progress.step
        predictor = Predictor(
            self.learner.average.network,
            self.learner.card.input,
            ranks.device,
            config.run.precision,
            config.validation.batch_size,
            config.data.workers,
        )
        total = dataset.frame_count
        rows = range(total * ranks.rank // ranks.count, total * (ranks.rank + 1) // ranks.count)
        found = []
        with closing(predictor.predict(dataset, rows)) as batches:
            for batch in batches:
                found += [(frame.row, self._detections(dataset, frame, output)) for frame, output in batch]
                self.watcher.validating(len(found), len(rows))
                if ranks.count == 1 and self._asked():
                    raise Stopped
        found = [each for part in ranks.gather(found) for each in part]
        if len(found) < total:
            self.watcher.note(
                f"{total - len(found)} frames of the validation set cannot be read: nothing is found"
            )
        precision = average_precision(dataset, found)
        precision = 0.0 if isnan(precision) else precision
        name, best = metric_name(dataset), max(precision, self.progress.best)
        self.watcher.note(
            f"epoch {epoch}: {name} {100 * precision:.2f} % in {total:,} frames; best so far {100 * best:.2f} %"
        )
        if self.folder is not None:
            self.folder.log({"step": number, "epoch": epoch, "metric": name, "precision": precision})
        if self._board is not None:
            self._board.precision(number, name, precision)
            self._board.images(number, dataset, predictor)
        return precision

    def _detections(self, dataset: VideoDataset, frame: LetterboxedFrame, output: HeadOutput) -> Detections:
        try:
            return detections_of(frame, output)
        except InvalidArrayError as error:
            raise NotFiniteError(f"{dataset.image_paths[frame.row]}: {error}; {_DIVERGED}") from None

    def _save(self) -> None:
        """Write the last checkpoint; every process takes part, with what it could not read."""
        for unreadable in self.ranks.gather(self.progress.unreadable):
            self.progress.unreadable |= unreadable
        if self.folder is not None:
            state = state_of(self.learner, self.progress, self._fingerprint)
            self.folder.save(self.learner.average.network, self.learner.card, state)

    def _say_done(self) -> None:
        """Say what has become of the run, and which images could not be read."""
        if self.folder is None:
            return
        problems = [self.progress.unreadable[number] for number in sorted(self.progress.unreadable)]
        if problems:
            self.folder.write_unreadable(problems)
            for problem in problems[:_NAMED]:
                self.watcher.note(f"not read: {problem}")
            self.watcher.note(
                f"{len(problems)} of {len(self.data)} images could not be read; others were learned from in "
                f"their place; all are named in {self.folder.path / UNREADABLE}"
            )
        best = f"; best.pt has {100 * self.progress.best:.2f} %" if self.progress.best >= 0 else ""
        self.watcher.note(f"done: {self.steps:,} steps; {self.folder.path / LAST} is the network{best}")
