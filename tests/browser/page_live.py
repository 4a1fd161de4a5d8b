"""Pages are live: they change with the cluster, and tell when they may be behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser import filled, stage
from tests.browser.conftest import Opened
from tests.browser.filled import KINDS
from tests.browser.stage import Dashboard, Stage

COUNT = "[data-figure='cluster.workloads'][data-value='{}']"
EMPTY = ("Overview", "Nodes", "Cards", "Workloads", "Quotas")
LOST = ("ERR_", "Failed to load resource")
"""What Chromium itself writes to the console about a connection that was refused."""


@pytest.fixture(scope="module")
def moving() -> Iterator[Stage]:
    """A cluster of this file alone, which its tests change."""
    with filled.cluster() as made:
        yield made


@pytest.fixture(scope="module")
def live(moving: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard in front of it."""
    with filled.shown(moving, tmp_path_factory.mktemp("live")) as made:
        yield made


def workloads(page: Page, count: int) -> None:
    """Wait until the first page tells of as many."""
    page.wait_for_selector(COUNT.format(count))


def test_a_pod_comes_and_goes(opened: Opened, moving: Stage, live: Dashboard) -> None:
    """Its slice is drawn without a reload, and leaves with it."""
    page = opened("#/", live.url)
    before = len(moving.placements)
    workloads(page, before)
    moving.place("visitor", KINDS["dcu-slice"], "serving")
    workloads(page, before + 1)
    page.goto(f"{live.url}#/nodes/dcu")
    drawn = page.locator("[data-of='serving/visitor']")
    drawn.first.wait_for()
    moving.remove("visitor", "serving")
    drawn.first.wait_for(state="detached")


def test_what_was_chosen_stays_while_figures_change(opened: Opened, moving: Stage, live: Dashboard) -> None:
    """An update neither takes the focus nor what is being typed, and moves nothing."""
    page = opened("#/nodes", live.url)
    page.wait_for_selector("[data-row]")
    box = page.get_by_role("searchbox")
    box.press_sequentially("dc")
    page.wait_for_selector("[data-figure=total][data-value='1']", state="attached")
    row = page.locator("[data-row=dcu]")
    at, slices = row.bounding_box(), page.locator("[data-figure='node.dcu.slices']")
    before = int(slices.get_attribute("data-value") or 0)
    moving.place("another", KINDS["dcu-slice"], "serving")
    page.wait_for_selector(f"[data-figure='node.dcu.slices'][data-value='{before + 1}']")
    assert row.bounding_box() == at
    assert box.input_value() == "dc"
    assert page.evaluate("document.activeElement.id") == "search"
    moving.remove("another", "serving")


def test_an_api_server_that_goes_away_and_returns(opened: Opened, moving: Stage, live: Dashboard) -> None:
    """What was known stays, with a sentence of how old it is; the sentence goes when the cluster is followed again."""
    page = opened("#/", live.url)
    before = len(moving.placements)
    workloads(page, before)
    moving.server.stop()
    page.locator(".banner", has_text="API server has not been heard of").wait_for(timeout=40_000)
    workloads(page, before)
    moving.server.start()
    page.locator(".banner").wait_for(state="detached", timeout=60_000)
    moving.place("afterwards", KINDS["dcu-slice"], "serving")
    workloads(page, before + 1)
    moving.remove("afterwards", "serving")


def test_a_dashboard_that_goes_away_and_returns(opened: Opened, moving: Stage, live: Dashboard) -> None:
    """The page says of when it is, tries again by itself, and needs no reload."""
    page = opened("#/", live.url, allowed=LOST)
    before = len(moving.placements)
    workloads(page, before)
    live.stop()
    page.locator(".banner", has_text="connection to the dashboard is lost").wait_for()
    assert page.locator(".fresh-lost").is_visible()
    workloads(page, before)
    live.start()
    page.locator(".fresh-live").wait_for(timeout=60_000)
    assert page.locator(".banner").count() == 0


def test_a_page_that_nobody_looks_at_follows_nothing(opened: Opened, live: Dashboard) -> None:
    """Its stream is closed after a while, and opened when it is looked at again."""
    page = opened("#/", live.url)
    page.wait_for_selector("[data-figure='cluster.nodes']")
    page.evaluate("""() => {
        globalThis.ended = 0;
        const close = EventSource.prototype.close;
        EventSource.prototype.close = function () { globalThis.ended += 1; return close.call(this); };
        Object.defineProperty(document, "hidden", { get: () => globalThis.unseen, configurable: true });
        globalThis.unseen = true;
        document.dispatchEvent(new Event("visibilitychange"));
    }""")
    page.wait_for_function("() => globalThis.ended === 1", timeout=20_000)
    with page.expect_request("**/api/v1/overview"):
        page.evaluate("() => { globalThis.unseen = false; document.dispatchEvent(new Event('visibilitychange')); }")


def test_an_empty_cluster(opened: Opened, tmp_path: Path) -> None:
    """Each page says that there is nothing, and what to do."""
    with stage.stage() as empty, stage.dashboard(empty.server, tmp_path) as made:
        page = opened("#/", made.url)
        for place in EMPTY:
            page.evaluate("(hash) => { location.hash = hash; }", f"#/{place.lower()}")
            page.get_by_role("heading", name=place).wait_for(state="attached")
            page.locator(".empty-title").wait_for()
            assert page.locator(".empty p").last.inner_text().strip()
