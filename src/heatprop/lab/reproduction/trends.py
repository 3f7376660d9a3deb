"""Whether the trends of tables 2, 4 and 5 are the paper's, in sentences, by rules that are stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, TypeAlias

from heatprop.lab.reproduction.shown import decimals, known, percent, plain, rows, signed

Verdict: TypeAlias = Literal["agrees", "differs", "too close", "note"]

_LEAST = 0.3
_SAME = 0.005  # points; the same as they are shown

RULES = (
    "The paper and this report are compared over the settings that both have. Differences of mAP here below "
    "{points} points count as none: 0.3, or 30 divided by the square root of the number of frames where that is "
    "more; in the paper, below 0.3. This is a rule of thumb, not a test: frames of one video resemble each other, "
    "so that the truth is less certain."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A trend of the paper and whether it is here too.

    Attributes:
        text: a sentence or two.
        verdict: "agrees", "differs", "too close" where the numbers cannot tell, "note" where nothing is compared.
    """

    text: str
    verdict: Verdict


def too_close(frames: object) -> float:
    """Return the difference of mAP, in points, below which settings are not told apart; see `RULES`.

    >>> too_close(10_000), too_close(900), too_close(None)
    (0.3, 1.0, 0.3)
    """
    number = known(frames)
    return _LEAST if not number or number < 0 else max(_LEAST, 30 / sqrt(number))


def rules(frames: object) -> str:
    """Return the rules of comparison for a report on so many frames."""
    return RULES.format(points=decimals(too_close(frames), 2))


def sweep_claims(symbol: str, table: Mapping[str, Any], paper: Mapping[float, float]) -> list[Claim]:
    """Compare the shape of table 2, 4 or 5 with the paper's.

    Args:
        symbol: how the setting is written.
        table: the report's part: frames, and rows of value and mAP.
        paper: mAP in % by value.

    Rules: where all values lie closer together than `too_close`, nothing is compared. Else the best value is the
    same, or not worse than ours by that much; mAP falls from the best to both ends by that much; the same end
    loses more; and alpha = 1, where both have it, falls from the value before.
    """
    close = too_close(table.get("frames"))
    ours = {
        value: 100 * share
        for row in rows(table.get("rows"))
        if (value := known(row.get("value"))) is not None
        and value in paper
        and (share := known(row.get("mAP"))) is not None
    }
    values = sorted(ours)
    if len(values) < 3:
        return [Claim(f"Fewer than three values of {symbol} have an mAP here: no trend can be compared.", "note")]
    theirs = {value: paper[value] for value in values}
    spread = max(ours.values()) - min(ours.values())
    if spread < close:
        text = f"mAP hardly changes with {symbol}: all lie within {decimals(spread, 2)} points, too close to tell"
        fall = max(theirs.values()) - min(theirs.values())
        return [
            Claim(f"{text}; in the paper within {decimals(fall)}, the best at {plain(_top(theirs))}.", "too close")
        ]
    claims = [_best(symbol, ours, theirs, close), _both_sides(symbol, ours, theirs, close)]
    claims.append(_ends(symbol, ours, theirs, close))
    if symbol == "α" and values[-1] == 1:
        claims.append(_last_falls(ours, theirs, close))
    return claims


def _best(symbol: str, ours: Mapping[float, float], theirs: Mapping[float, float], close: float) -> Claim:
    here, there = _top(ours), _top(theirs)
    if here == there or ours[here] - ours[there] < _SAME:
        return Claim(f"The best {symbol} is {plain(there)}, as in the paper.", "agrees")
    gap = ours[here] - ours[there]
    text = f"The best {symbol} here is {plain(here)}, the paper's is {plain(there)}, "
    if gap < close:
        return Claim(f"{text}but they lie {decimals(gap, 2)} points apart: too close to tell.", "too close")
    return Claim(f"{text}which is {decimals(gap)} points worse here.", "differs")


def _top(line: Mapping[float, float]) -> float:
    return max(line, key=lambda value: line[value])


