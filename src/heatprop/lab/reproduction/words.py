"""What tables 1 and 3 and figure 4 say, in sentences, beside what the paper's say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heatprop.lab.reproduction.reported import OTHERS, SPEEDS
from heatprop.lab.reproduction.shown import (
    decimals,
    difference,
    known,
    listed,
    mapping,
    percent,
    plain,
    rows,
    signed,
    whole,
)


def paper_gains() -> dict[str, float]:
    """Return the paper's gains in table 1, in points: HP, Seq-NMS, both, interpolation."""
    shares = {each.name: [float(part) for part in each.mean_average_precision.split("/")] for each in OTHERS}
    base, rescored = shares["CenterNet/+Seq-NMS"]
    propagated, both = shares["CenterNet+HP/+Seq-NMS"]
    interpolated = shares["CenterNet+interpolation/+Seq-NMS"][0]
    values = {"HP": propagated, "Seq-NMS": rescored, "both": both, "interpolation": interpolated}
    return {name: round(value - base, 2) for name, value in values.items()}


def gains_sentence(model: Mapping[str, Any]) -> str:
    """Say what HP, Seq-NMS and both gain in table 1, beside the paper."""
    table = {(row.get("method"), bool(row.get("seq_nms"))): row for row in rows(model.get("rows"))}
    base = mapping(table.get(("network alone", False))).get("mAP")
    if known(base) is None:
        return "What propagation gains cannot be said: the network alone has no mAP here."
    there = paper_gains()
    places = {"HP": ("HP", False), "Seq-NMS": ("network alone", True), "both": ("HP", True)}
    said = []
    for name, place in places.items():
        gain = difference(mapping(table.get(place)).get("mAP"), base)
        change = "an unknown number of" if gain is None else signed(gain)
        said.append(f"{name} by {change} points (paper {signed(there[name])})")
    return (
        f"The network alone has {percent(base)} % mAP on {whole(model.get('frames'))} frames; "
        f"mAP changes with {listed(said)}."
    )


def cost_sentence(model: Mapping[str, Any]) -> str:
    """Say what a frame costs with and without propagation."""
    times = {row.get("method"): row for row in rows(model.get("rows")) if not row.get("seq_nms")}
    network, propagated = (known(mapping(times.get(name)).get("milliseconds")) for name in ("network alone", "HP"))
    if network is None or propagated is None:
        return "What propagation costs in time was not measured."
    rate = mapping(times.get("HP")).get("fps")
    speed = f", {decimals(rate, 0)} frames a second" if known(rate) is not None else ""
    return (
        f"A frame takes {decimals(network)} ms with the network alone, {decimals(propagated)} ms with HP{speed}; "
        f"the paper reports 21 and 27 ms on a graphics card."
    )


def speed_sentences(table: Mapping[str, Any]) -> list[str]:
    """Say for each recall of table 3 where propagation leaves fewer false positives, beside the paper."""
    said = []
    measured = rows(table.get("rows"))
    for recall in sorted(
        {value for row in measured if (value := known(row.get("recall"))) is not None}, reverse=True
    ):
        fewer: list[str] = []
        more: list[str] = []
        equal: list[str] = []
        unknown: list[str] = []
        for row in measured:
            if row.get("recall") == recall:
                counts = [
                    known(mapping(row.get(name)).get("false_positives")) for name in ("network", "propagation")
                ]
                if counts[0] is None or counts[1] is None:
                    unknown.append(str(row.get("group")))
                else:
                    there = fewer if counts[1] < counts[0] else more if counts[1] > counts[0] else equal
                    there.append(str(row.get("group")))
        parts = [f"fewer false positives for {listed(fewer)}"] if fewer else []
        parts += [f"more for {listed(more)}"] if more else []
        parts += [f"as many for {listed(equal)}"] if equal else []
        text = f"At {percent(recall, 0)} % recall propagation leaves {listed(parts)}" if parts else ""
        if unknown:
            tail = f"{listed(unknown)} {'does' if len(unknown) == 1 else 'do'} not reach it with both"
            text = (
                f"{text}; {tail}" if text else f"At {percent(recall, 0)} % recall nothing can be compared: {tail}"
            )
        paper = SPEEDS.get(recall)
        fell = bool(paper) and all(
            each.false_positives[1] < each.false_positives[0] for each in (paper or {}).values()
        )
        said.append(f"{text} (paper: fewer for all)." if fell else f"{text}.")
    return said


def track_sentence(track: Mapping[str, Any]) -> str:
    """Say how many drop-outs of figure 4's object propagation bridges."""
    frames, scores = track.get("frames") or [], track.get("propagation") or []
    dropouts, threshold = set(track.get("dropouts") or []), known(track.get("threshold")) or 0.0
    kept = sum(
        (known(score) or 0.0) > 0 and (known(score) or 0.0) >= threshold
        for frame, score in zip(frames, scores, strict=False)
        if frame in dropouts
    )
    if not dropouts:
        return f"The network does not drop out in these {whole(len(frames))} frames."
    return (
        f"The network alone does not find the object with {plain(threshold)} or more in {whole(len(dropouts))} of "
        f"{whole(len(frames))} frames; HP keeps the object in {whole(kept)} of them."
    )
