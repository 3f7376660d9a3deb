"""`heatprop export`: a checkpoint as one file that runs fast without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from heatprop.cli.class_names_file import read_class_names
from heatprop.cli.messages import say
from heatprop.errors import InvalidConfigError, ModelError, OutputError, SourceError, check_range
from heatprop.interrupts import Interrupted, check
from heatprop.io import open_video
from heatprop.io.claims import claim_file
from heatprop.io.outputs import OutputFile, is_same_file
from heatprop.letterbox import LARGEST_SIDE, InputFormat, fit_letterbox, letterbox
from heatprop.types import ImageArray
from heatprop.zoo.formats import FORMATS, check_request

_MAX_IMAGES = 128


@dataclass(frozen=True, slots=True)
class Export:
    """Write a CenterNet checkpoint as one file that `heatprop detect` runs without PyTorch.
    $ heatprop export ctdet_coco_resdcn18.pth -o model.onnx
    $ heatprop export ctdet_coco_resdcn18.pth -o model.xml --multiple 32
    $ heatprop export ctdet_coco_resdcn18.pth -o model.xml --int8 --calibration street.mp4

    Published checkpoints are recognised by their tensors; nothing in the file is executed.
    """

    checkpoint: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CHECKPOINT")]
    """File of CenterNet's authors (.pth), or one that heatprop saved."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="MODEL.onnx|MODEL.xml", help_behavior_hint="")]
    """ONNX, for ONNX Runtime; or OpenVINO (.xml, with the weights in a .bin beside it), the faster."""
    input: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Scale the longer side of an image to this; default: as published, 512."""
    multiple: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Pad sides to multiples of this: 32 leaves little padding and is faster; default: as published, a square."""
    int8: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Quantise to 8 bits, faster still, for OpenVINO (.xml); needs --calibration."""
    calibration: Annotated[str | None, tyro.conf.arg(metavar="VIDEO", help_behavior_hint="")] = None
    """Video like those the network will see; 8 bits are set by up to 128 of its frames."""
    classes: Annotated[Path | None, tyro.conf.arg(metavar="NAMES.txt", help_behavior_hint="")] = None
    """Names of the classes, one a line, where the checkpoint does not say."""
    licence: Annotated[str | None, tyro.conf.arg(metavar="SPDX", help_behavior_hint="")] = None
    """Licence of the weights, where the checkpoint does not say."""
    half: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Store weights in half precision: half the file, the same speed."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace files that exist."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No summary; errors are still said."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad; nothing was written.
        """
        self._check()
        try:
            with claim_file(self.output):
                return self._export()
        except Interrupted as interrupted:
            if not self.quiet:
                say("heatprop: interrupted; nothing is written")
            return interrupted.exit_code

    def _check(self) -> None:
        """Refuse what can be refused before seconds go into loading PyTorch."""
        check_request(self.output, int8=self.int8)
        if self.int8 != (self.calibration is not None):
            raise InvalidConfigError("--int8 and --calibration VIDEO belong together; give both or neither")
        if self.checkpoint.suffix in FORMATS:
            raise ModelError(f"{self.checkpoint} is exported already; give the checkpoint (.pth)")
        for name, pixels in (("--input", self.input), ("--multiple", self.multiple)):
            if pixels is not None:
                check_range(name, pixels, 1, LARGEST_SIDE)
        if self.licence is not None and not self.licence.strip():
            raise InvalidConfigError("--licence is empty; give an SPDX name, such as MIT")
        for ending in (".bin", ".xml") if self.output.suffix == ".xml" else (".onnx",):
            path = self.output.with_suffix(ending)
            for given in (self.checkpoint, self.calibration, self.classes):
                if given is not None and is_same_file(path, given):
                    raise OutputError(f"{path} is read and would be replaced; choose another name for -o")
            OutputFile(path, overwrite=self.overwrite).discard()

    def _export(self) -> int:
        try:
            # A second or two that no other command shall wait for.
            from heatprop.lab.networks.checkpoints import load_checkpoint  # noqa: PLC0415
            from heatprop.lab.networks.export import export_checkpoint  # noqa: PLC0415
        except ImportError as error:
            raise ModelError(str(error)) from None
        names = None if self.classes is None else read_class_names(self.classes)
        try:
            checkpoint = load_checkpoint(self.checkpoint, classes=names)
            check()
        except ModelError as error:
            raise ModelError(f"{error} (names from {self.classes})" if names is not None else str(error)) from None
        if self.licence is not None:
            checkpoint.card = replace(checkpoint.card, licence=self.licence)
        input_format = self._input_format(checkpoint.card.input)
        images = None
        if self.calibration is not None:
            images = images_of(self.calibration, input_format)
            if not self.quiet:
                say(f"heatprop: quantising by {len(images)} frames of {self.calibration}; this takes a minute")
        exported = export_checkpoint(
            checkpoint,
            self.output,
            input_format=input_format,
            calibration=images,
            half=self.half,
            overwrite=self.overwrite,
        )
        if not self.quiet:
            size = sum(path.stat().st_size for path in exported.paths)
            say(
                f"{self.output}: {exported.card.title}, input {input_format.longest_side} px in multiples of "
                f"{input_format.multiple}, {size / 1e6:.0f} MB; "
                f"heatmap within {exported.difference:.0e} of PyTorch's"
            )
        return 0

    def _input_format(self, published: InputFormat) -> InputFormat:
        """Return the published input with what was asked for."""
        longest_side = published.longest_side if self.input is None else self.input
        if self.multiple is not None:
            multiple = self.multiple
        else:
            is_square = published.multiple == published.longest_side
            multiple = longest_side if is_square else published.multiple
        if longest_side % multiple:
            raise InvalidConfigError(
                f"--input {longest_side} is no multiple of {multiple}; give --multiple 32 and a multiple of it"
            )
        return replace(published, longest_side=longest_side, multiple=multiple)


def images_of(source: str, input_format: InputFormat) -> list[ImageArray]:
    """Return up to 128 frames of a video, evenly spread where its length is known, as the network takes them.

    Each is uint8 ``(1, H, W, 3)`` RGB, letterboxed.

    Raises:
        SourceError: it cannot be opened, or no frame of it can be read.
    """
    images: list[ImageArray] = []
    with open_video(source) as video:
        step = max(1, (video.info.frame_count or 0) // _MAX_IMAGES)
        for number, frame in enumerate(video):
            check()
            if number % step == 0:
                height, width = frame.image.shape[:2]
                images.append(letterbox(frame.image, fit_letterbox(width, height, input_format))[None])
            if len(images) == _MAX_IMAGES:
                break
    if not images:
        raise SourceError(f"{source}: no frame in it can be read; give another video for the calibration")
    return images
