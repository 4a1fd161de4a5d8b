"""What of a page some people could not use, as far as a program can tell."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

CHECK = Path(__file__).with_suffix(".js")


def faults(page: Page) -> list[str]:
    """What is wrong, each with the element; empty for a page that is sound."""
    found: list[str] = page.evaluate(CHECK.read_text())
    return found
