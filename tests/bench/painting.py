"""How soon the first page is seen: a cold browser, `hetero dashboard`, five thousand nodes. SIMULATED nodes, real time.

The browser, the dashboard and the API server share the machine's cores; `make bench-dashboard` runs them alone.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.bench.figures import Figure
from tests.browser import chromium, large, stage

LOADS = 5
SEEN = "[data-figure='cluster.nodes']"

_WATCH = """(selector) => {
    const look = () => {
        if (!document.querySelector(selector)) return requestAnimationFrame(look);
        // What was found in one frame has been painted when the next one begins.
        requestAnimationFrame(() => { globalThis.seen = performance.now(); });
    };
    requestAnimationFrame(look);
}"""
_FIRST = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"


def figures() -> list[Figure]:
    """The median of some cold loads; without Chromium nothing is measured, and nothing is claimed."""
    if not chromium.find():
        print("no Chromium here: the first paint is not measured; apt-get install chromium")
        return []
    with stage.stage() as cluster, tempfile.TemporaryDirectory() as directory:
        large.fill(cluster)
        with stage.dashboard(cluster.server, Path(directory)) as made, chromium.browser() as browser:
            large.settled(made.url)
            loads = [_load(browser, made.url) for _ in range(LOADS + 1)][1:]  # the first one starts the browser's parts
    first, seen = zip(*loads, strict=True)
    what = f"{large.SIZE.nodes:,} nodes, median of {LOADS} cold loads"
    return [
        Figure(f"first paint of the overview, {what}", statistics.median(first) / 1000, "s", "<= 1"),
        Figure(f"its figures are seen, {what}", statistics.median(seen) / 1000, "s", "<= 1"),
    ]


def _load(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds from the request of the page to the first paint, and to the paint with the cluster's figures."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.add_init_script(f"({_WATCH})({SEEN!r})")
        page.goto(url)
        page.wait_for_function("() => globalThis.seen", timeout=60_000)
        return page.evaluate(_FIRST), page.evaluate("() => globalThis.seen")
    finally:
        context.close()
