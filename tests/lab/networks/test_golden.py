"""The published networks, held to the outputs of the authors' own code under artificial weights.

`golden/networks/keys.json.gz`: names and shapes of the state dicts of resdcn_18, resdcn_101 and dla_34.
`golden/networks/<architecture>.npz`: what the original gives for one input of 128 x 160: six channels of the
heatmap's logits and the mean over all 80, size and offset, and the sum of all weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from heatprop.lab.networks import load_checkpoint
from lab.networks.published_files import GOLDEN, published_state
from reference import weight_fill

IMAGES = torch.from_numpy(weight_fill.normal(7, (1, 3, 128, 160)).astype(np.float32))


@pytest.mark.parametrize("architecture", ["resdcn_18", "resdcn_101", "dla_34"])
def test_a_published_checkpoint_gives_the_original_networks_output(architecture: str, tmp_path: Path) -> None:
    state = published_state(architecture)
    path = tmp_path / "model.pth"
    torch.save({"epoch": 140, "state_dict": {f"module.{key}": tensor for key, tensor in state.items()}}, path)
    with np.load(GOLDEN / f"{architecture}.npz") as golden:
        assert sum(tensor.double().sum().item() for tensor in state.values()) == pytest.approx(golden["fill_sum"])
        with torch.inference_mode():
            output = load_checkpoint(path)(IMAGES)
        logits = output.heatmap_logits[0].numpy()
        for have, want, tolerance in (
            (logits[golden["channels"]], golden["heatmap_logits"], 2e-3),
            (logits.mean(axis=0), golden["heatmap_logits_mean"], 2e-3),
            (output.size[0].numpy(), golden["size"], 2e-3),
            (output.offset[0].numpy(), golden["offset"], 5e-4),
        ):
            np.testing.assert_allclose(have, want, rtol=0, atol=tolerance)
