"""Inference with PyTorch: a checkpoint as it is, on a graphics card where there is one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from heatprop.backends.base import Device, Precision, check_images, share_processors
from heatprop.backends.reading import INPUT, HeatmapReader
from heatprop.errors import BackendError, ModelError
from heatprop.lab.networks import Checkpoint, load_checkpoint
from heatprop.lab.networks.normalisation import normalise
from heatprop.layouts import TensorInfo
from heatprop.types import DetectorOutput, ImageArray
from heatprop.zoo import Model

_AUTOCAST = {"bf16": torch.bfloat16, "f16": torch.float16}


@dataclass(frozen=True, slots=True)
class CheckpointModel(Model):
    """A model whose card could not be had without reading the weights, so here they are.

    Attributes:
        checkpoint: the network.
    """

    checkpoint: Checkpoint


def load_model(path: Path) -> CheckpointModel:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        ModelError: it is missing, damaged, carries code or belongs to another architecture.
    """
    checkpoint = load_checkpoint(path)
    return CheckpointModel(checkpoint.card, path, checkpoint)


class TorchBackend:
    """PyTorch on the first graphics card (CUDA), or on the processor.

    In "bf16" and "f16" convolutions run in that format; deformable ones stay in float32, as does the sigmoid. On
    a graphics card float32 may mean TF32, as PyTorch is set. On the processor the number of threads is
    PyTorch's own setting and so holds for the whole process.

    Args:
        model: what to run.
        precision: "f32", "bf16", or on a graphics card "f16".
        device: "auto" is a graphics card (CUDA) where there is one; "cpu" or "cuda".
        threads: processors to use in all; None means all that the process may use.
        concurrency: calls at once to share them between; None means one processor a call, at most 8 calls.

    Raises:
        BackendError: the file is no checkpoint, or not what its card says, or the device lacks the precision.
        InvalidConfigError: a number is below 1.
    """

    name = "torch"

    def __init__(
        self,
        model: Model,
        *,
        precision: Precision = "f32",
        device: Device = "auto",
        threads: int | None = None,
        concurrency: int | None = None,
    ) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise BackendError(f"PyTorch has no device {device!r} here; use --device cpu")
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._device = torch.device(device)
        if precision == "f16" and self._device.type == "cpu":
            raise BackendError("PyTorch has no precision 'f16' on a processor; use f32 or bf16")
        threads, self.concurrency = share_processors(threads, concurrency)
        where = "CPU" if device == "cpu" else torch.cuda.get_device_name()
        self.description = f"PyTorch {torch.__version__.partition('+')[0]}, {where}, {precision}"
        self._model = model
        self._autocast_type = _AUTOCAST.get(precision)
        network = _checkpoint(model).network
        config = network.config
        channels = {"heatmap": config.class_count, "size": 2} | ({"offset": 2} if config.offset else {})
        outputs = [TensorInfo(name, (None, count, None, None)) for name, count in channels.items()]
        self._reader = HeatmapReader(model, [TensorInfo(INPUT, (None, 3, None, None))], outputs)
        torch.set_num_threads(max(1, threads // self.concurrency))
        network.to(self._device)
        self._network = network.to(memory_format=torch.channels_last)

    def infer(self, images: ImageArray) -> list[DetectorOutput]:
        """Run the network on a batch; see `heatprop.backends.Backend.infer`."""
        images = check_images(images, self._model.card)
        try:
            with torch.inference_mode(), self._autocast():
                pixels = torch.from_numpy(images.copy() if not images.flags.writeable else images)
                output = self._network(normalise(pixels.to(self._device), self._model.card.input))
                heads = {"heatmap": output.heatmap_logits.float().sigmoid(), "size": output.size}
                if output.offset is not None:
                    heads["offset"] = output.offset
                arrays = {name: head.float().cpu().contiguous().numpy() for name, head in heads.items()}
        except Exception as error:  # out of memory, a kernel that the card lacks, and whatever else
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BackendError(
                f"PyTorch failed on images {images.shape} with {self._model.path}: {reason}"
            ) from None
        return self._reader.read(arrays, images, len(images))

    def _autocast(self) -> AbstractContextManager[object]:
        if self._autocast_type is None:
            return nullcontext()
        return torch.autocast(self._device.type, self._autocast_type)


def _checkpoint(model: Model) -> Checkpoint:
    if isinstance(model, CheckpointModel):
        return model.checkpoint
    try:
        return load_checkpoint(model.path)
    except ModelError as error:
        raise BackendError(str(error)) from None
