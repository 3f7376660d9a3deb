"""Plots are SVG that stands in any page: in its ink, with ids of its own, the same each time."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from heatprop.lab.reproduction import page_plots
from heatprop.lab.reproduction.reported import ALPHAS, BETAS
from heatprop.lab.reproduction.vector_graphics import INK
from reproduction_report import HOSTILE, hostile, made_up_report, without_numbers


def every_plot(report):
    return {
        **{group: page_plots.speed_curves(report["curves"], group, "HP, P=2") for group in page_plots.GROUPS},
        "track": page_plots.score_track(report["track"]),
        "alpha": page_plots.sweep("alpha", "α", report["alpha"], ALPHAS, 0.3),
        "beta": page_plots.sweep("beta", "β", report["beta"], BETAS),
        "classes": page_plots.changes("classes", report["classes"]),
        "difficulties": page_plots.changes("difficulties", report["difficulties"]),
    }


@pytest.fixture(scope="module")
def drawn():
    return every_plot(made_up_report())


def text_of(svg):
    return [each.text for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}text")]


def test_each_is_xml_with_text_that_can_be_read_and_no_nan(drawn):
    for svg in drawn.values():
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert len(text_of(svg)) > 5
        assert not re.search(r"\bnan\b|\bNone\b", svg)


def test_it_has_no_ground_no_style_sheet_and_the_ink_of_its_page(drawn):
    for svg in drawn.values():
        assert "currentColor" in svg
        assert INK not in svg
        assert not re.search(r"#000000|#ffffff|<style|<metadata|font-family: '", svg)
        assert re.findall('https?://[^"]+', svg) == ["http://www.w3.org/2000/svg"]


def test_no_two_share_an_id_and_each_reference_is_met(drawn):
    ids = [name for svg in drawn.values() for name in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    referred = [name for svg in drawn.values() for name in re.findall(r'(?:href="|url\()#([^")]+)', svg)]
    assert referred
    assert set(referred) <= set(ids)


def test_the_same_report_gives_the_same_text(drawn):
    report = made_up_report()
    assert page_plots.speed_curves(report["curves"], "slow", "HP, P=2") == drawn["slow"]
    assert page_plots.score_track(report["track"]) == drawn["track"]


def test_figure_5_names_each_method_with_its_average_precision(drawn):
    methods = made_up_report()["curves"]["groups"]["slow"]
    assert {f"{each['method']}: AP {100 * each['ap']:.1f}" for each in methods} <= set(text_of(drawn["slow"]))


def test_figure_5_without_the_network_has_no_differences():
    curve = {"method": "HP", "ap": 0.5, "recall": [0.1, 0.5], "precision": [1.0, 0.8]}
    assert "points above" not in " ".join(text_of(page_plots.speed_curves({"groups": {"slow": [curve]}}, "slow")))


def test_figure_4_says_how_many_frames_drop_out(drawn):
    assert "the network drops out (6 frames)" in text_of(drawn["track"])


def test_sweeps_mark_the_default(drawn):
    assert text_of(drawn["alpha"])[:8] == ["0.5", "0.6", "0.7", "0.8", "0.9", "0.95", "0.98*", "1"]


def test_changes_are_sorted_with_the_best_on_top(drawn):
    shown = [
        line for line in text_of(drawn["classes"]) if re.search(r"[a-z] [+−]?\d+\.\d$", line.replace("  ", " "))
    ]
    values = [float(line.split()[-1].replace("−", "-")) for line in shown]
    assert len(values) == 30
    assert values == sorted(values)  # drawn from below


def test_nothing_to_draw_is_an_empty_text():
    assert set(every_plot(without_numbers(made_up_report())).values()) == {""}
    assert set(every_plot(without_numbers(made_up_report(), float("nan"))).values()) == {""}
    assert (
        page_plots.score_track(None)
        == page_plots.speed_curves({}, "slow")
        == page_plots.changes("classes", [])
        == ""
    )
    assert page_plots.sweep("alpha", "α", {}, ALPHAS) == ""


def test_names_cannot_become_markup_or_mathematics():
    svg = page_plots.speed_curves(hostile(made_up_report()["curves"]), "slow")
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    row = {"name": HOSTILE, "network": 0.5, "propagation": 0.6}
    assert "<script src=" in " ".join(text_of(page_plots.changes("classes", [row])))


def test_names_in_scripts_that_our_font_lacks_are_left_to_the_reader():
    row = {"name": "自転車", "network": 0.5, "propagation": 0.6}
    assert "自転車" in " ".join(text_of(page_plots.changes("classes", [row])))


def test_a_single_number_is_drawn():
    table = {"rows": [{"value": 0.98, "mAP": 0.5, "default": True}]}
    ElementTree.fromstring(page_plots.sweep("alpha", "α", table, ALPHAS, 0.3))
    ElementTree.fromstring(
        page_plots.score_track({"frames": [3], "network": [None], "propagation": [0.4], "dropouts": [3]})
    )
    ElementTree.fromstring(page_plots.changes("classes", [{"name": "one", "network": 0.5, "propagation": 0.5}]))
