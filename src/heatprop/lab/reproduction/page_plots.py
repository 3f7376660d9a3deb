"""The report's plots as SVG text; each is empty where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heatprop.lab.reproduction.shown import difference, known, mapping, percent, plain, rows, signed
from heatprop.lab.reproduction.vector_graphics import (
    BLUE,
    GREEN,
    INK,
    PURPLE,
    VERMILLION,
    as_svg,
    drawing,
    label,
    new_figure,
    prepare,
)

BASELINE = "network alone"
GROUPS = ("slow", "medium", "fast", "overall")

_WIDTH = 400
_OTHERS = ((PURPLE, (0, (5, 1.5))), (VERMILLION, (0, (6, 1.5, 1, 1.5))), (GREEN, (0, (3, 1))), (PURPLE, "-."))


def speed_curves(curves: Mapping[str, Any], group: str, default: str | None = None) -> str:
    """Return precision over recall of one group of objects, as figure 5 has it, and the difference to the network.

    Args:
        curves: the report's part of that name.
        group: "slow", "medium", "fast" or "overall".
        default: the method to stand out; the first propagation where it is None or absent.
    """
    drawn = [
        (str(curve.get("method", "?")), *_curve(curve), known(curve.get("ap")))
        for curve in rows(mapping(curves.get("groups")).get(group))
    ]
    drawn = [curve for curve in drawn if len(curve[1])]
    if not drawn:
        return ""
    names = [name for name, *_ in drawn]
    styles = _styles(names, default if default in names else next((n for n in names if n.startswith("HP")), None))
    base = next((curve for curve in drawn if curve[0] == BASELINE and len(curve[1]) > 1), None)
    with drawing():
        has_difference = base is not None and len(drawn) > 1
        figure = new_figure(_WIDTH, 380 if has_difference else 260)
        above, below = (
            figure.subplots(2, 1, sharex=True, height_ratios=[2.5, 1]) if has_difference else (None, None)
        )
        panel = above or figure.subplots()
        for name, recall, precision, average in drawn:
            text = f"{label(name)}: AP {percent(average)}"
            panel.plot(recall, precision, label=text, **styles[name])
        prepare(panel)
        panel.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="precision")
        panel.legend(loc="lower left", handlelength=2.6, labelspacing=0.25)
        if below is not None and base is not None:
            for name, recall, precision, _ in drawn:
                if name != BASELINE and len(recall) > 1:
                    at = np.linspace(max(recall[0], base[1][0], 0.02), min(recall[-1], base[1][-1]), 120)
                    gain = 100 * (np.interp(at, recall, precision) - np.interp(at, base[1], base[2]))
                    below.plot(at, gain, **styles[name])
            below.axhline(0, **styles[BASELINE])
            below.set_ylabel("points above\nthe network")
            prepare(below)
            below.set_xlim(0, 1)
        (below or panel).set_xlabel("recall")
        return as_svg(figure, f"speed-{group}", f"Precision over recall, {group} objects: {', '.join(names)}")


def score_track(track: Mapping[str, Any] | None) -> str:
    """Return the scores of one object over its frames, as figure 4 has it, with the drop-outs as bands."""
    track = mapping(track)
    frames = [known(frame) for frame in track.get("frames") or []]
    curves = {
        name: _numbers(track.get(key))[: len(frames)]
        for name, key in ((BASELINE, "network"), ("HP", "propagation"))
    }
    at = _numbers(frames)
    if not len(at) or all(np.isnan(curve).all() for curve in curves.values()):
        return ""
    dropouts = sorted(frame for frame in map(known, track.get("dropouts") or []) if frame is not None)
    threshold = known(track.get("threshold"))
    with drawing():
        figure = new_figure(680, 270)
        panel = figure.subplots()
        styles = _styles(list(curves), "HP")
        for name, scores in curves.items():
            # With dots: a score that has none on either side would be a line of one point, which is not seen.
            panel.plot(at[: len(scores)], scores, label=name, marker=".", markersize=3, **styles[name])
        for number, (first, last) in enumerate(_runs(dropouts)):
            text = None if number else f"the network drops out ({len(dropouts)} frames)"
            panel.axvspan(first - 0.5, last + 0.5, color=INK, alpha=0.13, linewidth=0, label=text)
        if threshold is not None:
            panel.axhline(
                threshold, color=INK, linewidth=0.8, linestyle=":", label=f"threshold {plain(threshold)}"
            )
        prepare(panel)
        panel.set(ylim=(0, 1.02), xlabel="frame", ylabel="score")
        panel.locator_params(axis="x", integer=True)
        figure.legend(loc="outside upper left", ncols=4, handlelength=1.8, columnspacing=1.4)
        return as_svg(
            figure, "track", f"Scores of one object over {len(at)} frames, network alone and propagation"
        )


def sweep(
    name: str, symbol: str, table: Mapping[str, Any], paper: Mapping[float, float], too_close: float | None = None
) -> str:
    """Return mAP over one setting as points above the default, ours beside the paper's.

    Args:
        name: of the setting, "radius", "alpha" or "beta".
        symbol: how the paper writes it.
        table: the report's part of that name.
        paper: mAP in % by value.
        too_close: how many points cannot be told from none; drawn as a band.
    """
    measured = sorted(
        ((value, row) for row in rows(table.get("rows")) if (value := known(row.get("value"))) is not None),
        key=lambda each: each[0],
    )
    base = next(((value, row.get("mAP")) for value, row in measured if row.get("default")), None)
    if base is None or known(base[1]) is None:
        return ""
    default = base[0]
    ours = {value: difference(row.get("mAP"), base[1]) for value, row in measured}
    theirs = {
        value: paper[value] - paper[default] if value in paper and default in paper else None for value in ours
    }
    places = range(len(ours))
    with drawing():
        figure = new_figure(_WIDTH, 250)
        panel = figure.subplots()
        if too_close:
            panel.axhspan(-too_close, too_close, color=INK, alpha=0.08, linewidth=0)
        panel.axhline(0, color=INK, linewidth=0.8)
        panel.plot(
            places, _numbers(theirs.values()), "s--", color=INK, markersize=4, linewidth=1.1, label="the paper"
        )
        panel.plot(places, _numbers(ours.values()), "o-", color=BLUE, markersize=5, linewidth=2, label="here")
        panel.set_xticks(places, [plain(value) + ("*" if value == default else "") for value in ours])
        prepare(panel)
        panel.set(xlabel=f"{symbol} (* default)", ylabel="mAP, points above default")
        figure.legend(loc="outside upper center", ncols=2)
        return as_svg(
            figure, f"sweep-{name}", f"mAP over {symbol}, as difference to the default, here and in the paper"
        )


def changes(name: str, table: Sequence[Mapping[str, Any]]) -> str:
    """Return bars of what propagation changes in AP, the best on top, for classes or difficulties.

    Args:
        name: "classes" or "difficulties".
        table: the report's part of that name.
    """
    found = [
        (change, difference(row.get("propagation+seq_nms"), row.get("network")), row)
        for row in table
        if (change := difference(row.get("propagation"), row.get("network"))) is not None
    ]
    if not found:
        return ""
    found.sort(key=lambda each: (each[0], str(each[2].get("name"))))
    places = np.arange(len(found))
    gains = np.array([change for change, *_ in found])
    with drawing():
        figure = new_figure(_WIDTH, 84 + 17 * len(found))
        panel = figure.subplots()
        colours = [BLUE if gain >= 0 else VERMILLION for gain in gains]
        panel.barh(places, gains, height=0.66, color=colours)
        both = [(place, value) for place, (_, value, _) in enumerate(found) if value is not None]
        panel.plot(
            [value for _, value in both], [place for place, _ in both], "D",
            markersize=4, markerfacecolor="none", markeredgecolor=INK, label="HP + Seq-NMS",
        )  # fmt: skip
        panel.set_yticks(places, [f"{label(row.get('name'), 20)}  {signed(gain)}" for gain, _, row in found])
        panel.tick_params(axis="y", length=0)
        panel.set_xlim(*_span([*gains, *(value for _, value in both), 0.0]))
        panel.set_ylim(-0.7, len(found) - 0.3)
        prepare(panel, across=False)
        panel.axvline(0, color=INK, linewidth=0.8)
        panel.set_xlabel("AP, points above the network alone\nbar and number: HP; diamond: HP + Seq-NMS")
        return as_svg(figure, f"changes-{name}", f"What propagation changes in AP for {len(found)} {name}")


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis that holds all values, and never less than a tenth of a point."""
    low, high = min(values), max(values)
    room = 0.05 * max(high - low, 0.1)
    return low - room, high + room


