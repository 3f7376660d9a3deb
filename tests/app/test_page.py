"""The page of `heatprop app` in a real browser: a clip dropped, watched, tuned, and taken away."""

from __future__ import annotations

import base64
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from served_page import ServedApp, Visit, chromium, cut_out, served
from small_videos import build_video, number_of

FIRST, FRAMES = 92, 60  # of the demo clip: here propagation recovers boxes and suppresses others


@pytest.fixture(scope="module")
def clip(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut_out(demo_clip, tmp_path_factory.mktemp("clip") / "street.mp4", FIRST, FRAMES)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApp]:
    with served(tmp_path_factory.mktemp("runs")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def street(browser: Any, app: ServedApp, clip: Path) -> Iterator[Visit]:
    """Return a tab in which the clip is shown."""
    visit = Visit(browser, app, permissions=["clipboard-read", "clipboard-write"])
    visit.open_file(clip)
    yield visit
    visit.close()
    assert visit.complaints == []
    assert visit.strangers == []


@pytest.fixture
def watched(street: Visit) -> Visit:
    """Return the tab as a reader finds it: default settings, both sides, the first frame."""
    page = street.page
    while page.locator("dialog[open]").count():
        page.keyboard.press("Escape")
    page.set_viewport_size({"width": 1280, "height": 900})
    if page.evaluate("document.querySelector('#defaults').disabled") is False:
        page.click("#defaults")
    page.check("#modes input[value=both]", force=True)
    page.check("#forms input[value=adaptive]", force=True)
    street.wait_until_worked_through()
    street.go_to(0)
    return street


def scores_shown(page: Any) -> list[str]:
    return page.locator("#in-frame .seen").evaluate_all("rows => rows.map(row => row.getAttribute('aria-label'))")


def set_slider(page: Any, name: str, value: float) -> None:
    page.locator(f"#set-{name}").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", value
    )


def busiest(visit: Visit) -> int:
    """Return the first frame that propagation changed."""
    visit.go_to(0)
    visit.page.keyboard.press("n")
    frame = int(visit.page.get_attribute("#strip", "aria-valuenow"))
    visit.wait_for_frame(frame)
    return frame


def test_a_sentence_says_what_propagation_does_to_the_video(watched: Visit) -> None:
    text = watched.page.inner_text("#sentence")
    found = re.fullmatch(
        r"Propagation recovered ([\d,]+) box(?:es)? that the network alone missed, in ([\d,]+) frames?, "
        r"and suppressed ([\d,]+) that it showed for a moment, in ([\d,]+) frames?\.",
        text,
    )
    assert found, text
    assert all(int(number) > 0 for number in found.groups())


def test_the_frame_says_what_was_recovered_in_it(watched: Visit) -> None:
    busiest(watched)
    assert re.match(r"In this frame: \d+ (recovered|suppressed)", watched.page.inner_text("#frame-sentence"))


def test_a_slider_gives_other_scores_without_running_the_network_again(watched: Visit) -> None:
    page = watched.page
    watched.go_to(30)
    before = scores_shown(page)
    assert before
    with page.expect_response(re.compile("/tune$")) as answer:
        set_slider(page, "alpha", 0.5)
    watched.wait_until_worked_through()
    watched.until(
        "before => [...document.querySelectorAll('#in-frame .seen')].map(row => row.ariaLabel).join() !== before",
        ",".join(before),
    )
    assert answer.value.ok
    assert scores_shown(page) != before
    page.click("#defaults")
    watched.wait_until_worked_through()
    watched.wait_for_frame(30)
    watched.until(
        "before => [...document.querySelectorAll('#in-frame .seen')].map(row => row.ariaLabel).join() === before",
        ",".join(before),
    )


