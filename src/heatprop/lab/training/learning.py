"""One step of learning: what is needed for it, what it does, and what a run tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from heatprop.errors import HeatpropError
from heatprop.lab.networks import CenterNet
from heatprop.lab.networks.normalisation import normalise
from heatprop.lab.training.batch import Batch
from heatprop.lab.training.config import TrainingConfig
from heatprop.lab.training.losses import Counts, center_net_loss, count
from heatprop.lab.training.optimisation import WeightAverage
from heatprop.lab.training.ranks import Ranks
from heatprop.lab.training.synced_norm import freeze_norms
from heatprop.zoo import ModelCard


class NotFiniteError(HeatpropError, ArithmeticError):
    """A loss or a gradient is no number any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """A network that learns, alone or together with its likes in other processes.

    Attributes:
        config: of the run.
        network: with the weights of the last step.
        average: of these weights.
        optimiser: of the network.
        card: of what comes of it; says how images are normalised.
        ranks: who else learns.
    """

    config: TrainingConfig
    network: CenterNet
    average: WeightAverage
    optimiser: Optimizer
    card: ModelCard
    ranks: Ranks


@dataclass(frozen=True, slots=True)
class Step:
    """What came out of a step, over all processes.

    Attributes:
        losses: ``total``, the weighted sum, and its parts.
        gradient_norm: before clipping.
        rate: the learning rate.
    """

    losses: dict[str, float]
    gradient_norm: float
    rate: float


def train_step(learner: Learner, batch: Batch, step: int, rate: float) -> Step:
    """Learn from a batch, of which each process has its part.

    Sums over the objects of the whole batch are divided by their number in it, so that the gradients of the
    processes sum to that of one process with all of it.

    Args:
        learner: is changed.
        batch: the part of this process, on any device.
        step: its number, counted from 0: with the seed it decides what dropout zeroes.
        rate: learning rate.

    Raises:
        NotFiniteError: a loss or the gradient is not finite; no weight has changed.
    """
    ranks, config, network = learner.ranks, learner.config, learner.network
    random = np.random.SeedSequence((config.run.seed, step, ranks.rank))
    torch.manual_seed(int(random.generate_state(1, np.uint64)[0]))
    network.train()
    if config.model.norm == "frozen":
        freeze_norms(network)
    batch = batch.to(ranks.device)
    counts = Counts(*ranks.sum(torch.stack(count(batch))))
    images = normalise(batch.images, learner.card.input)
    with torch.autocast(ranks.device.type, torch.bfloat16, enabled=config.run.precision == "bf16"):
        output = network(images)
    losses = center_net_loss(output, batch, config.loss, counts)
    learner.optimiser.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    ranks.sum_gradients(network.parameters())
    norm = float(nn.utils.clip_grad_norm_(network.parameters(), config.optimiser.clip_norm or float("inf")))
    values = ranks.sum(torch.stack(losses).detach()).tolist()
    if not np.isfinite([norm, *values]).all():
        raise NotFiniteError(f"the loss of step {step + 1} is {values[0]}, and its gradient's norm {norm}")
    for group in learner.optimiser.param_groups:
        group["lr"] = rate
    learner.optimiser.step()
    learner.average.update(network, step)
    return Step(dict(zip(losses._fields, values, strict=True)), norm, rate)


@dataclass(frozen=True, slots=True)
class StepReport:
    """How far a run is after a step.

    Attributes:
        done: steps that are done.
        steps: of the whole run.
        steps_an_epoch: of each epoch.
        images: of a step, over all processes.
        waited: seconds that the step waited for images.
        seconds: that it took in all.
        step: what came out of it.
    """

    done: int
    steps: int
    steps_an_epoch: int
    images: int
    waited: float
    seconds: float
    step: Step


class Watcher(Protocol):
    """Is told how a run goes."""

    def note(self, text: str) -> None:
        """Take a line that people should know."""

    def stepped(self, report: StepReport) -> None:
        """Take note that a step is done."""

    def validating(self, done: int, total: int) -> None:
        """Take note that so many frames of the validation set are done."""
