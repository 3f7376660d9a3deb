"""Small CenterNet checkpoints with arbitrary weights."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path


@cache
def small_checkpoint(offset: bool = True) -> Path:
    """A deformable ResNet-18 for cats, dogs and rabbits that heatprop saved; sides in multiples of 32.

    Its deformable convolutions do bend, and its heatmap is neither flat nor saturated.
    """
    import torch

    from heatprop.lab.networks import CenterNet, CenterNetConfig, load_checkpoint, save_checkpoint
    from heatprop.lab.networks.deformable import DeformableConv2d

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "small.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = CenterNet(CenterNetConfig(backbone="resnet18", classes=("cat", "dog", "rabbit"), offset=offset))
        for module in network.modules():
            if isinstance(module, DeformableConv2d):
                torch.nn.init.normal_(module.offset_mask.weight, std=0.02)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # what the first batch gives
        with torch.no_grad():
            smooth = torch.nn.functional.interpolate(torch.randn(4, 3, 8, 8), size=256, mode="bilinear")
            network.train()(2 * smooth + 0.1 * torch.randn(4, 3, 256, 256))
        for head in (network.heatmap, network.size):
            torch.nn.init.normal_(head.output.weight, std=0.1)
    save_checkpoint(path, network)
    card = load_checkpoint(path).card
    save_checkpoint(path, network, replace(card, input=replace(card.input, multiple=32)), overwrite=True)
    return path