def test_of_many_moves_of_a_slider_the_newest_wins_and_one_is_asked_at_a_time(watched: Visit) -> None:
    page = watched.page
    under_way, most, asked = set(), 0, []

    def begin(request: Any) -> None:
        nonlocal most
        if request.url.endswith("/tune"):
            under_way.add(request)
            asked.append(request.post_data_json["settings"]["alpha"])
            most = max(most, len(under_way))

    def finish(request: Any) -> None:
        under_way.discard(request)

    page.on("request", begin)
    page.on("requestfinished", finish)
    for step in range(40):
        set_slider(page, "alpha", round(0.1 + 0.02 * step, 2))
    while under_way or asked[-1:] != [0.88]:
        page.wait_for_timeout(20)
    page.remove_listener("request", begin)
    page.remove_listener("requestfinished", finish)
    assert most == 1
    assert len(asked) < 40


def test_propagation_off_shows_the_network_alone_on_both_sides(watched: Visit) -> None:
    page = watched.page
    page.check("#forms input[value=none]", force=True)
    watched.wait_until_worked_through()
    assert page.inner_text("#sentence") == "Propagation is off: both sides show the network alone."
    assert page.is_disabled("#set-alpha")
    assert not page.is_disabled("#set-score_threshold")


def test_the_wipe_follows_pointer_and_keyboard_and_the_picture_with_it(watched: Visit) -> None:
    page = watched.page
    busiest(watched)
    page.check("#modes input[value=wipe]", force=True)
    page.wait_for_selector("#wipe:not([hidden])")
    stage = page.locator("#stage").bounding_box()
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] * 0.9, stage["y"] + 40, steps=4)
    page.mouse.up()
    watched.until("() => document.querySelector('#wipe').ariaValueNow >= 85")
    alone = page.locator("#canvas").evaluate("canvas => canvas.toDataURL()")
    page.focus("#wipe")
    page.keyboard.press("Home")
    watched.until("() => document.querySelector('#wipe').ariaValueNow === '0'")
    page.wait_for_timeout(100)
    assert page.locator("#canvas").evaluate("canvas => canvas.toDataURL()") != alone
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#wipe", "aria-valuenow") == "5"


def test_a_click_on_a_box_shows_figure_4_and_a_click_there_seeks(watched: Visit) -> None:
    page = watched.page
    watched.go_to(30)
    page.check("#modes input[value=propagated]", force=True)
    run = page.evaluate("location.hash.slice(1)")
    frame = page.evaluate(
        "async run => (await (await fetch(`/api/runs/${run}/detections?from=30&to=31`)).json()).frames[0]", run
    )
    x1, y1, _, y2 = frame["boxes"][0]
    canvas = page.locator("#canvas").bounding_box()
    scale = canvas["height"] / 272
    left = canvas["x"] + (canvas["width"] - 640 * scale) / 2
    page.mouse.click(left + (x1 + 6) * scale, canvas["y"] + (y1 + y2) / 2 * scale)
    page.wait_for_selector("#figure-body:not([hidden])")
    said = r"\S.* \d+, from 0:.* to 0:.*: propagation shows it in \d+ frames?, the network alone in \d+\."
    assert re.fullmatch(said, page.inner_text("#figure-sentence"))
    paths = page.locator("#plot path.score")
    drawn = paths.evaluate_all("paths => paths.map(path => path.getAttribute('d').length)")
    assert len(drawn) == 2
    assert min(drawn) > 50
    page.locator("#plot").scroll_into_view_if_needed()
    plot = page.locator("#plot").bounding_box()
    page.mouse.click(plot["x"] + plot["width"] - 14, plot["y"] + 60)
    watched.until("() => document.querySelector('#strip').ariaValueNow > 30")


def test_an_object_is_chosen_from_the_list_without_a_pointer(watched: Visit) -> None:
    page = watched.page
    value = page.locator("#object option").nth(1).get_attribute("value")
    page.select_option("#object", value)
    page.wait_for_selector("#figure-body:not([hidden])")
    page.wait_for_selector("#in-frame .seen[aria-pressed=true]")


def test_the_strip_seeks_by_click_drag_and_keyboard(watched: Visit) -> None:
    page = watched.page
    page.locator("#strip").scroll_into_view_if_needed()
    strip = page.locator("#strip").bounding_box()
    page.mouse.move(strip["x"] + strip["width"] * 0.5, strip["y"] + 8)
    page.mouse.down()
    page.mouse.move(strip["x"] + strip["width"] * 0.7, strip["y"] + 8, steps=15)
    page.mouse.move(strip["x"] + strip["width"] - 1, strip["y"] + 8, steps=15)
    page.mouse.up()
    watched.wait_for_frame(FRAMES - 1)
    page.focus("#strip")
    page.keyboard.press("ArrowLeft")
    watched.wait_for_frame(FRAMES - 2)
    page.keyboard.press("Shift+ArrowLeft")
    watched.wait_for_frame(FRAMES - 27)


