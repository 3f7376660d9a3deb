"""What training makes small: CenterNet's focal loss of the heatmap, and L1 of size and offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from heatprop.errors import check_range
from heatprop.lab.networks.centernet import NetworkOutput
from heatprop.lab.training.batch import Batch

_LEAST = 1e-4
_FOCUS = 2
_FORGIVENESS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """How much each part counts in the sum; the defaults are the published ones.

    Attributes:
        heatmap: of the focal loss.
        size: of the L1 of the size.
        offset: of the L1 of the offset.
        classification: of the cross-entropy of the classes at the objects' cells. Not published; a network that
            starts from nothing tells classes apart much sooner with it.

    Raises:
        InvalidConfigError: a weight is below 0.
    """

    heatmap: float = 1.0
    size: float = 0.1
    offset: float = 1.0
    classification: float = 0.0

    def __post_init__(self) -> None:
        for name in ("heatmap", "size", "offset", "classification"):
            check_range(f"loss weight {name}", getattr(self, name), 0, 3.4e38)  # what float32 holds


class Counts(NamedTuple):
    """What the sums are divided by; with several processes, summed over all of them first.

    Attributes:
        positives: cells of the heatmap that are 1.
        objects: objects whose size and offset are learned.
    """

    positives: Tensor
    objects: Tensor


class Losses(NamedTuple):
    """The parts, not weighted, and their weighted sum; scalars."""

    total: Tensor
    heatmap: Tensor
    size: Tensor
    offset: Tensor
    classification: Tensor


def count(batch: Batch) -> Counts:
    """Count what the losses of a batch are divided by, as float32 scalars."""
    return Counts((batch.heatmap == 1).sum().float(), batch.mask.sum().float())


def center_net_loss(
    output: NetworkOutput, batch: Batch, weights: LossWeights = LossWeights(), counts: Counts | None = None
) -> Losses:
    """Compare a network's output with what it should be, in float32 whatever the network computes in.

    Heatmap: the penalty-reduced focal loss (alpha 2, beta 4) of the probability, clamped to [1e-4, 1 - 1e-4], over
    the number of positive cells; not divided when there is none. Size and offset: L1 in cells at the objects'
    cells, over ``2 objects + 1e-4``. Classification: the cross-entropy of the softmax over the heatmap's classes
    at these cells, over the objects.

    Args:
        output: of the network, ``N`` images.
        batch: of the same images.
        weights: of the parts in the sum.
        counts: what to divide by; None means `count` of this batch. Parts of a batch, each with the
            counts of the whole, sum to the loss of the whole.
    """
    positives, objects = count(batch) if counts is None else counts
    heatmap = _focal(output.heatmap_logits.float(), batch.heatmap) / positives.clamp(min=1)
    per_object = 2 * objects + 1e-4
    size = _l1(output.size.float(), batch, batch.size) / per_object
    offset = torch.zeros_like(size)
    if output.offset is not None:
        offset = _l1(output.offset.float(), batch, batch.offset) / per_object
    classification = _cross_entropy(output.heatmap_logits.float(), batch) / objects.clamp(min=1)
    parts = {"heatmap": heatmap, "size": size, "offset": offset, "classification": classification}
    total = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
    return Losses(total, **parts)


def _focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the sum of the focal loss over all cells; `wanted` is 1 at centres and falls off around them."""
    said = logits.sigmoid().clamp(_LEAST, 1 - _LEAST)
    is_center = wanted == 1
    hits = said.log() * (1 - said) ** _FOCUS
    misses = (1 - said).log() * said**_FOCUS * (1 - wanted) ** _FORGIVENESS
    return -torch.where(is_center, hits, misses).sum()


def _cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Return the sum over the objects of the cross-entropy of their classes."""
    said = _at_objects(logits, batch).log_softmax(dim=2)
    right = said.gather(2, batch.labels[..., None])[..., 0]
    return -(right * batch.mask).sum()


def _l1(head: Tensor, batch: Batch, wanted: Tensor) -> Tensor:
    """Return the sum of absolute differences of a head ``(N, 2, h, w)`` from ``(N, M, 2)`` at their cells."""
    return ((_at_objects(head, batch) - wanted).abs() * batch.mask[..., None]).sum()


def _at_objects(head: Tensor, batch: Batch) -> Tensor:
    """Return what a head ``(N, C, h, w)`` says at the objects' cells, ``(N, M, C)``."""
    cells = batch.cells[:, None].expand(-1, head.shape[1], -1)
    return head.flatten(2).gather(2, cells).transpose(1, 2)
