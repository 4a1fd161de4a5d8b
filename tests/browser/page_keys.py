"""Pages without a mouse, and for those who listen to them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opened
from tests.browser.page_looks import PLACES, ready
from tests.browser.soundness import faults

FOCUS = "() => document.activeElement.textContent.trim() || document.activeElement.id"


def focused(page: Page) -> str:
    """What has the focus: its text, or its id."""
    found: str = page.evaluate(FOCUS)
    return found


def test_the_first_stop_leads_to_the_content(opened: Opened) -> None:
    """Past the links that are on every page."""
    page = ready(opened("#/nodes"))
    page.keyboard.press("Tab")
    assert focused(page) == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.evaluate("location.hash") == "#/nodes"


def test_a_walk_by_keys_alone(opened: Opened) -> None:
    """To a list, into its search, down its rows, into a row, along the slices of a card, and back."""
    page = ready(opened("#/nodes"))
    page.keyboard.press("/")
    assert focused(page) == "search"
    page.keyboard.type("rack")
    page.wait_for_selector("[data-figure=total][data-value='2']", state="attached")
    page.wait_for_function("() => !document.querySelector('.page.old')")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "rack-0"
    page.keyboard.press("ArrowDown")
    assert focused(page) == "rack-1"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="rack-0").wait_for()
    page.locator("[data-card] header a").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.of")
    page.get_by_role("tooltip").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("What it holds").wait_for()
    page.go_back()
    page.get_by_role("heading", name="rack-0").wait_for()


def test_a_key_that_is_typed_is_typed(opened: Opened) -> None:
    """In a manifest a slash is a slash."""
    page = ready(opened("#/plan"))
    page.get_by_label("Manifest").fill("")
    page.get_by_label("Manifest").press_sequentially("a/b")
    assert page.get_by_label("Manifest").input_value() == "a/b"


def test_the_focus_can_be_seen(opened: Opened) -> None:
    """Whatever has it."""
    page = ready(opened("#/"))
    for _ in range(12):
        page.keyboard.press("Tab")
        outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", focused(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_a_page_is_sound_for_everybody(opened: Opened, place: str, scheme: str) -> None:
    """Names, roles, headings, landmarks, and a contrast of 4.5 of every text to its ground."""
    page = ready(opened(PLACES[place], color_scheme=scheme))
    assert faults(page) == []