def test_it_plays_and_pauses_and_the_playhead_moves(watched: Visit) -> None:
    page = watched.page
    page.keyboard.press(" ")
    page.wait_for_selector("#play[aria-label=Pause]")
    watched.until("() => document.querySelector('#strip').ariaValueNow > 3")
    page.keyboard.press("k")
    page.wait_for_selector("#play[aria-label=Play]")
    here = int(page.get_attribute("#strip", "aria-valuenow"))
    page.keyboard.press("j")
    watched.until("here => Number(document.querySelector('#strip').ariaValueNow) < here", here)
    page.keyboard.press("k")


def test_keys_are_listed_and_change_the_mode(watched: Visit) -> None:
    page = watched.page
    page.keyboard.press("?")
    assert page.is_visible("#help-dialog")
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    assert page.is_checked("#modes input[value=wipe]")


def test_each_picture_is_the_frame_that_the_clock_names(browser: Any, app: ServedApp, tmp_path: Path) -> None:
    visit = Visit(browser, app)
    visit.open_file(build_video(tmp_path / "counted.mp4", 15, width=320, height=240))
    page = visit.page
    page.check("#modes input[value=alone]", force=True)
    for frame in (7, 3, 12, 0):
        visit.go_to(frame)
        page.wait_for_timeout(60)
        pixels = page.locator("#canvas").evaluate(
            """canvas => {
                const part = new OffscreenCanvas(8, 8).getContext('2d', { willReadFrequently: true });
                part.drawImage(canvas, canvas.width * .7, canvas.height * .6, 8, 8, 0, 0, 8, 8);
                return [...part.getImageData(0, 0, 8, 8).data];
            }"""
        )
        seen = np.array(pixels, np.uint8).reshape(8, 8, 4)[..., :3]
        assert number_of(seen) == frame
    said = "With these settings propagation shows the same boxes as the network alone."
    assert page.inner_text("#sentence") == said
    assert page.is_visible("#in-frame-empty")
    visit.close()
    assert visit.complaints == []


def test_a_hostile_name_is_text_and_a_real_drop_is_taken(browser: Any, app: ServedApp, clip: Path) -> None:
    name = '<img src=x onerror=document.title="owned">.mp4'
    visit = Visit(browser, app)
    page = visit.page
    page.evaluate(
        """([name, data]) => {
            const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type: "video/mp4" }));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const event = { dataTransfer: carried, bubbles: true, cancelable: true };
                document.body.dispatchEvent(new DragEvent(kind, event));
            }
        }""",
        [name, base64.b64encode(clip.read_bytes()).decode()],
    )
    visit.wait_until_shown(name)
    assert page.locator("#runs .run-label").first.inner_text() == name
    assert page.title() == f"{name} – heatprop"
    assert page.locator("main img[src=x], nav img").count() == 0
    page.click("#remove")
    assert name in page.inner_text("#remove-text")
    page.click("#remove-form button[value=remove]")
    page.wait_for_selector("#view-open:not([hidden])")
    assert name not in page.inner_text("#runs")
    visit.close()
    assert visit.complaints == []
    assert visit.strangers == []


def test_a_link_on_another_page_lets_in_who_has_the_token(browser: Any, app: ServedApp) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route(
        "http://other.example/", lambda route: route.fulfill(body="<a href=''>link</a>", content_type="text/html")
    )
    page.goto("http://other.example/")
    page.evaluate("address => document.querySelector('a').href = address", app.address)
    page.click("a")
    page.wait_for_selector("#model option", state="attached")
    assert page.url == f"{app.origin}/"
    context.close()


