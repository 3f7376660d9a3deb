"""Take the pictures of `heatprop app` for README and guide: the real page, in a browser without a window.

python tools/picture_of_the_page.py [docs/images]

Needs Chromium and the extra `dev`. The demo clip is worked through once, which takes half a minute.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from demo import find_clip
from PIL import Image
from playwright.sync_api import sync_playwright

from heatprop.app.serving import AppServer

FRAME = 171  # two cars pass behind a bicycle and a fence: the network alone has neither
OBJECT = "car 32"
EXACT = 24  # colours of a picture that stay as they are: grounds and inks
LIKE_OTHERS = 116  # lively colours, and as many that are nearly grey; more are not seen, and cost room
LIVELY = 60  # between the channels of a colour that is not nearly grey
NAMES = ("chromium", "chromium-browser", "google-chrome")


def main(target: Path) -> None:
    """Write app.png, app-score.png and app-phone.png into `target`."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        sys.exit(f"no browser: none of {', '.join(NAMES)} is installed")
    with tempfile.TemporaryDirectory() as folder, AppServer(Path(folder), max_upload=1) as server:
        server.library.begin({"source": str(find_clip())})
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme="light")
            page.goto(server.address)
            page.click(".run")
            page.wait_for_selector("#tuning-text:has-text('All')", timeout=600_000)
            page.wait_for_selector("#sentence:has-text('recovered')", timeout=60_000)
            _go_to(page, FRAME)
            page.select_option("#object", label=page.locator(f"#object option:has-text('{OBJECT} ')").inner_text())
            page.wait_for_selector("#figure-body:not([hidden])")
            _go_to(page, FRAME)
            _save(page.screenshot(), target / "app.png")
            _save(page.locator(".figure").screenshot(), target / "app-score.png")
            page.set_viewport_size({"width": 390, "height": 844})
            page.evaluate("scrollTo(0, 0)")
            page.click("#modes label:has(input[value=wipe])")
            page.wait_for_timeout(500)
            _save(page.screenshot(), target / "app-phone.png")
            browser.close()


def _go_to(page: Any, frame: int) -> None:
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Home")
    for _ in range(frame):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"#canvas[aria-label^='Frame {frame}.']")
    page.wait_for_timeout(500)


def _save(png: bytes, path: Path) -> None:
    """Write a picture with few colours; those of the page have as many of them as those of the video."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    colours, counts = np.unique(np.asarray(image).reshape(-1, 3), axis=0, return_counts=True)
    lively = np.ptp(colours.astype(int), axis=1) > LIVELY
    palette = [
        colours[np.argsort(-counts)[:EXACT]],
        *(_palette(colours[part], counts[part]) for part in (lively, ~lively)),
    ]
    of_both = Image.new("P", (1, 1))
    of_both.putpalette(np.concatenate(palette).astype(np.uint8).tobytes())
    image.quantize(palette=of_both, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _palette(colours: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the colours that stand for others, of which rare ones count for more than their share."""
    pixels = np.repeat(colours, np.ceil(np.sqrt(counts)).astype(int), axis=0)[None].astype(np.uint8)
    return np.array(Image.fromarray(pixels).quantize(LIKE_OTHERS).getpalette()).reshape(-1, 3)[:LIKE_OTHERS]


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
