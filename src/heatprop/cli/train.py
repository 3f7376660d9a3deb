"""`heatprop train`: a network for your own classes, or the paper's."""

from __future__ import annotations

import importlib.util
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from heatprop.cli.messages import error, say
from heatprop.cli.training_progress import TrainingProgress
from heatprop.errors import HeatpropError, InvalidConfigError
from heatprop.interrupts import Interrupted, expect, pending

if TYPE_CHECKING:
    from heatprop.lab.training.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Train:
    """Train a CenterNet on an annotated dataset, as a TOML file says.
    $ heatprop train --config experiments/imagenet-vid-r101.toml -o runs/r101
    $ heatprop train --config own.toml --set optimiser.learning_rate=1e-4 -o runs/own
    $ torchrun --nproc-per-node 2 -m heatprop.cli train --config own.toml -o runs/own

    The same command goes on with a run that was stopped, whatever stopped it. What comes out is a model:
    $ heatprop detect street.mp4 --model runs/own/best.pt
    """

    config: Annotated[Path, tyro.conf.arg(metavar="FILE.toml")]
    """What to train, on what, and how."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="RUN_DIR")]
    """Folder of the run; one that was stopped there goes on."""
    set: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(metavar="SECTION.KEY=VALUE", help_behavior_hint=""),
    ] = ()
    """Change a key of the file; may be given several times."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress and no notes; errors are still said."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad; nothing was trained.
        """
        for package in ("torch", "torchvision"):
            if importlib.util.find_spec(package) is None:
                raise InvalidConfigError(f"training needs {package}; run pip install 'heatprop[train]'")
        from heatprop.lab.training.config_files import read_config  # noqa: PLC0415 - loads PyTorch

        config = read_config(self.config, self.set)
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            expect(2)  # torchrun passes on what the terminal has sent already
        try:
            return self._train(config)
        except Interrupted as interrupted:
            self._say_interrupted()
            return interrupted.exit_code

    def _train(self, config: TrainingConfig) -> int:
        from heatprop.lab.training.ranks import joined_ranks  # noqa: PLC0415
        from heatprop.lab.training.run_opening import choose_device, open_run  # noqa: PLC0415
        from heatprop.lab.training.training_folder import TrainingFolder  # noqa: PLC0415

        with ExitStack() as opened:
            ranks = opened.enter_context(joined_ranks(choose_device(config.run.device)))
            folder = opened.enter_context(TrainingFolder(self.output)) if ranks.is_first else None
            progress = opened.enter_context(TrainingProgress(quiet=self.quiet or not ranks.is_first))
            run = open_run(config, self.output, folder, ranks, progress)
            try:
                finished = run.train(lambda: pending() is not None)
            except (HeatpropError, OSError) as problem:
                error(problem)
                return 1
        interrupted = pending()
        if finished or interrupted is None:
            return 0
        self._say_interrupted()
        return interrupted.exit_code

    def _say_interrupted(self) -> None:
        if not self.quiet:
            say("heatprop: interrupted; what is done is kept: run the same command to go on")
