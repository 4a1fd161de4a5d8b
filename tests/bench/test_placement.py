"""The record of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import placement
from tests.bench.figures import Figure


def test_a_page_says_what_falls_short_and_how_loaded_the_machine_was() -> None:
    """A figure without a reach claims nothing."""
    figures = [Figure("a", 1.5, "times", "<= 2"), Figure("b", 2.5, "times", "<= 2"), Figure("c", 3, "ms")]
    page = placement.page({"Part": figures, "Empty": []}, [0.5, 1.25])
    assert "| a | 1.5 times | <= 2 | holds |" in page
    assert "| b | 2.5 times | <= 2 | **falls short** |" in page
    assert "| c | 3 ms |  |  |" in page
    assert "| 0.5, 1.2 |" in page


def test_parts_follow_each_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All figures in one list and one page; a part that could not be measured has none."""
    parts = {"One": lambda: [Figure("a", 1, "ms")], "Two": list[Figure], "Three": lambda: [Figure("b", 2, "ms")]}
    monkeypatch.setattr(placement, "PARTS", parts)
    monkeypatch.setattr(placement, "PAGE", tmp_path / "bench/placement.md")
    assert [figure.figure for figure in placement.measure()] == ["a", "b"]
    assert "## Two" in (tmp_path / "bench/placement.md").read_text()
