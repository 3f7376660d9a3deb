"""The page of `heatprop app` when its server is killed in the middle of a video, and started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from served_page import ServedApp, Visit, chromium, cut_out, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def test_a_video_cut_off_by_a_kill_is_there_again_and_goes_on(
    browser: Any, demo_clip: Path, tmp_path: Path
) -> None:
    killed = ServedApp(tmp_path / "runs")
    visit = Visit(browser, killed)
    page = visit.page
    page.fill("#source", str(demo_clip))
    page.click("#open-submit")
    visit.until("() => document.querySelector('#progress-bar').value > 20")
    killed.kill()
    page.wait_for_selector("#trouble:not([hidden])")
    assert "does not answer" in page.inner_text("#trouble")
    visit.close()

    with served(tmp_path / "runs") as again:
        visit = Visit(browser, again)
        page = visit.page
        page.click(".run")
        assert page.inner_text("#progress-title") == "Interrupted: heatprop app ended while it ran"
        page.click("#resume")
        visit.wait_until_shown(demo_clip.name)
        visit.go_to(20)
        assert page.locator("#in-frame .seen").count() + page.locator("#in-frame-empty:visible").count() > 0
        visit.close()
        assert visit.complaints == []


def test_a_run_that_is_done_is_shown_again_by_another_server(
    browser: Any, demo_clip: Path, tmp_path: Path
) -> None:
    clip = cut_out(demo_clip, tmp_path / "street.mp4", 30, 40)
    with served(tmp_path / "runs") as first:
        visit = Visit(browser, first)
        page = visit.page
        page.fill("#source", str(clip))
        page.fill("#classes", "person")
        page.click("#open-submit")
        visit.wait_until_shown(clip.name)
        page.click("#rename")
        page.fill("#new-name", "The street")
        page.click("#name-form button[type=submit]")
        visit.until("() => document.querySelector('#run-name').textContent === 'The street'")
        sentence = page.inner_text("#sentence")
        visit.close()
        assert visit.complaints == []
    with served(tmp_path / "runs") as second:
        visit = Visit(browser, second)
        visit.page.click(".run")
        visit.wait_until_shown("The street")
        assert visit.page.inner_text("#sentence") == sentence
        visit.close()
        assert visit.complaints == []
