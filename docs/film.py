"""A page that plays a training back -> an animated WebP of it, played in headless Chromium.

It needs Debian's `chromium`, and the packages of requirements-dev.txt.
"""

import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

SIZE = {"width": 1200, "height": 800}
SMALLER = (930, 620)  # pixels of the film
FRAMES = 50  # of the training, evenly spread
MILLISECONDS = 120  # of a frame
LAST = 3000  # of the last frame
QUALITY = 45


def film(page: Path, target: Path) -> None:
    """Save what the page shows from the first step to the last."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport=SIZE, color_scheme="light")
        tab.goto(f"file://{page}#step=0")
        tab.wait_for_selector(".token.chosen")
        tab.evaluate("document.getElementById('stories').scrollIntoView()")
        last = int(tab.get_attribute("#slider", "max") or 0)
        frames = [frame_of(tab, round(last * at / (FRAMES - 1))) for at in range(FRAMES)]
        browser.close()
    first, *others = frames
    times = [MILLISECONDS] * len(others) + [LAST]
    options: dict[str, Any] = {"quality": QUALITY, "method": 4}
    first.save(target, save_all=True, append_images=others, duration=times, loop=0, **options)


def frame_of(tab: Any, place: int) -> Image.Image:
    """A picture of the page at one probe."""
    tab.evaluate(
        """place => {
            const slider = document.getElementById("slider");
            slider.value = place;
            slider.dispatchEvent(new Event("input"));
        }""",
        place,
    )
    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    return picture.resize(SMALLER, Image.Resampling.LANCZOS)