def test_errors_are_shown_where_they_arise_in_the_words_of_the_command_line(
    browser: Any, app: ServedApp, tmp_path: Path
) -> None:
    visit = Visit(browser, app)
    page = visit.page
    page.click("#open-submit")
    assert page.inner_text("#open-error") == "Drop a video, choose a file, or name a path, an address or a camera."
    missing = tmp_path / "missing.mp4"
    page.fill("#source", str(missing))
    page.click("#open-submit")
    page.wait_for_selector("#open-error:has-text('missing.mp4')")
    assert page.inner_text("#open-error") == f"{missing}: no such file; check the path"
    assert page.input_value("#source") == str(missing)
    visit.close()


def test_the_colours_of_classes_are_those_of_the_drawn_videos(street: Visit) -> None:
    from heatprop.drawing.pen import PALETTE

    palette = street.page.evaluate("async () => (await import('/colours.js')).PALETTE")
    assert [tuple(colour) for colour in palette] == list(PALETTE)


def test_detections_of_a_long_video_are_kept_in_constant_memory(street: Visit) -> None:
    kept, asked = street.page.evaluate(
        """async () => {
            const { DetectionChunks } = await import('/detections.js');
            let asked = 0;
            const ask = async (key, from, to) => {
                asked += 1;
                const frame = { boxes: [], scores: [], labels: [], ids: [] };
                return { from, to, frames: Array.from({ length: to - from }, () => frame) };
            };
            const chunks = new DetectionChunks(ask, () => {}, () => {});
            chunks.clear(100_000);
            let most = 0;
            for (let frame = 0; frame < 100_000; frame += 100) {
                chunks.frame("a", frame);
                chunks.frame("b", frame);
                await null;
                most = Math.max(most, chunks.size);
            }
            return [most, asked];
        }"""
    )
    assert kept == 16
    assert asked >= 2 * 100_000 // 256


def test_a_table_is_exported_and_holds_what_is_shown(watched: Visit, tmp_path: Path) -> None:
    page = watched.page
    page.click("#export-open")
    page.select_option("#export-format", "csv")
    with page.expect_download() as download:
        page.click("#export-start")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    page.keyboard.press("Escape")
    assert path.suffix == ".csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    frames = page.evaluate(
        """async frames => {
            const run = location.hash.slice(1);
            const { key } = await (await fetch(`/api/runs/${run}`)).json();
            const range = new URLSearchParams({ key, from: 0, to: frames });
            return (await (await fetch(`/api/runs/${run}/detections?${range}`)).json()).frames;
        }""",
        FRAMES,
    )
    assert len(rows) == sum(len(frame["boxes"]) for frame in frames) > FRAMES
    assert {row["class"] for row in rows} >= {"person", "car"}


def test_the_command_that_does_the_same_is_copied_with_a_click(watched: Visit) -> None:
    page = watched.page
    page.click("#export-open")
    watched.until("() => document.querySelector('#command-python').textContent !== ''")
    page.click("#copy-python")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.inner_text("#command-python")
    assert "heatprop" in copied
    page.click("#copy-shell")
    assert page.evaluate("navigator.clipboard.readText()").startswith("heatprop detect ")
    page.keyboard.press("Escape")


def test_nothing_scrolls_sideways_on_a_phone(watched: Visit) -> None:
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(150)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.click("#back")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="street.mp4").click()
    watched.wait_until_shown("street.mp4")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious(watched: Visit, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = watched.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.select_option("#object", index=1)
    page.wait_for_selector("#figure-body:not([hidden])")
    page.evaluate("document.querySelector('#adaptive').open = true")
    found = serious(axe.run(page))
    page.click("#export-open")
    watched.until("() => document.querySelector('#command-shell').textContent !== ''")
    found += serious(axe.run(page))
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    found += serious(axe.run(page))
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('#adaptive').open = false")
    page.click("#back" if width == 390 else "#open-new")
    page.evaluate("document.querySelector('.more').open = true")
    page.click("#open-submit")
    found += serious(axe.run(page))
    page.get_by_role("button", name="street.mp4").click()
    watched.wait_until_shown("street.mp4")
    page.emulate_media(color_scheme="light")
    assert found == []


def serious(results: Any) -> list[str]:
    assert results.response["passes"]
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for violation in results.response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
