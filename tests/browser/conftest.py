"""What the pages are tested with: one browser, one filled cluster that stands still, pages that must not complain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.browser import chromium, filled
from tests.browser.stage import Dashboard, Stage

Opened = Callable[..., Page]
PATIENCE_MS = 20_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests; each has a profile of its own."""
    with chromium.browser() as started:
        yield started


@pytest.fixture(scope="session")
def still() -> Iterator[Stage]:
    """A mixed cluster that no test changes."""
    with filled.cluster() as made:
        yield made


@pytest.fixture(scope="session")
def shown(still: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard in front of it, once all agents have answered."""
    with filled.shown(still, tmp_path_factory.mktemp("still")) as made:
        yield made


@pytest.fixture
def opened(browser: Browser, shown: Dashboard) -> Iterator[Opened]:
    """Opens a place of a dashboard; a page that writes to the console, fails a request or breaks its policy fails."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(place: str = "#/", url: str = "", *, allowed: tuple[str, ...] = (), **options: object) -> Page:
        context = browser.new_context(**{"locale": "en-US", "viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()

        def listen(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not any(word in message.text for word in allowed):
                complaints.append(message.text)

        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url or shown.url}{place}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """For a dashboard of one test."""
    return tmp_path / "dashboard"