def _both_sides(symbol: str, ours: Mapping[float, float], theirs: Mapping[float, float], close: float) -> Claim:
    verdicts = []
    for line, least in ((ours, close), (theirs, _LEAST)):
        best, first, last = max(line.values()), min(line), max(line)
        verdicts.append((best - line[first] >= least, best - line[last] >= least))
    (left, right), paper_sides = verdicts
    if not left and not right:
        text = f"From the best {symbol} to the ends mAP falls by less than {decimals(close, 2)} points: too close"
        return Claim(f"{text} to tell; in the paper it {_sides(*paper_sides)}.", "too close")
    says = f"mAP {_sides(left, right)}"
    if (left, right) == paper_sides:
        return Claim(f"{says}, as in the paper.", "agrees")
    return Claim(f"{says}; in the paper it {_sides(*paper_sides)}.", "differs")


def _sides(left: bool, right: bool) -> str:
    if left and right:
        return "falls to both sides of the best value"
    if left or right:
        return f"falls only towards the {'smallest' if left else 'largest'} value"
    return "hardly changes"


def _ends(symbol: str, ours: Mapping[float, float], theirs: Mapping[float, float], close: float) -> Claim:
    first, last = min(ours), max(ours)
    here = [max(ours.values()) - ours[end] for end in (first, last)]
    there = [max(theirs.values()) - theirs[end] for end in (first, last)]
    text = (
        f"{symbol} = {plain(first)} loses {decimals(here[0])} points to the best (paper {decimals(there[0])}), "
        f"{symbol} = {plain(last)} loses {decimals(here[1])} (paper {decimals(there[1])})"
    )
    gap, paper_gap = here[0] - here[1], there[0] - there[1]
    if abs(gap) < close or abs(paper_gap) < _LEAST:
        return Claim(f"{text}: which end loses more is too close to tell.", "too close")
    more = f"the {'smallest' if gap > 0 else 'largest'} value loses more"
    if gap * paper_gap > 0:
        return Claim(f"{text}: {more}, as in the paper.", "agrees")
    return Claim(f"{text}: {more}, in the paper the other end does.", "differs")


def _last_falls(ours: Mapping[float, float], theirs: Mapping[float, float], close: float) -> Claim:
    before, last = sorted(ours)[-2:]
    fall, paper_fall = ours[before] - ours[last], theirs[before] - theirs[last]
    text = f"From α = {plain(before)} to 1 mAP changes by {signed(-fall)} points (paper {signed(-paper_fall)})"
    if abs(fall) < close:
        return Claim(f"{text}: too close to tell whether equation 5 alone is worse here.", "too close")
    if fall > 0:
        return Claim(f"{text}: equation 5 alone is worse, as in the paper.", "agrees")
    return Claim(f"{text}: equation 5 alone is not worse here.", "differs")


def uncovered_claim(
    table: Mapping[str, Any], paper: Mapping[float, float], paper_map: Mapping[float, float]
) -> Claim:
    """Say how fast the objects of table 2 are beside the paper's: pairs that the default radius does not cover."""
    default = max(paper_map, key=lambda value: paper_map[value])
    share = next((row.get("uncovered") for row in rows(table.get("rows")) if row.get("value") == default), None)
    if known(share) is None:
        return Claim("How many pairs of objects a radius leaves uncovered is not known here.", "note")
    here, there = percent(share), decimals(paper.get(default))
    faster = (
        "as fast as"
        if here == there
        else "faster than"
        if 100 * float(share or 0) > paper[default]
        else "slower than"
    )
    return Claim(
        f"P = {plain(default)} leaves {here} % of the pairs uncovered, in the paper {there} %: "
        f"measured so, objects here are {faster} those of ImageNet VID.",
        "note",
    )


def agreement_sentence(claims: Sequence[Claim]) -> str:
    """Count how many trends of tables 2, 4 and 5 agree with the paper's."""
    compared = [claim.verdict for claim in claims if claim.verdict != "note"]
    if not compared:
        return "No trend of tables 2, 4 and 5 could be compared with the paper's."
    agree, differ, close = (compared.count(verdict) for verdict in ("agrees", "differs", "too close"))
    return (
        f"Of {len(compared)} trends of the paper's tables 2, 4 and 5 compared below, {agree} "
        f"{'agrees' if agree == 1 else 'agree'}, {differ} {'differs' if differ == 1 else 'differ'} and {close} "
        f"{'is' if close == 1 else 'are'} too close to tell."
    )
