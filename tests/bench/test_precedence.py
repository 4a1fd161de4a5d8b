"""The figure of precedence is of a loop that does what it is said to do."""

from __future__ import annotations

import pytest

from tests.bench import precedence


def test_half_of_the_slices_make_way_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each look, while the others run, and none while nobody does; what it costs is told and not asserted."""
    monkeypatch.setattr(precedence, "SIZES", ((6, 2),))
    figures = precedence.measure(0.2)
    assert [one.value for one in figures[1::3]] == [3, 0]
    assert all(one.value > 0 for one in (*figures[::3], *figures[2::3]))
