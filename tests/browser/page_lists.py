"""Lists: searched, sorted and paged on the server, each view with an address of its own."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opened
from tests.browser.stage import Dashboard, Stage, asked

ROWS = "() => [...document.querySelectorAll('tbody [data-row]')].map((row) => row.dataset.row)"
PAGE = 48


def total(page: Page, wanted: int) -> None:
    """Wait until the list has as many."""
    page.wait_for_selector(f"[data-figure=total][data-value='{wanted}']", state="attached")
    page.wait_for_function("() => !document.querySelector('.page.old')")


def rows(page: Page) -> list[str]:
    """What is listed, in its order."""
    found: list[str] = page.evaluate(ROWS)
    return found


def test_a_search_asks_the_server(opened: Opened, shown: Dashboard) -> None:
    """What is typed is in the address, and all its words must occur."""
    page = opened("#/nodes")
    page.wait_for_selector("[data-row]")
    page.get_by_role("searchbox").fill("910b nvidia")
    wanted = asked(shown.url, "nodes?search=910b%20nvidia")
    page.wait_for_function("() => location.hash.includes('search=910b')")
    total(page, wanted["total"])
    assert rows(page) == [one["name"] for one in wanted["items"]]
    page.get_by_role("searchbox").fill("rack")
    total(page, 2)
    assert rows(page) == ["rack-0", "rack-1"]


def test_a_name_with_hyphens_is_one_line(opened: Opened) -> None:
    """Names of nodes are short and full of hyphens; the columns beside them have room to spare."""
    page = opened("#/nodes")
    page.wait_for_selector("[data-row]")
    lines = "() => [...document.querySelectorAll('.column-name a')].map((name) => name.getClientRects().length)"
    assert set(page.evaluate(lines)) == {1}


def test_a_search_without_a_match_says_what_to_do(opened: Opened) -> None:
    """And is emptied by Esc."""
    page = opened("#/workloads?search=nowhere")
    total(page, 0)
    assert "All words must occur" in page.locator(".empty").inner_text()
    page.get_by_role("searchbox").press("Escape")
    page.wait_for_selector("[data-row]")
    assert "search" not in page.evaluate("location.hash")


def test_typing_is_one_step_back(opened: Opened) -> None:
    """The back button leads to the page before, not to half a word."""
    page = opened("#/nodes")
    page.wait_for_selector("[data-row]")
    page.get_by_role("navigation").get_by_role("link", name="Cards").click()
    page.wait_for_selector("[data-card]")
    page.get_by_role("searchbox").press_sequentially("mlu", delay=20)
    page.wait_for_function("() => location.hash.includes('search=mlu')")
    page.go_back()
    page.wait_for_selector("[data-row]")
    assert page.evaluate("location.hash") == "#/nodes"


def test_headings_sort(opened: Opened, shown: Dashboard) -> None:
    """Largest first at once, then smallest; said to screen readers, and kept by reloading."""
    page = opened("#/nodes")
    page.wait_for_selector("[data-row]")
    heading = page.get_by_role("columnheader", name="Slices")
    heading.get_by_role("link").click()
    page.wait_for_selector("th[aria-sort=descending]")
    page.wait_for_function("() => !document.querySelector('.page.old')")
    assert rows(page) == [one["name"] for one in asked(shown.url, "nodes?sort=slices&order=desc")["items"]]
    heading.get_by_role("link").click()
    page.wait_for_selector("th[aria-sort=ascending]")
    page.reload()
    page.wait_for_selector("th[aria-sort=ascending]")
    assert rows(page) == [one["name"] for one in asked(shown.url, "nodes?sort=slices&order=asc")["items"]]


def test_pages_follow_each_other(opened: Opened, still: Stage) -> None:
    """Forwards, and back to the first rows by the browser's own button."""
    page = opened("#/cards")
    page.wait_for_selector("[data-card]")
    first = page.locator("[data-card]").evaluate_all("(cards) => cards.map((card) => card.dataset.card)")
    everything = sum(len(node.devices) for node in still.cluster.planner.inventory.nodes)
    assert len(first) == PAGE
    page.get_by_role("link", name="Next").click()
    page.wait_for_function("(first) => document.querySelector('[data-card]').dataset.card !== first", arg=first[0])
    second = page.locator("[data-card]").evaluate_all("(cards) => cards.map((card) => card.dataset.card)")
    assert len(second) == everything - PAGE
    assert not set(first) & set(second)
    page.go_back()
    page.wait_for_function("(first) => document.querySelector('[data-card]').dataset.card === first", arg=first[0])


@pytest.mark.parametrize(
    ("choice", "value", "query"),
    [("State", "idle", "state=idle"), ("Sort by", "memory", "sort=memory"), ("State", "shared", "state=shared")],
)
def test_choices_are_asked(opened: Opened, shown: Dashboard, choice: str, value: str, query: str) -> None:
    """A choice is part of the address, and what is shown is what the server says."""
    page = opened("#/cards")
    page.wait_for_selector("[data-card]")
    page.get_by_label(choice).select_option(value)
    page.wait_for_function("(query) => location.hash.includes(query)", arg=query)
    wanted = asked(shown.url, f"cards?{query}&limit={PAGE}")
    total(page, wanted["total"])
    found = page.locator("[data-card]").evaluate_all("(cards) => cards.map((card) => card.dataset.card)")
    assert found == [one["uuid"] for one in wanted["items"]]


def test_a_place_that_is_not_there(opened: Opened) -> None:
    """It says so in the server's words, and leads home."""
    page = opened("#/nodes/nowhere", allowed=("404",))
    page.get_by_role("alert").wait_for()
    assert "nowhere" in page.get_by_role("alert").inner_text()
    page.get_by_role("alert").get_by_role("link").click()
    page.wait_for_selector("[data-figure='cluster.nodes']")
    page.evaluate("() => { location.hash = '#/nothing/of/the/kind'; }")
    page.get_by_role("alert").wait_for()