def _styles(names: Sequence[str], default: str | None) -> dict[str, dict[str, Any]]:
    """Return a line for each method: the network in ink, the default thick, others with dashes."""
    styles: dict[str, dict[str, Any]] = {BASELINE: {"color": INK, "linewidth": 1.1}}
    styles["interpolation"] = {"color": INK, "linewidth": 1.3, "linestyle": (0, (1, 1.2))}
    left = [name for name in names if name not in styles and name != default]
    for number, name in enumerate(left):
        colour, line = _OTHERS[number % len(_OTHERS)]
        styles[name] = {"color": colour, "linewidth": 1.3, "linestyle": line}
    if default is not None:
        styles[default] = {"color": BLUE, "linewidth": 2.0}
    return styles


def _curve(curve: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and precision where both are known, recall ascending."""
    recall, precision = _numbers(curve.get("recall")), _numbers(curve.get("precision"))
    most = min(len(recall), len(precision))
    recall, precision = recall[:most], precision[:most]
    there = ~(np.isnan(recall) | np.isnan(precision))
    order = np.argsort(recall[there], kind="stable")
    return recall[there][order], precision[there][order]


def _numbers(values: Any) -> np.ndarray:
    """Return numbers for a plot, NaN for what does not exist."""
    return np.array([np.nan if (number := known(value)) is None else number for value in values or []])


def _runs(numbers: Sequence[float]) -> list[tuple[float, float]]:
    """Return the first and last of each run of numbers that follow each other."""
    found: list[tuple[float, float]] = []
    for number in numbers:
        if found and number - found[-1][1] <= 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
