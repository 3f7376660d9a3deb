"""Trends are compared with the paper's by rules, and what cannot be told is said so."""

from __future__ import annotations

import pytest

from heatprop.lab.reproduction import reported
from heatprop.lab.reproduction.trends import Claim, agreement_sentence, sweep_claims, too_close, uncovered_claim
from heatprop.lab.reproduction.words import (
    cost_sentence,
    gains_sentence,
    paper_gains,
    speed_sentences,
    track_sentence,
)
from reproduction_report import made_up_report, without_numbers


def table(percents, frames=100_000):
    return {"frames": frames, "rows": [{"value": value, "mAP": each / 100} for value, each in percents.items()]}


def verdicts(claims):
    return [claim.verdict for claim in claims]


@pytest.mark.parametrize(
    ("symbol", "theirs"), [("P", reported.RADII), ("α", reported.ALPHAS), ("β", reported.BETAS)]
)
def test_the_paper_agrees_with_itself(symbol, theirs):
    claims = sweep_claims(symbol, table(theirs), theirs)
    assert set(verdicts(claims)) == {"agrees"}
    assert len(claims) == (4 if symbol == "α" else 3)


def test_few_frames_cannot_tell():
    (claim,) = sweep_claims("P", table(reported.RADII, frames=200), reported.RADII)
    assert claim.verdict == "too close"
    assert "all lie within 1.70 points" in claim.text
    assert too_close(200) == pytest.approx(2.12, abs=0.01)


def test_a_curve_that_rises_all_the_way_differs():
    claims = sweep_claims("α", table({0.5: 40.0, 0.9: 42.0, 0.98: 43.0, 1.0: 44.0}), reported.ALPHAS)
    assert verdicts(claims) == ["differs", "differs", "agrees", "differs"]
    assert claims[0].text == "The best α here is 1, the paper's is 0.98, which is 1.0 points worse here."
    assert claims[1].text.startswith(
        "mAP falls only towards the smallest value; in the paper it falls to both sides"
    )
    assert (
        claims[3].text
        == "From α = 0.98 to 1 mAP changes by +1.0 points (paper −1.4): equation 5 alone is not worse here."
    )


def test_another_best_value_that_is_as_good_is_too_close():
    claims = sweep_claims("P", table({0: 40.0, 1: 44.0, 2: 43.9, 5: 41.0}), reported.RADII)
    assert claims[0] == Claim(
        "The best P here is 1, the paper's is 2, but they lie 0.10 points apart: too close to tell.", "too close"
    )


def test_the_other_end_that_loses_more_differs():
    claims = sweep_claims("P", table({0: 43.0, 2: 44.0, 5: 41.0}), reported.RADII)
    assert claims[2].verdict == "differs"
    assert "P = 0 loses 1.0 points to the best (paper 1.7), P = 5 loses 3.0 (paper 1.2)" in claims[2].text


def test_only_settings_that_the_paper_has_are_compared():
    claims = sweep_claims("P", table({0: 43.0, 2: 44.0, 5: 41.0, 9: 60.0}), reported.RADII)
    assert claims[0].verdict == "agrees"


@pytest.mark.parametrize(
    "rows", [{}, table({}), table({1: 40.0, 2: 41.0}), without_numbers(table(reported.RADII))]
)
def test_too_few_numbers_are_said(rows):
    assert sweep_claims("P", rows, reported.RADII) == [
        Claim("Fewer than three values of P have an mAP here: no trend can be compared.", "note")
    ]


@pytest.mark.parametrize(("share", "word"), [(0.1, "faster than"), (0.01, "slower than"), (0.037, "as fast as")])
def test_uncovered_pairs_say_how_fast_objects_are(share, word):
    rows = {"rows": [{"value": 2, "uncovered": share}]}
    assert word in uncovered_claim(rows, reported.UNCOVERED, reported.RADII).text


def test_uncovered_pairs_that_are_unknown_are_said():
    assert "not known" in uncovered_claim({}, reported.UNCOVERED, reported.RADII).text


def test_the_paper_gains_what_its_table_1_says():
    assert paper_gains() == {"HP": 3.1, "Seq-NMS": 2.3, "both": 4.8, "interpolation": 0.0}


def test_table_1_in_a_sentence():
    assert gains_sentence(made_up_report()["models"][0]) == (
        "The network alone has 41.0 % mAP on 5,400 frames; mAP changes with HP by +2.7 points (paper +3.1), "
        "Seq-NMS by +1.9 points (paper +2.3) and both by +4.6 points (paper +4.8)."
    )
    assert cost_sentence(made_up_report()["models"][0]) == (
        "A frame takes 7.7 ms with the network alone, 8.5 ms with HP, 117 frames a second; "
        "the paper reports 21 and 27 ms on a graphics card."
    )


@pytest.mark.parametrize("model", [{}, without_numbers(made_up_report()["models"][0])])
def test_table_1_without_numbers(model):
    assert "cannot be said" in gains_sentence(model)
    assert "not measured" in cost_sentence(model)


def test_agreement_is_counted():
    claims = [Claim("", "agrees"), Claim("", "differs"), Claim("", "note")]
    assert agreement_sentence(claims) == (
        "Of 2 trends of the paper's tables 2, 4 and 5 compared below, 1 agrees, 1 differs and "
        "0 are too close to tell."
    )
    assert "could be compared" in agreement_sentence(claims[2:])


def test_table_3_in_sentences():
    assert speed_sentences(made_up_report()["speed"]) == [
        "At 75 % recall propagation leaves fewer false positives for slow, medium and overall; "
        "fast does not reach it with both (paper: fewer for all).",
        "At 65 % recall propagation leaves fewer false positives for slow, medium, fast and overall "
        "(paper: fewer for all).",
    ]


def test_table_3_where_propagation_is_worse_or_unknown():
    def row(network, propagation):
        return {
            "recall": 0.5,
            "group": "slow",
            "network": {"false_positives": network},
            "propagation": {"false_positives": propagation},
        }

    assert speed_sentences({"rows": [row(1, 2)]}) == ["At 50 % recall propagation leaves more for slow."]
    assert speed_sentences({"rows": [row(2, 2)]}) == ["At 50 % recall propagation leaves as many for slow."]
    assert speed_sentences({"rows": [row(None, 2)]}) == [
        "At 50 % recall nothing can be compared: slow does not reach it with both."
    ]
    assert speed_sentences({}) == []


def test_drop_outs_that_are_bridged_are_counted():
    assert track_sentence(made_up_report()["track"]) == (
        "The network alone does not find the object with 0.05 or more in 6 of 60 frames; "
        "HP keeps the object in 5 of them."
    )
    assert "does not drop out in these 2 frames" in track_sentence({"frames": [0, 1], "propagation": [0.1, 0.2]})
