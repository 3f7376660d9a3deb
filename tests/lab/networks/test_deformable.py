from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.lab.networks.deformable import DeformableBlock, DeformableConv2d
from reference.deformable import deformable_convolution, plain_convolution


def layer_and_features(
    channels: tuple[int, int], grid: tuple[int, int], reach: float, seed: int
) -> tuple[DeformableConv2d, torch.Tensor]:
    """A float64 layer whose offsets are about `reach` cells long."""
    layer = DeformableConv2d(*channels).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    with torch.no_grad():
        layer.offset_mask.weight.mul_(0.3)
        layer.offset_mask.bias.mul_(reach)
    return layer, torch.randn(1, channels[0], *grid, generator=generator, dtype=torch.float64)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 2)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.sampled_from([0.0, 0.5, 2.0, 8.0]),
    st.integers(0, 2**31),
)
def test_it_equals_the_explanation_sample_by_sample(
    channels: tuple[int, int], grid: tuple[int, int], reach: float, seed: int
) -> None:
    layer, features = layer_and_features(channels, grid, reach, seed)
    state = {key: tensor.numpy() for key, tensor in layer.state_dict().items()}
    expected = deformable_convolution(
        features[0].numpy(), state["weight"], state["bias"], state["offset_mask.weight"], state["offset_mask.bias"]
    )
    with torch.no_grad():
        np.testing.assert_allclose(layer(features)[0].numpy(), expected, rtol=1e-9, atol=1e-9)


def test_at_first_it_is_half_a_plain_convolution() -> None:
    layer = DeformableConv2d(3, 2)
    features = torch.randn(1, 3, 6, 5)
    with torch.no_grad():
        expected = plain_convolution(features[0].numpy(), layer.weight.numpy() / 2, layer.bias.numpy())
        np.testing.assert_allclose(layer(features)[0].numpy(), expected, rtol=0, atol=1e-5)


def test_gradients_reach_weights_offsets_and_input() -> None:
    layer, features = layer_and_features((2, 2), (4, 4), 0.5, 1)
    layer(features.requires_grad_()).square().sum().backward()
    for tensor in (features, *layer.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


@pytest.mark.parametrize("features_type", [torch.float32, torch.bfloat16])
def test_under_autocast_it_works_in_float32(features_type: torch.dtype) -> None:
    layer = DeformableConv2d(4, 4)
    torch.nn.init.normal_(layer.offset_mask.weight, std=0.3)
    features = torch.randn(1, 4, 8, 8).to(features_type)
    with torch.no_grad():
        exact = layer(features.float()).to(features_type)
        with torch.autocast("cpu", torch.bfloat16):
            result = layer(features)
    assert result.dtype == features_type
    assert torch.equal(result, exact)


def test_a_network_of_half_precision_stays_in_half_precision() -> None:
    block = DeformableBlock(4, 6).bfloat16().eval()
    with torch.no_grad():
        assert block(torch.randn(1, 4, 8, 8).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("tap", [0, 5, 17])
def test_offsets_that_are_no_numbers_make_their_cells_nan_and_no_other(tap: int) -> None:
    layer, features = layer_and_features((2, 3), (6, 6), 0.5, 1)
    layer.offset_mask.weight.data[tap, :, 1, 1] = 1.0
    whole = layer(features)
    features[0, 1, 2, 3] = torch.inf
    features[0, 0, 2, 3] = -torch.inf  # their sum is no number
    broken = layer(features)
    assert broken[0, :, 2, 3].isnan().all()
    assert torch.equal(broken[0][:, 5, 0], whole[0][:, 5, 0])
