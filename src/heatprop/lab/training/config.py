"""What a training run is: every setting with its default, and the only place of these defaults.

The sections of a TOML file are the fields of `TrainingConfig`, their keys the fields of each section's class.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from heatprop.errors import InvalidConfigError, check_count, check_range
from heatprop.lab.datasets import Layout
from heatprop.lab.networks.centernet import STRIDE, CenterNetConfig
from heatprop.lab.training.losses import LossWeights
from heatprop.letterbox import LARGEST_SIDE

Precision: TypeAlias = Literal["f32", "bf16"]
_INFINITY = float("inf")
MAX_THREADS, LARGEST_BATCH, MAX_EPOCHS = 4096, 65_536, 10**6
"""Far beyond any machine; what goes further ends in errors of libraries that do not name the key."""
LARGEST_SEED = 2**53


def _choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidConfigError(f"{name} is {value!r}; it must be {' or '.join(map(repr, choices))}")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images to learn from, and which to validate on.

    Attributes:
        layout: "imagenet-vid" or "coco-video", which is also plain COCO.
        train: folders (of coco-video also JSON files); several are joined.
        validation: a folder or JSON file; empty: of ImageNet VID the first of `train`, of coco-video none.
        train_split: of ImageNet VID.
        validation_split: of ImageNet VID.
        images_a_class: of ImageNet DET, no class is in more images than this.
        frames_a_video: that many frames of each video of ImageNet VID, evenly spread; 0 takes all.
        workers: threads that read images; 0: one for each processor.
    """

    layout: Layout = "imagenet-vid"
    train: tuple[str, ...] = ()
    validation: str = ""
    train_split: str = "train"
    validation_split: str = "val"
    images_a_class: int = 2000
    frames_a_video: int = 10
    workers: int = 0

    def __post_init__(self) -> None:
        _choice("data.layout", self.layout, ("imagenet-vid", "coco-video"))
        check_count("data.images_a_class", self.images_a_class, 1)
        check_count("data.frames_a_video", self.frames_a_video, 0)
        check_count("data.workers", self.workers, 0)
        check_range("data.workers", self.workers, 0, MAX_THREADS)


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """How images are changed, as CenterNet does.

    Attributes:
        flip: how often an image is mirrored.
        scale: least and most of the image's longest side that fills the input: below 1 a part, above 1 more
            than the image, which has black around it.
        shift: whether the middle of the input lies anywhere in the image, 128 pixels or less from its border.
        colour: how far brightness, contrast and saturation go from 1, each.
        lighting: standard deviation along the main axes of colour of ImageNet.
        least_visible: an object is learned from while at least this share of its box lies inside the input; 0 as
            published: slivers at the border, too.
    """

    flip: float = 0.5
    scale: tuple[float, float] = (0.6, 1.4)
    shift: bool = True
    colour: float = 0.4
    lighting: float = 0.1
    least_visible: float = 0.0

    def __post_init__(self) -> None:
        check_range("augmentation.flip", self.flip, 0, 1)
        for value in self.scale:
            check_range("augmentation.scale", value, 0.05, 20)
        if self.scale[0] > self.scale[1]:
            raise InvalidConfigError(f"augmentation.scale is {list(self.scale)}; give the smaller first")
        check_range("augmentation.colour", self.colour, 0, 1)
        check_range("augmentation.lighting", self.lighting, 0, 1)
        check_range("augmentation.least_visible", self.least_visible, 0, 1)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(CenterNetConfig):
    """Which network, and what it starts from; see `CenterNetConfig`. The classes are those of the dataset.

    Attributes:
        start: "scratch"; "imagenet" fetches weights of the backbone; or the path of a file: weights of the
            backbone, a published CenterNet, or one that heatprop saved.
        input_side: side in pixels of the square that is learned from, and longest side of what is validated on.
        input_multiple: what is validated on is padded to multiples of this; 0 pads to a square.
        norm: "batch" normalises by the statistics of each batch, over all processes; "frozen" by those that the
            start brings, for small batches.
    """

    start: str = "scratch"
    input_side: int = 512
    input_multiple: int = 0
    norm: Literal["batch", "frozen"] = "batch"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes != CenterNetConfig.classes:
            raise InvalidConfigError("model.classes is set; leave it out: the classes are those of the dataset")
        if not self.start:
            raise InvalidConfigError("model.start is empty; it must be 'scratch', 'imagenet' or a path")
        _choice("model.norm", self.norm, ("batch", "frozen"))
        check_range("model.input_side", self.input_side, STRIDE, LARGEST_SIDE)
        check_range("model.input_multiple", self.input_multiple, 0, self.input_side)

    def network(self, classes: tuple[str, ...]) -> CenterNetConfig:
        """Return the network's own configuration, with classes."""
        values = {each.name: getattr(self, each.name) for each in fields(CenterNetConfig)}
        return CenterNetConfig(**(values | {"classes": classes}))


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """What turns gradients into weights.

    Attributes:
        kind: "sgd" or "adamw".
        learning_rate: the highest.
        momentum: of SGD.
        weight_decay: of weights of more than one axis: not of biases and of normalisation.
        clip_norm: gradients are scaled down to this norm; 0: never.
        average: how much of the averaged weights a step keeps; less at the beginning, so that they follow. 0: no
            average is kept, and the weights themselves are saved and validated.
    """

    kind: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 1e-4
    clip_norm: float = 35.0
    average: float = 0.9998

    def __post_init__(self) -> None:
        _choice("optimiser.kind", self.kind, ("sgd", "adamw"))
        check_range("optimiser.learning_rate", self.learning_rate, 0, 1e6)
        check_range("optimiser.momentum", self.momentum, 0, 1)
        check_range("optimiser.weight_decay", self.weight_decay, 0, 1e6)
        check_range("optimiser.clip_norm", self.clip_norm, 0, _INFINITY)
        check_range("optimiser.average", self.average, 0, 1)


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How long, in which portions, and how the learning rate changes; by epochs.

    Attributes:
        epochs: how often every sample is seen.
        batch_size: samples a step, over all processes.
        kind: "steps" multiplies the learning rate by `factor` at each of `drops`; "cosine" lets it fall to
            `final_share` of the highest.
        drops: epochs.
        factor: of "steps".
        final_share: of "cosine".
        warm_up_epochs: the learning rate grows from 0 on this long.
        early_sides: the first epochs, one for each number, learn from small inputs of that side in pixels: cut out
            around one object of each image, as large as later. An object costs a fraction of what it costs in
            whole images, so a network that starts from nothing sees many.
    """

    epochs: int = 80
    batch_size: int = 32
    kind: Literal["steps", "cosine"] = "steps"
    drops: tuple[int, ...] = (50,)
    factor: float = 0.1
    final_share: float = 0.0
    warm_up_epochs: float = 0.0
    early_sides: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_count("schedule.epochs", self.epochs, 1)
        check_range("schedule.epochs", self.epochs, 1, MAX_EPOCHS)
        check_count("schedule.batch_size", self.batch_size, 1)
        check_range("schedule.batch_size", self.batch_size, 1, LARGEST_BATCH)
        _choice("schedule.kind", self.kind, ("steps", "cosine"))
        for drop in self.drops:
            check_count("schedule.drops", drop, 1)
        check_range("schedule.factor", self.factor, 0, 1)
        check_range("schedule.final_share", self.final_share, 0, 1)
        check_range("schedule.warm_up_epochs", self.warm_up_epochs, 0, self.epochs)
        check_range("number of schedule.early_sides", len(self.early_sides), 0, self.epochs)
        for side in self.early_sides:
            check_range("schedule.early_sides", side, STRIDE, LARGEST_SIDE)


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """How the network is validated while it learns.

    Attributes:
        every_epochs: validate at the end of every that many epochs, and at the very end; 0: never.
        frames: of the validation set, evenly spread; 0 takes all.
        batch_size: images at once.
    """

    every_epochs: int = 1
    frames: int = 2000
    batch_size: int = 16

    def __post_init__(self) -> None:
        check_count("validation.every_epochs", self.every_epochs, 0)
        check_count("validation.frames", self.frames, 0)
        check_count("validation.batch_size", self.batch_size, 1)
        check_range("validation.batch_size", self.batch_size, 1, LARGEST_BATCH)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """How the machine is used, and what random numbers start from.

    Attributes:
        seed: of weights, order and augmentation.
        precision: of convolutions: "f32" or "bf16".
        device: "auto" is a graphics card (CUDA) where there is one; "cpu" or "cuda".
        threads: of PyTorch on a processor; 0: one for each processor.
        checkpoint_steps: steps between checkpoints; there is one at the end of every epoch, too.
        tensorboard: whether scalars and images are written for TensorBoard.
    """

    seed: int = 0
    precision: Precision = "f32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0
    checkpoint_steps: int = 500
    tensorboard: bool = True

    def __post_init__(self) -> None:
        check_count("run.seed", self.seed, 0)
        check_range("run.seed", self.seed, 0, LARGEST_SEED)
        _choice("run.precision", self.precision, ("f32", "bf16"))
        _choice("run.device", self.device, ("auto", "cpu", "cuda"))
        check_count("run.threads", self.threads, 0)
        check_range("run.threads", self.threads, 0, MAX_THREADS)
        check_count("run.checkpoint_steps", self.checkpoint_steps, 1)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """A whole run; the same configuration, data and number of threads give the same weights."""

    data: DataConfig = field(default_factory=DataConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    run: RunConfig = field(default_factory=RunConfig)
