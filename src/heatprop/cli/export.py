"""`heatprop export`: a checkpoint as one file that runs fast without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from heatprop.cli.messages import say
from heatprop.errors import ModelError


@dataclass(frozen=True, slots=True)
class Export:
    """Write a CenterNet checkpoint as one file that `heatprop detect` runs without PyTorch.
    $ heatprop export ctdet_coco_resdcn18.pth -o model.onnx
    $ heatprop export ctdet_coco_resdcn18.pth -o model.xml --multiple 32

    Published checkpoints are recognised by their tensors; nothing in the file is executed.
    """

    checkpoint: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CHECKPOINT")]
    """File of CenterNet's authors (.pth), or one that heatprop saved."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="MODEL.onnx|MODEL.xml", help_behavior_hint="")]
    """ONNX, for ONNX Runtime; or OpenVINO (.xml, with the weights in a .bin beside it), the faster."""
    input: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Scale the longer side of a picture to this; left out: as published, 512."""
    multiple: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Pad sides to multiples of this: 32 leaves little padding and is faster; left out: as published, a square."""
    classes: Annotated[Path | None, tyro.conf.arg(metavar="NAMES.txt", help_behavior_hint="")] = None
    """Names of the classes, one a line, where the checkpoint does not say."""
    licence: Annotated[str | None, tyro.conf.arg(metavar="SPDX", help_behavior_hint="")] = None
    """Licence of the weights, where the checkpoint does not say."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace files that exist."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No summary; errors are still said."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad; nothing was written.
        """
        try:
            # A second or two that no other command shall wait for.
            from heatprop.networks.checkpoints import load_checkpoint  # noqa: PLC0415
            from heatprop.networks.export import check_ending, export_checkpoint  # noqa: PLC0415
        except ImportError as error:
            raise ModelError(str(error)) from None
        check_ending(self.output)
        checkpoint = load_checkpoint(self.checkpoint, classes=self._class_names())
        if self.licence is not None:
            checkpoint.card = replace(checkpoint.card, licence=self.licence)
        rule = checkpoint.card.input
        longest_side = rule.longest_side if self.input is None else self.input
        square = rule.multiple == rule.longest_side
        multiple = self.multiple if self.multiple is not None else longest_side if square else rule.multiple
        exported = export_checkpoint(
            checkpoint,
            self.output,
            input_format=replace(rule, longest_side=longest_side, multiple=multiple),
            overwrite=self.overwrite,
        )
        if not self.quiet:
            size = sum(path.stat().st_size for path in exported.paths)
            say(
                f"{self.output}: {exported.card.title}, input {longest_side} px in multiples of {multiple}, "
                f"{size / 1e6:.0f} MB; heatmap within {exported.difference:.0e} of PyTorch's"
            )
        return 0

    def _class_names(self) -> list[str] | None:
        if self.classes is None:
            return None
        try:
            lines = self.classes.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{self.classes} cannot be read ({error}); give a text file of names") from None
        return [line.strip() for line in lines if line.strip()]
