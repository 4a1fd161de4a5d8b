"""How fast a program ran, by when its kernels ended: on programs that are made up."""

from __future__ import annotations

import pytest

from tests.gpu.rates import MS, WINDOW, Ran, settled, share_below


def steady(every: int, begin: int, end: int) -> list[int]:
    """Ends of kernels in a row."""
    return list(range(begin + every, end + 1, every))


def test_a_rate_counts_the_kernels_that_ended_between() -> None:
    """One at the first moment belongs to what was before, one at the last to what is asked for."""
    ran = Ran(begun=0, ended=steady(10 * MS, 0, 1000 * MS))
    assert ran.rate(0, 100 * MS) == pytest.approx(100)
    assert ran.rate(100 * MS, 105 * MS) == 0
    assert ran.whole() == pytest.approx(100)
    assert ran.over == 1000 * MS


def test_windows_are_full_or_left_out() -> None:
    """What is left of the time at its end would look like a program that slows down."""
    ran = Ran(begun=0, ended=steady(MS, 0, 90 * MS))
    assert ran.windows(0, 90 * MS) == pytest.approx([1000] * 4)
    assert ran.windows(0, WINDOW - 1) == []


def test_settled_is_the_first_of_three_good_windows() -> None:
    """One good window between two bad ones is chance."""

    def good(rate: float) -> bool:
        return rate >= 9

    assert settled([10, 10, 10], good) == 0
    assert settled([1, 10, 1, 9, 10, 10], good) == 3 * WINDOW / MS


@pytest.mark.parametrize("rates", [[], [10.0, 10.0], [10.0, 10.0, 1.0, 10.0]])
def test_what_never_settles_took_all_the_time(rates: list[float]) -> None:
    """Never less than was looked at: it must not pass for quick."""
    assert settled(rates, lambda rate: rate >= 9) == len(rates) * WINDOW / MS


def test_slow_windows_are_told_in_percent() -> None:
    """A window that is just fast enough is not slow."""
    assert share_below([9, 10, 8, 10], 9) == 25
