"""How pages look: in two languages, in the dark, on a phone and on paper."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opened

PLACES = {
    "overview": "#/",
    "nodes": "#/nodes",
    "node": "#/nodes/npu-910b4",
    "cards": "#/cards",
    "workloads": "#/workloads",
    "workload": "#/workloads/research/dcu-slice-0",
    "waiting": "#/workloads/research/too-large",
    "quotas": "#/quotas",
    "plan": "#/plan",
}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
GROUND = "() => getComputedStyle(document.body).backgroundColor"


def ready(page: Page) -> Page:
    """Wait until the page is there."""
    page.wait_for_selector("main h1", state="attached")
    page.wait_for_selector(".page")
    return page


@pytest.mark.parametrize("place", PLACES)
def test_a_phone_needs_no_sideways_scrolling(opened: Opened, place: str) -> None:
    """At 360 pixels all of a page is within its width."""
    page = ready(opened(PLACES[place], **PHONE))
    wide = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1] == 360
    beyond = page.evaluate("""() => [...document.querySelectorAll("main *")]
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".unseen"))
        .map((one) => one.outerHTML.slice(0, 120))""")
    assert beyond == []


def test_a_phone_labels_what_stands_in_a_cell(opened: Opened) -> None:
    """Where the node of a pod would be, one that waits shows its reason, and it is called so."""
    page = ready(opened("#/workloads", **PHONE))
    page.wait_for_selector("[data-row]")
    cells = page.evaluate("""() => [...document.querySelectorAll("tbody .column-where")]
        .map((one) => [one.dataset.label, Boolean(one.querySelector(".reason-short"))])""")
    assert {tuple(one) for one in cells} == {("Node", False), ("Reason", True)}


@pytest.mark.parametrize("place", PLACES)
def test_a_page_is_chinese_for_who_reads_chinese(opened: Opened, place: str) -> None:
    """All that is not a name, a number or the server's own sentence, which is marked as English."""
    page = ready(opened(PLACES[place], locale="zh-CN"))
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    texts = page.evaluate("""() => [...document.querySelectorAll("h1, h2, th, dt, label > span, .badge, .tools, nav a")]
        .filter((one) => !one.closest("[lang=en], tbody") && !one.querySelector("input, select, [lang=en]"))
        .map((one) => one.innerText.trim()).filter(Boolean)""")
    assert sum(bool(CHINESE.search(text)) for text in texts) >= len(texts) * 0.6
    english = {"Overview", "Nodes", "Cards", "Workloads", "Quotas", "Memory", "Compute", "allocated", "used", "idle"}
    assert not english & set(texts)


def test_the_language_is_chosen_and_remembered(opened: Opened) -> None:
    """Whatever the browser wishes."""
    page = ready(opened("#/nodes"))
    page.get_by_label("Language").select_option("zh-CN")
    page.get_by_role("heading", name="节点").wait_for()
    assert page.title() == "节点 · hetero"
    page.reload()
    page.get_by_role("heading", name="节点").wait_for()
    page.get_by_label("语言").select_option("en")
    page.get_by_role("heading", name="Nodes").wait_for()


def test_colours_follow_the_system_until_they_are_chosen(opened: Opened) -> None:
    """Dark where the system is dark; a choice wins, and holds from the first paint of the next visit."""
    page = ready(opened("#/", color_scheme="dark"))
    dark = page.evaluate(GROUND)
    page.get_by_label("Colours").select_option("light")
    light = page.evaluate(GROUND)
    assert light != dark
    page.reload()
    assert page.evaluate(GROUND) == light
    page.get_by_label("Colours").select_option("system")
    assert page.evaluate(GROUND) == dark


def test_paper_has_no_tools(opened: Opened) -> None:
    """A printed page has its figures, and nothing to click."""
    page = ready(opened("#/nodes"))
    page.emulate_media(media="print")
    assert not page.locator(".tools").is_visible()
    assert not page.locator(".places").is_visible()
    assert page.locator("[data-row]").first.is_visible()


def test_who_wants_no_motion_gets_none(opened: Opened) -> None:
    """Bars are where they belong at once."""
    page = ready(opened("#/", reduced_motion="reduce"))
    assert page.locator(".bar-allocated").first.evaluate("(bar) => getComputedStyle(bar).transitionDuration") == "0s"


def test_a_slice_tells_what_it_is(opened: Opened) -> None:
    """To the pointer; and Esc takes the telling away."""
    page = ready(opened("#/nodes/dcu"))
    page.locator(".segment a").first.hover()
    tip = page.get_by_role("tooltip")
    tip.wait_for()
    assert "dcu-slice" in tip.inner_text()
    assert "allocated" in tip.inner_text()
    page.keyboard.press("Escape")
    tip.wait_for(state="hidden")


def test_a_card_is_drawn_to_scale(opened: Opened) -> None:
    """A slice is as wide as its part of the card, and what it uses is as wide as its part of the slice."""
    page = ready(opened("#/nodes/dcu"))
    drawn = page.evaluate("""() => [...document.querySelectorAll("[data-card]")].map((card) => {
        const strip = card.querySelector(".strip");
        const whole = Number(card.querySelector("[data-figure$='memory.capacity']").dataset.value);
        return [...strip.querySelectorAll(".segment a")].map((link) => ({
            drawn: link.parentElement.getBoundingClientRect().width / strip.getBoundingClientRect().width,
            meant: Number(link.dataset.value) / whole,
        }));
    })""")
    parts = [part for card in drawn for part in card]
    assert parts
    assert all(part["drawn"] == pytest.approx(part["meant"], abs=0.01) for part in parts)
