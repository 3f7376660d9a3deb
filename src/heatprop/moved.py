"""Modules that moved: their old names still import them, with a warning that says where they are now."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # of `typing`; with `sys` alone nothing is loaded that the interpreter has not loaded itself
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType

# Old name -> new name, of a module or of a package with all that is in it; the longest that fits counts.
MOVED = {
    "heatprop.datasets": "heatprop.lab.datasets",
    "heatprop.datasets.columns": "heatprop.lab.datasets.annotations",
    "heatprop.datasets.imagenet_checks": "heatprop.lab.datasets.checking",
    "heatprop.datasets.inside": "heatprop.lab.datasets.annotations",
    "heatprop.datasets.joining": "heatprop.lab.datasets.annotations",
    "heatprop.datasets.opening": "heatprop.lab.datasets",
    "heatprop.detector": "heatprop.runtime.detector",
    "heatprop.evaluation": "heatprop.lab.evaluation",
    "heatprop.evaluation.detection_files.official_text": "heatprop.lab.evaluation.detection_files.raw",
    "heatprop.evaluation.metrics.false_alarms": "heatprop.lab.evaluation.metrics.matching",
    "heatprop.evaluation.metrics.motion": "heatprop.lab.evaluation.metrics.object_motion",
    "heatprop.evaluation.plots": "heatprop.lab.evaluation.curve_plots",
    "heatprop.evaluation.runs.run_folder": "heatprop.lab.evaluation.runs.evaluation_folder",
    "heatprop.evaluation.runs.run_results": "heatprop.lab.evaluation.runs.evaluation_folder",
    "heatprop.filling": "heatprop.offline.filling",
    "heatprop.io.pictures": "heatprop.io.image_files",
    "heatprop.keyframes": "heatprop.runtime.keyframes",
    "heatprop.lab.datasets.report": "heatprop.lab.datasets.dataset_report",
    "heatprop.lab.evaluation.runs.sparse_outputs": "heatprop.runtime.kept_outputs",
    "heatprop.lab.reproduction.paper": "heatprop.lab.reproduction.reported",
    "heatprop.lab.reproduction.scenes": "heatprop.lab.reproduction.chosen_scenes",
    "heatprop.lab.reproduction.tables": "heatprop.lab.reproduction.page_tables",
    "heatprop.lab.synthesis.report": "heatprop.lab.synthesis.split_report",
    "heatprop.lab.training.opening": "heatprop.lab.training.run_opening",
    "heatprop.motion": "heatprop.runtime.motion",
    "heatprop.multi_stream": "heatprop.runtime.multi_stream",
    "heatprop.networks": "heatprop.lab.networks",
    "heatprop.networks.agreement": "heatprop.lab.networks.deployed",
    "heatprop.networks.quantisation": "heatprop.lab.networks.openvino_file",
    "heatprop.peaks": "heatprop.heatmaps",
    "heatprop.pipeline": "heatprop.runtime.pipeline",
    "heatprop.reproduction": "heatprop.lab.reproduction",
    "heatprop.reproduction.origin": "heatprop.lab.reproduction.report",
    "heatprop.reproduction.outputs": "heatprop.lab.reproduction.model_outputs",
    "heatprop.reproduction.pictures": "heatprop.lab.reproduction.figures",
    "heatprop.reproduction.plots": "heatprop.lab.reproduction.page_plots",
    "heatprop.reproduction.steps": "heatprop.lab.reproduction.plan",
    "heatprop.seqbbox": "heatprop.offline.seqbbox",
    "heatprop.seqnms": "heatprop.offline.seqnms",
    "heatprop.shots": "heatprop.runtime.shots",
    "heatprop.synthesis": "heatprop.lab.synthesis",
    "heatprop.synthesis.backgrounds": "heatprop.lab.synthesis.scenery",
    "heatprop.synthesis.motion": "heatprop.lab.synthesis.trajectories",
    "heatprop.synthesis.props": "heatprop.lab.synthesis.scenery",
    "heatprop.training": "heatprop.lab.training",
    "heatprop.training.reports": "heatprop.lab.training.learning",
    "heatprop.training.run_folder": "heatprop.lab.training.training_folder",
    "heatprop.training.targets": "heatprop.lab.training.batch",
}

_IMPORTING = (__name__, "importlib", "importlib._bootstrap", "_frozen_importlib")


def new_name(name: str) -> str | None:
    """Return where the module `name` is now, or None if it has not moved.

    Example:
        >>> new_name("heatprop.datasets.coco_video"), new_name("heatprop.datasets_of_mine")
        ('heatprop.lab.datasets.coco_video', None)
        >>> new_name("heatprop.reproduction.paper")  # it has moved twice
        'heatprop.lab.reproduction.reported'
    """
    old = name
    while old and old not in MOVED:
        old = old.rpartition(".")[0]
    if not old:
        return None
    new = MOVED[old] + name[len(old) :]
    return new_name(new) or new


class _Loader:
    """Gives the module of the new name for the old one."""

    def __init__(self, now: ModuleSpec) -> None:
        self._now = now

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _warn(f"{spec.name} is now {self._now.name}: import it from there")
        from importlib import import_module  # noqa: PLC0415

        module = import_module(self._now.name)
        self._now = module.__spec__ or self._now
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._now  # the import system has put the old name's there


class _Finder:
    """Finds modules by their old names; stands first, or a submodule would be loaded again under its old name."""

    @staticmethod
    def find_spec(
        name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith("heatprop.") or (new := new_name(name)) is None:
            return None
        from importlib.machinery import ModuleSpec  # noqa: PLC0415
        from importlib.util import find_spec  # noqa: PLC0415

        if (now := find_spec(new)) is None:
            return None
        found = ModuleSpec(name, _Loader(now), origin=now.origin)  # type: ignore[arg-type]
        found.submodule_search_locations = now.submodule_search_locations
        return found


def _warn(message: str) -> None:
    """Warn of what the nearest frame does that is not of the import system."""
    import warnings  # noqa: PLC0415

    frame: FrameType | None = sys._getframe(1)
    while frame and frame.f_globals.get("__name__") in _IMPORTING:
        frame = frame.f_back
    if frame:
        place = (frame.f_code.co_filename, frame.f_lineno, frame.f_globals.get("__name__"))
        registry = frame.f_globals.setdefault("__warningregistry__", {})
        warnings.warn_explicit(message, DeprecationWarning, *place, registry)


def install() -> None:
    """Let old names be found in this process."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
