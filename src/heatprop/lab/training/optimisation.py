"""The optimiser, how its learning rate changes, and the average of the weights."""

from __future__ import annotations

from copy import deepcopy
from math import cos, pi

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from heatprop.lab.networks import CenterNet
from heatprop.lab.training.config import OptimiserConfig, ScheduleConfig


def build_optimiser(network: nn.Module, config: OptimiserConfig) -> Optimizer:
    """Return the optimiser of a network's weights; only those of more than one axis decay."""
    weights = [each for each in network.parameters() if each.requires_grad]
    groups = [
        {"params": [each for each in weights if each.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [each for each in weights if each.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.kind == "sgd":
        return SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    return AdamW(groups, lr=config.learning_rate)


def learning_rate(step: int, steps_an_epoch: int, highest: float, config: ScheduleConfig) -> float:
    """Return the learning rate of a step, counted from 0.

    >>> from heatprop.lab.training.config import ScheduleConfig
    >>> [learning_rate(step, 10, 1.0, ScheduleConfig(epochs=4, drops=(2,))) for step in (0, 19, 20)]
    [1.0, 1.0, 0.1]
    """
    epoch = step / steps_an_epoch
    if epoch < config.warm_up_epochs:
        return highest * (step + 1) / (config.warm_up_epochs * steps_an_epoch + 1)
    if config.kind == "steps":
        return highest * config.factor ** sum(epoch >= drop for drop in config.drops)
    done = (epoch - config.warm_up_epochs) / max(config.epochs - config.warm_up_epochs, 1e-9)
    return highest * (config.final_share + (1 - config.final_share) * (1 + cos(pi * done)) / 2)


class WeightAverage:
    """Keeps an exponential average of a network's weights and of the statistics of its normalisation.

    Args:
        network: whose; it is copied.
        decay: share of the average that a step keeps; at step ``n`` at most ``(1 + n) / (10 + n)``.

    Attributes:
        network: with the averaged weights, in evaluation mode.
    """

    def __init__(self, network: CenterNet, decay: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take the weights after a step, counted from 0, into the average."""
        decay = min(self._decay, (1 + step) / (10 + step)) if self._decay else 0.0
        ours, theirs = self.network.state_dict(), network.state_dict()
        floats = [key for key, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_([ours[key] for key in floats], [theirs[key] for key in floats], 1 - decay)
        for key in ours.keys() - set(floats):
            ours[key].copy_(theirs[key])
