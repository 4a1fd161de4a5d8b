"""`make screenshots`: the pictures of docs/images, of a SIMULATED cluster; drawn anew when the pages look different."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser import chromium, filled

IMAGES = Path(__file__).parents[2] / "docs/images"
LARGEST = 150_000
WIDE = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
PHONE = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 1, "is_mobile": True, "locale": "zh-CN"}

PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "dashboard-overview": ("#/", WIDE),
    "dashboard-cards-dark": ("#/cards?state=shared", {**WIDE, "color_scheme": "dark"}),
    "dashboard-waiting": ("#/workloads/research/too-large", WIDE),
    "dashboard-workload": ("#/workloads/research/inference-0", WIDE),
    "dashboard-plan": ("#/plan", WIDE),
    "dashboard-phone-zh": ("#/", PHONE),
}
"""Name of the picture to the place that it shows, and how it is looked at."""


def main() -> int:
    """Draw them all; 1 where one is too large for a page that people read on the way."""
    if not chromium.installed():
        print("there is no Chromium: apt-get install chromium, or name the program in HETERO_CHROMIUM", file=sys.stderr)
        return 2
    IMAGES.mkdir(exist_ok=True)
    with (
        filled.cluster() as cluster,
        tempfile.TemporaryDirectory() as directory,
        filled.shown(cluster, Path(directory)) as made,
        chromium.browser() as browser,
    ):
        sizes = {name: _draw(browser, made.url, name, *how) for name, how in PICTURES.items()}
    for name, size in sizes.items():
        print(f"{name}.png  {size / 1000:.0f} kB{'  TOO LARGE' if size > LARGEST else ''}")
    return int(max(sizes.values()) > LARGEST)


def _draw(browser: Browser, url: str, name: str, place: str, how: dict[str, Any]) -> int:
    context = browser.new_context(**how)
    try:
        page = context.new_page()
        page.goto(f"{url}{place}")
        page.wait_for_selector(".page")
        if place == "#/plan":
            _plan(page)
        file = IMAGES / f"{name}.png"
        page.screenshot(path=file)
        return file.stat().st_size
    finally:
        context.close()


def _plan(page: Page) -> None:
    """Ask something, so that there is something to see."""
    page.get_by_role("button", name="Hygon").click()
    page.get_by_role("button", name="Where would it go?").click()
    page.locator(".planned").wait_for()


if __name__ == "__main__":
    sys.exit(main())
