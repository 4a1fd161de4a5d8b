"""What the figures of scrapes are measured with, in small."""

from __future__ import annotations

import pytest

from tests.bench import scraping
from tests.bench.clusters import Size


def test_a_scrape_is_one_of_real_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every slice is in the text that is read; the figure that is promised says so."""
    monkeypatch.setattr(scraping, "SLICES", 3)
    median, most, regions = scraping.node(3, 2)
    assert most.reach == "<= 20"
    assert regions.value > 0
    assert 0 < median.value <= most.value


def test_the_lock_is_held_for_less_than_the_text_takes() -> None:
    """The text is made when the copy is there."""
    held, seconds, size = scraping.scheduler(Size(3, 2, 4))
    assert 0 < held.value / 1000 <= seconds.value
    assert size.value > 0
