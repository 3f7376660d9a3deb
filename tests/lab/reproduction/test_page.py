"""The page needs nothing else, builds with what there is, and says what is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from lxml import etree, html

from heatprop.lab.reproduction import reported
from heatprop.lab.reproduction.page import render_page
from reproduction_report import HOSTILE, hostile, image_names, made_up_report, without_numbers

JPEG = b"\xff\xd8\xff\xe0 not a real one"
VOID = {"meta", "img", "br", "wbr", "link", "input"}
BLOCKS = {"td", "th", "p", "li", "h1", "h2", "h3", "dt", "dd", "figcaption", "text"}
LOADS = ("src", "href", "data", "action", "poster", "srcset", "xlink:href")


class Reader(HTMLParser):
    """Reads a page strictly: each element that opens must close, in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.loads, self.text, self.ids, self.tags = [], [], [], [], set()
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.handle_attributes(attributes)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)
        self.handle_attributes(attributes)

    def handle_attributes(self, attributes):
        assert not [name for name, _ in attributes if name.startswith("on")]
        self.loads += [value for name, value in attributes if name in LOADS]
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in BLOCKS:
            self.text.append(" ")

    def handle_data(self, text):
        self.text.append(text)

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def check(page):
    """Check what holds for every page, and return what it says."""
    reader = Reader(page)
    assert all(load.startswith(("#", "data:image/")) for load in reader.loads)
    assert not re.search(r"url\((?!#)|@import", page)
    assert not reader.tags & {"script", "iframe", "object", "link", "base"}
    assert len(reader.ids) == len(set(reader.ids))
    assert {load[1:] for load in reader.loads if load.startswith("#")} <= set(reader.ids)
    assert not re.search(r"\b(None|nan|NaN|Undefined|inf)\b", reader.words)
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        etree.fromstring(svg)
    return reader.words


# Without what takes long to draw.
PLAIN = made_up_report() | {"curves": {"frames": 10}, "track": None, "classes": [], "difficulties": []}
PLAIN |= {name: {"frames": 10, "rows": [{"value": 2, "mAP": 0.4}]} for name in ("radius", "alpha", "beta")}


@pytest.fixture(scope="module")
def page():
    report = made_up_report()
    return render_page(report, dict.fromkeys(image_names(report), JPEG))


def test_it_needs_nothing_else(page):
    check(page)
    assert set(re.findall(r"https?://[^\s\"<]*", page)) == {"http://www.w3.org/2000/svg"}
    assert page.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert len(re.findall('src="data:image/jpeg;base64,', page)) == len(image_names(made_up_report()))


def test_the_same_report_gives_the_same_page():
    report = PLAIN | {"classes": made_up_report()["classes"][:3]}
    assert render_page(report, {}) == render_page(report, {})


def test_it_says_what_it_rests_on(page):
    words = check(page)
    for said in (
        "90 videos, 5,400 frames, 14,212 objects, 13,874 pairs",
        "heatprop reproduce -o report",
        "heatprop synthesize OUT --split test --videos 90 --frames 60 --seed 0",
        "25 November 2026, 10:00 UTC",
        "A processor at 2.5 GHz, 2 processors",
        "numpy 2.4.0",
        "timed on 200 frames",
        "Every row rests on 5,400 frames",
    ):
        assert said in words


def test_its_parts_stand_in_order(page):
    titles = [each.text_content() for each in html.fromstring(page).iter("h2")]
    assert [title.split(":")[0] for title in titles] == [
        "Table 1", "Table 2", "Tables 4 and 5", "Table 3 and figure 5", "Figure 3", "Figure 4",
        "The examples of section 5.3", "Each class", "Each difficulty",
        "What changed most, for better and for worse", "What is missing", "Make this page again",
    ]  # fmt: skip
    assert page.count("<svg") == 10


def test_other_methods_are_marked_as_reported_with_their_source(page):
    words = check(page)
    after = words[words.index("As reported, not measured here") :]
    for other in reported.OTHERS:
        assert f"{other.name} {other.mean_average_precision} {other.runtime_ms}" in after
        assert other.source in after


def test_failures_are_shown(page):
    words = check(page)
    after = words[words.index("What changed most, for better and for worse", words.index("Each difficulty")) :]
    assert "For worse: fox −6.1 points (703 objects)" in after
    assert after.index("Ghosts") < after.index("test_0003") < after.index("Lost") < after.index("test_0004")


def test_quick_is_said():
    assert "Quick report." in check(render_page(PLAIN | {"quick": True}, {}))
    assert "Quick report." not in check(render_page(PLAIN, {}))


def test_an_empty_report_is_a_page_of_sentences():
    words = check(render_page({}, {}))
    for said in (
        "No model was measured", "cannot be said", "Table 2 was not measured", "Table 3 was not measured",
        "No trend of tables 2, 4 and 5 could be compared", "No scene of this kind was found",
        "There is no object to show", "No class has objects", "does not say which frames are difficult",
        "They were not computed", "No curve",
        "does not say by which command",
    ):  # fmt: skip
        assert said in words


@pytest.mark.parametrize("name", sorted(made_up_report()))
@pytest.mark.parametrize("nothing", [None, [], {}, ""])
def test_any_part_may_be_null_or_empty(name, nothing):
    check(render_page(PLAIN | {name: nothing}, {}))


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_zero_detections_leave_every_number_out(nothing):
    words = check(render_page(without_numbers(made_up_report(), nothing), {}))
    assert "the network alone has no mAP here" in words
    assert "no trend can be compared" in words
    assert "No class has a change of AP that is known" in words
    assert "The object that was chosen has no score in any frame" in words


def test_one_class_is_said():
    words = check(render_page(PLAIN | {"classes": made_up_report()["classes"][:1]}, {}))
    assert "Only one class has objects" in words


def test_images_that_are_missing_or_none_are_said():
    report = made_up_report()
    images = dict.fromkeys(image_names(report), JPEG)
    del images["scene-1-1-network.jpg"]
    images["scene-1-1-propagation.jpg"] = b"<svg onload=alert(1)>"
    words = check(render_page(PLAIN, images))
    assert words.count("The image of network alone is missing") == 1
    assert words.count("The image of HP is missing") == 1


def test_names_cannot_become_markup():
    report = made_up_report()
    report = hostile(PLAIN | {"track": report["track"], "classes": report["classes"][:1]})
    report |= {"command": HOSTILE, "notes": [HOSTILE], "packages": {HOSTILE: HOSTILE}, "made": HOSTILE}
    page = render_page(report, dict.fromkeys(image_names(report), JPEG))
    assert "<script" in check(page)  # as text
    assert "\x00" not in page


def test_without_its_packages_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['{0}'] = None\n"
        "from heatprop.lab.reproduction.page import render_page\n"
        "try: render_page({{}}, {{}})\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    run = subprocess.run([sys.executable, "-c", code.format("jinja2")], capture_output=True, text=True, check=True)
    assert run.stdout == "MissingPackageError the page needs jinja2; pip install 'heatprop[evaluate]'\n"
