"""Precision over recall, drawn: a panel for each class, and a curve for each speed of objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from heatprop.errors import InvalidConfigError, MissingPackageError, OutputError
from heatprop.io.outputs import OutputFile
from heatprop.lab.evaluation.metrics.average_precision import PrecisionRecall
from heatprop.lab.evaluation.metrics.class_agnostic import ClassAgnosticResult
from heatprop.lab.evaluation.metrics.official import NAME, OfficialResult
from heatprop.lab.evaluation.results import EvaluationReport
from heatprop.lab.evaluation.tables import percent_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".pdf", ".png")
_MAX_POINTS = 400
_COLUMNS = 6
# Told apart by colour-blind eyes, and by their lines in print.
_STYLES = {
    "slow": ("#0072B2", "-"),
    "medium": ("#E69F00", "--"),
    "fast": ("#D55E00", "-."),
    "overall": ("#000000", ":"),
}


class PlotFiles:
    """The files ``classes`` and ``motion`` in a folder, claimed before any work is done.

    Args:
        folder: where to; made where it is missing.
        suffix: ".svg" or ".pdf", which are vectors, or ".png".
        overwrite: whether plots that exist may be replaced.

    Raises:
        InvalidConfigError: `suffix` is another.
        MissingPackageError: matplotlib is not installed.
        OutputError: a plot exists and is not to be overwritten, or cannot be written there.
    """

    def __init__(self, folder: str | Path, *, suffix: str = ".svg", overwrite: bool = False) -> None:
        if suffix not in SUFFIXES:
            raise InvalidConfigError(f"suffix {suffix!r} is unknown; choose one of {', '.join(SUFFIXES)}")
        _new_figure(1, 1)
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder} cannot be made ({error.strerror}); choose another folder") from None
        self._outputs: list[OutputFile] = []
        with self:
            for name in ("classes", "motion"):
                self._outputs.append(OutputFile(folder / f"{name}{suffix}", overwrite=overwrite))

    def write(self, report: EvaluationReport) -> list[Path]:
        """Draw a report and return the paths of both plots.

        Raises:
            InvalidConfigError: the report lacks the official metric.
            OutputError: a plot cannot be written.
        """
        if report.official is None or report.class_agnostic is None:
            raise InvalidConfigError("plots show the official metric, which was not computed; add it")
        with self:
            figures = (class_figure(report.official), motion_figure(report.class_agnostic))
            for figure, output in zip(figures, self._outputs, strict=True):
                _save(figure, output)
        return [output.path for output in self._outputs]

    def discard(self) -> None:
        """Leave nothing behind but what was written whole."""
        for output in self._outputs:
            output.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.discard()


def class_figure(result: OfficialResult) -> Figure:
    """Return a small panel for each class that has objects."""
    known = [number for number, curve in enumerate(result.curves) if curve.positives]
    columns = min(_COLUMNS, max(len(known), 1))
    rows = max(-(-len(known) // columns), 1)
    figure = _new_figure(1.0 + 1.7 * columns, 0.9 + 1.7 * rows)
    figure.suptitle(f"{NAME}: mAP {percent_text(result.mean_average_precision)} %", fontsize=10)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for panel, number in zip(panels.flat, known, strict=False):
        curve = result.curves[number]
        _prepare(panel)
        panel.fill_between(*_thinned(curve, curve.envelope), color="#0072B2", alpha=0.15, linewidth=0, step="pre")
        panel.plot(*_thinned(curve, curve.precision), color="#0072B2", linewidth=1)
        panel.set_title(f"{result.classes[number]}  {percent_text(curve.average_precision)}", fontsize=7)
    for panel in panels.flat[len(known) :]:
        panel.set_axis_off()
        above = panels.flat[max(list(panels.flat).index(panel) - columns, 0)]
        above.tick_params(labelbottom=True)
    figure.supxlabel("recall", fontsize=8)
    figure.supylabel("precision", fontsize=8)
    return figure


def motion_figure(result: ClassAgnosticResult) -> Figure:
    """Return a curve for each speed, all classes together, as figure 5 of the paper has them."""
    figure = _new_figure(5.0, 4.2)
    panel = figure.subplots()
    _prepare(panel)
    for group in result.groups:
        colour, line = _STYLES[group.name]
        average = percent_text(group.curve.average_precision)
        label = f"{group.name} ({group.curve.positives} pairs): AP {average}"
        panel.plot(*_thinned(group.curve, group.curve.precision), line, color=colour, linewidth=1.3, label=label)
    panel.set_title("All classes together, by displacement between two frames", fontsize=9)
    panel.set_xlabel("recall", fontsize=8)
    panel.set_ylabel("precision", fontsize=8)
    panel.legend(fontsize=7, loc="lower left", frameon=False)
    return figure


def _new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; sides in inches. It belongs to no global state."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 (optional, and slow to import)
    except ImportError:
        raise MissingPackageError("plots need matplotlib; pip install 'heatprop[evaluate]'") from None
    return Figure(figsize=(width, height), layout="constrained")


def _prepare(panel: Axes) -> None:
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1.02)
    panel.grid(color="#dddddd", linewidth=0.5)
    panel.tick_params(labelsize=6, length=2)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _thinned(curve: PrecisionRecall, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and a height at no more points than an image can show, from recall 0 on."""
    if not len(height):
        return np.empty(0), np.empty(0)
    at = curve.spread(_MAX_POINTS)
    return np.concatenate([[0.0], curve.recall[at]]), np.concatenate([height[:1], height[at]])


def _save(figure: Figure, output: OutputFile) -> None:
    import matplotlib as mpl  # noqa: PLC0415 (there, as the figure is)

    kind = output.path.suffix[1:]
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)  # the same report, the same bytes
    with output, mpl.rc_context({"svg.hashsalt": "heatprop"}):
        figure.savefig(output.partial, format=kind, dpi=160, metadata=stamp)
