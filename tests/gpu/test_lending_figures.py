"""What is told of loans, by when kernels ended: on programs that are made up."""

from __future__ import annotations

import pytest

from tests.gpu.lending import LARGE, SECOND, SMALL, Both, capped, conserved
from tests.gpu.rates import MS, Ran

BEGIN, COME, GO, END = 0, 2 * SECOND, 4 * SECOND, 6 * SECOND


def ran(*paces: tuple[int, int, int]) -> Ran:
    """A program that had so many percent of the card from the one moment to the other, with kernels of 1 ms."""
    ended = [moment for start, end, share in paces for moment in range(start, end, 100 * MS // share)]
    return Ran(begun=paces[0][0], ended=ended)


def lent(back_after: int, again_after: int, visit: int = LARGE) -> Both:
    """Loans that end and begin so long after the other one came and went."""
    small = ran(
        (BEGIN, COME + back_after, 100), (COME + back_after, GO + again_after, SMALL), (GO + again_after, END, 100)
    )
    large = ran((COME, COME + back_after, 40), (COME + back_after, GO, visit))
    return Both(whole=1000, small=small, visits=[large])


def test_a_loan_that_comes_back_in_time_holds() -> None:
    """All the card before and behind the visit, both percentages in it, and the times in which that changed."""
    figures = conserved("conserve", lent(160 * MS, 240 * MS), 2)
    assert [one.holds for one in figures] == [True, True, True, True, None, True]
    told = {one.figure: one.value for one in figures}
    assert told["conserve: 30 % beside 60 that rest"] == pytest.approx(100, abs=1)
    assert told["conserve: both together"] == pytest.approx(SMALL + LARGE, abs=2)


@pytest.mark.parametrize(("back", "again", "short"), [(400, 240, 1), (160, 700, 5)])
def test_a_loan_that_is_late_falls_short(back: int, again: int, short: int) -> None:
    """Coming back is one promise, being used again another."""
    figures = conserved("conserve", lent(back * MS, again * MS), 2)
    assert [index for index, one in enumerate(figures) if one.holds is False] == [short]


def test_who_never_has_its_own_took_all_the_visit() -> None:
    """The time is measured by its percentage or what it keeps, so a steady lack shows in the steady figure."""
    figures = conserved("conserve", lent(0, 0, visit=45), 2)
    assert [one.holds for one in figures][1:4] == [True, True, False]


def test_of_several_visits_the_slowest_is_told() -> None:
    """A loan comes back at the next look, which is sometimes at once: that one says nothing."""
    one, other = lent(0, 0), lent(160 * MS, 0)
    both = Both(1000, other.small, [*one.visits, *other.visits])
    assert both.come() >= 100


def test_beside_a_cap_idle_time_stays_idle() -> None:
    """The control: no loan, and nothing that has to come back."""
    both = Both(1000, ran((BEGIN, END, SMALL)), [ran((COME, GO, LARGE))])
    assert {one.holds for one in capped("cap", both)} == {True, None}
    assert both.come() == 0
