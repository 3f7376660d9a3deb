"""Learning rates, what decays, and the average of the weights."""

from __future__ import annotations

from math import cos, pi

import pytest
import torch

from heatprop.lab.networks import CenterNet, CenterNetConfig
from heatprop.lab.training.config import OptimiserConfig, ScheduleConfig
from heatprop.lab.training.optimisation import WeightAverage, build_optimiser, learning_rate


@pytest.fixture
def network() -> CenterNet:
    torch.manual_seed(0)
    config = CenterNetConfig(backbone="resnet18", classes=2, width=1 / 16, deformable=False, head_width=4)
    return CenterNet(config)


def rates(config: ScheduleConfig, steps_an_epoch: int = 10) -> list[float]:
    return [learning_rate(step, steps_an_epoch, 2.0, config) for step in range(steps_an_epoch * config.epochs)]


def test_steps_divide_the_rate_at_their_epochs() -> None:
    found = rates(ScheduleConfig(epochs=8, drops=(5, 7)))
    assert found == pytest.approx([2.0] * 50 + [0.2] * 20 + [0.02] * 10)


def test_cosine_falls_to_its_share() -> None:
    found = rates(ScheduleConfig(epochs=4, kind="cosine", final_share=0.1))
    assert found == pytest.approx([2 * (0.1 + 0.9 * (1 + cos(pi * step / 40)) / 2) for step in range(40)])


def test_a_warm_up_grows_evenly_to_the_highest() -> None:
    found = rates(ScheduleConfig(epochs=4, kind="cosine", warm_up_epochs=1.5))
    assert found[:15] == pytest.approx([2 * (step + 1) / 16 for step in range(15)])
    assert max(found) == found[15] == 2.0
    assert found[15:] == sorted(found[15:], reverse=True)


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_biases_and_normalisation_do_not_decay(network: CenterNet, kind: str) -> None:
    optimiser = build_optimiser(network, OptimiserConfig(kind=kind, weight_decay=0.5))  # type: ignore[arg-type]
    decay = {id(each): group["weight_decay"] for group in optimiser.param_groups for each in group["params"]}
    for name, weight in network.named_parameters():
        assert decay[id(weight)] == (0.5 if name.endswith("weight") and weight.ndim == 4 else 0.0), name


def test_the_average_is_that_of_the_slow_way(network: CenterNet) -> None:
    average = WeightAverage(network, 0.8)
    slow = {key: value.double().clone() for key, value in network.state_dict().items()}
    for step in range(20):
        with torch.no_grad():
            for each in network.parameters():
                each.add_(torch.randn_like(each))
            network.train()(torch.randn(1, 3, 64, 64))  # statistics follow
        average.update(network, step)
        decay = min(0.8, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            slow[key] = (
                value.double() if "num_batches" in key else decay * slow[key] + (1 - decay) * value.double()
            )
    assert not average.network.training
    for key, value in average.network.state_dict().items():
        torch.testing.assert_close(value.double(), slow[key], rtol=1e-4, atol=1e-5)


def test_without_average_it_is_the_network(network: CenterNet) -> None:
    average = WeightAverage(network, 0.0)
    with torch.no_grad():
        network.heatmap.output.weight.normal_()
    average.update(network, 0)
    for ours, theirs in zip(average.network.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
