"""`heatprop reproduce`: every table and figure of the paper, measured here, as one page."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import tyro

from heatprop.backends import BackendName, load_model
from heatprop.backends.base import usable_processors
from heatprop.cli.messages import error, say
from heatprop.cli.progress import StepProgress
from heatprop.errors import HeatpropError, InvalidConfigError, MissingPackageError, check_count
from heatprop.interrupts import Interrupted
from heatprop.io.claims import claim_folder
from heatprop.io.whole_files import write_json, write_text
from heatprop.lab.datasets import Layout
from heatprop.lab.reproduction.page import render_page
from heatprop.lab.reproduction.plan import Plan, Steps, quick_plan
from heatprop.lab.reproduction.report import make_report
from heatprop.zoo import Model

DEFAULT_MODEL = "synthvid"

_NEEDED = {"lxml": "lxml", "zarr": "zarr", "matplotlib": "matplotlib", "jinja2": "Jinja2"}


@dataclass(frozen=True, slots=True)
class Reproduce:
    """Measure every table and figure of the paper and write them on one page, OUT/index.html.
    $ heatprop reproduce -o report
    $ heatprop reproduce -o report --quick
    $ heatprop reproduce -o report --dataset imagenet-vid --root ILSVRC2015 --model r101.onnx

    Without --root it makes videos of its own, in OUT/work, as `heatprop synthesize` does. A stopped report goes on
    where it was; when it is done, OUT/work may be deleted. OUT/report.json has every number.
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")]
    """Folder for the report."""
    model: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME|PATH ...")] = (DEFAULT_MODEL,)
    """Embedded models, or paths of some with cards. Table 1 has each; all else rests on the first."""
    dataset: Layout = "imagenet-vid"
    """How the files of --root are laid out."""
    root: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of a dataset, of coco-video also its JSON file; default: synthetic videos."""
    split: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Of the dataset; default: val, and test of the synthetic videos."""
    quick: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """A small report on 16 short synthetic videos; it says so on the page."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = Plan.seed
    """Of the synthetic videos."""
    backend: BackendName = "auto"
    """What runs the network; auto takes the fastest installed."""
    jobs: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Parallel processes; default: one for each processor."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar and no notes; errors are still said."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad.
        """
        plan = self._plan()
        jobs = usable_processors() if self.jobs is None else self.jobs
        check_count("--jobs", jobs, 1)
        for module, package in _NEEDED.items():
            if importlib.util.find_spec(module) is None:
                raise MissingPackageError(f"reproduce needs {package}; pip install 'heatprop[evaluate]'")
        models = [load_model(name) for name in self.model]
        cv2.setNumThreads(1)  # images are made and read side by side
        with claim_folder(self.output):
            return self._report(plan, models, jobs)

    def _report(self, plan: Plan, models: Sequence[Model], jobs: int) -> int:
        try:
            with StepProgress(quiet=self.quiet) as progress:
                steps = Steps(progress.begin, progress.advance)
                report, images = make_report(
                    plan, models, self.output, self._command(plan), backend=self.backend, jobs=jobs, steps=steps
                )
                write_json(self.output / "report.json", report)
                write_text(self.output / "index.html", render_page(report, images))
        except Interrupted as interrupted:
            if not self.quiet:
                say("heatprop: interrupted; what is finished is kept: run the same command to go on")
            return interrupted.exit_code
        except (HeatpropError, OSError) as problem:
            error(problem)
            return 1 if (self.output / "work").exists() else 2
        for note in report["notes"] if not self.quiet else ():
            say(f"heatprop: note: {note}")
        sys.stdout.write(f"{self.output / 'index.html'}\n")
        return 0

    def _plan(self) -> Plan:
        if not self.model:
            raise InvalidConfigError("--model is empty; give a name or path")
        if self.root is None:
            if self.dataset != "imagenet-vid":
                raise InvalidConfigError(f"--dataset {self.dataset} needs --root, the folder of the dataset")
            if self.split is not None:
                raise InvalidConfigError("--split needs --root; synthetic videos are those of the split test")
            return quick_plan(self.seed) if self.quick else Plan(seed=self.seed)
        if self.quick:
            raise InvalidConfigError("--quick is a report on synthetic videos; remove --root")
        return Plan(layout=self.dataset, root=self.root, split=self.split or "val", seed=self.seed)

    def _command(self, plan: Plan) -> str:
        """Return the command line that makes this report again."""
        words = ["heatprop", "reproduce", "-o", str(self.output)]
        if self.model != (DEFAULT_MODEL,):
            words += ["--model", *self.model]
        if self.root is not None:
            words += ["--dataset", self.dataset, "--root", str(self.root), "--split", plan.split]
        if self.quick:
            words.append("--quick")
        if self.root is None and self.seed != Plan.seed:
            words += ["--seed", str(self.seed)]
        return shlex.join(words)
