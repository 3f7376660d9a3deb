"""A checkpoint -> one file that runs without PyTorch: ONNX, or OpenVINO's IR.

Both are written from one ``torch.export`` of the network (docs/decisions/007). The card travels inside the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import torch

from heatprop.errors import InvalidConfigError, OutputError
from heatprop.interrupts import check
from heatprop.io.outputs import OutputFile
from heatprop.lab.networks.checkpoints import Checkpoint
from heatprop.lab.networks.deployed import Deployed, heatmap_difference, noise, trace, true_heads
from heatprop.lab.networks.normalisation import normalise
from heatprop.lab.networks.onnx_file import write_onnx
from heatprop.lab.networks.openvino_file import write_openvino
from heatprop.lab.networks.weights import first_line
from heatprop.letterbox import InputFormat
from heatprop.types import ImageArray
from heatprop.zoo.card import ModelCard
from heatprop.zoo.formats import check_request

_TOLERANCE = 1e-3
_HALF_TOLERANCE = 3e-2  # what 11 bits of each weight may do to the output


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        card: the card inside the file.
        paths: the file; for OpenVINO also the ``.bin`` with the weights beside it.
        difference: largest difference of the heatmap from PyTorch's: on noise, or for 8 bits on the first
            image of the calibration.
    """

    card: ModelCard
    paths: tuple[Path, ...]
    difference: float


def export_checkpoint(
    checkpoint: Checkpoint,
    path: str | os.PathLike[str],
    *,
    input_format: InputFormat | None = None,
    calibration: Sequence[ImageArray] | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write a checkpoint as ``.onnx`` or ``.xml``, with any batch, height and width left open.

    The file takes `images`, float32 ``(N, 3, H, W)``, ordered and normalised as the card's `input` says, and
    gives `heatmap` after the sigmoid, `size` and `offset` in cells. It is compared with PyTorch before it gets
    its name.

    Args:
        checkpoint: from `load_checkpoint`.
        path: where to; ``.onnx`` (opset 19), or ``.xml``, which puts a ``.bin`` beside it.
        input_format: the input rule for the card; None keeps the checkpoint's.
        calibration: images, uint8 ``(1, H, W, 3)`` RGB, letterboxed as `input_format` says. With them the
            network is quantised to 8 bits, for ``.xml`` only.
        half: store weights in half precision, which halves the file; the network computes in float32 all the same.
        overwrite: whether existing files may be replaced.

    Raises:
        InvalidConfigError: another ending, an input that the network cannot take, or calibration of ``.onnx`` or
            without images.
        ModelError: the network cannot be exported or gives no numbers, or a package that this needs is not
            installed.
        OutputError: the files exist or cannot be written.
        Interrupted: it was requested; nothing is left behind.
    """
    path = Path(path)
    card = replace(checkpoint.card, input=input_format or checkpoint.card.input)
    check_request(path, int8=calibration is not None)
    if calibration is not None and not len(calibration):
        raise InvalidConfigError("calibration holds no images; give at least one")
    if card.input.multiple % checkpoint.network.multiple:
        raise InvalidConfigError(
            f"multiple is {card.input.multiple}; this network needs a multiple of {checkpoint.network.multiple}"
        )
    endings = (".bin", ".xml") if path.suffix == ".xml" else (".onnx",)
    outputs: list[OutputFile] = []
    try:
        for ending in endings:  # the weights come first, so that an .xml never stands without them
            outputs.append(OutputFile(path.with_suffix(ending), overwrite=overwrite))
        if len({output.partial.stem for output in outputs}) > 1:  # OpenVINO names the weights after the network
            raise OutputError(f"{path.with_suffix('')}.part.bin or .xml is in the way; move it elsewhere")
        deployed = Deployed(checkpoint).eval()
        images = noise(deployed)
        if calibration is not None:
            images = normalise(torch.from_numpy(calibration[0]), card.input).contiguous()
        truth = true_heads(deployed, images)
        check()
        program, partial = trace(deployed), outputs[-1].partial
        check()
        if path.suffix == ".xml":
            run = write_openvino(program, deployed.names, card, partial, calibration=calibration, half=half)
        else:
            run = write_onnx(program, deployed.names, card, partial, half=half)
        check()
        tolerance = inf if calibration is not None else _HALF_TOLERANCE if half else _TOLERANCE
        difference = heatmap_difference(run(images.numpy()), truth, tolerance)
        for output in outputs:
            output.commit()
    except BaseException as error:
        for output in outputs:
            output.discard()
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError(f"{path}: cannot write there ({first_line(error)}); is the disk full?") from None
        raise
    return Exported(card, tuple(output.path for output in outputs), difference)
