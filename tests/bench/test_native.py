"""The arithmetic of the native runtime's figures; what they come to is no matter of tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.costs import more
from tests.bench.figures import Figure, write
from tests.bench.shared import furthest


def test_costs_are_compared_between_neighbours() -> None:
    """A machine that becomes slower half-way through slows both of a pair; one disturbed pair changes nothing."""
    assert more([10, 10, 50, 50, 50], [13, 13, 53, 53, 900]) == 3
    assert more([10, 10, 10], [9, 9, 9]) == -1


def test_the_worst_tenant_tells() -> None:
    """Too much is as wrong as too little."""
    assert furthest([30, 70], [33, 69]) == pytest.approx(3)
    assert furthest([10, 20, 70], [10, 21, 65]) == pytest.approx(5)


def test_what_is_written_says_whether_it_holds(tmp_path: Path) -> None:
    """A leak of one byte does not hold; a figure without a reach claims nothing."""
    write("native", [Figure("a", 0, "MiB", "<= 0"), Figure("b", 1, "MiB", "<= 0"), Figure("c", 5, "ns")], tmp_path)
    rows = json.loads((tmp_path / "native.json").read_text())
    assert [(row["figure"], row["holds"]) for row in rows] == [("a", True), ("b", False), ("c", None)]
    assert set(rows[0]) == {"figure", "value", "unit", "reach", "holds"}
