"""The higher priority goes first on a shared card, and the lower one has it back at once: on a clock that is exact."""

from __future__ import annotations

import pytest
from rivals import MS, Programs, Ran, make_slice, ran, watching
from simulated import Machine

BACK = 200 * MS
"""From the end of the one to the full speed of the other."""

NO_LIMITS, LIMITS = (0, 0), (30, 70)


@pytest.fixture
def timed(machine: Machine) -> Machine:
    """A machine with a virtual clock."""
    machine.virtual()
    return machine


def solo(machine: Machine, kind: str, cores: int) -> float:
    """Percent of the card that a program has with nobody beside it."""
    alone = ran(Programs(machine, 1).start(make_slice(machine, "solo", 0, cores), kind, 2))
    return alone.share(alone.begun, alone.ended)


def after(program: Ran, moment: int) -> float:
    """Its share of the card in the half second that begins when it must be back at full speed."""
    return program.share(moment + BACK, moment + BACK + 500 * MS)


@pytest.mark.parametrize("kind", ["gemm", "sync"])
@pytest.mark.parametrize("cores", [NO_LIMITS, LIMITS])
def test_the_higher_priority_runs_as_if_it_were_alone(timed: Machine, kind: str, cores: tuple[int, int]) -> None:
    """Within 5 percent of that, from its first moment; the other is back at full speed 200 ms after its end."""
    alone = solo(timed, kind, cores[0])
    first, second = make_slice(timed, "first", 0, cores[0]), make_slice(timed, "second", 1, cores[1])
    with watching(timed):
        programs = Programs(timed, 2)
        running = programs.start(first, kind, 2, after=1), programs.start(second, kind, 5)
        high, low = map(ran, running)
    assert high.share(high.begun, high.ended) >= 0.95 * alone
    assert low.share(high.begun + BACK, high.ended) <= 3
    assert after(low, high.ended) >= 0.95 * (cores[1] or 100)


def test_without_anybody_who_looks_priorities_change_nothing(timed: Machine) -> None:
    """Both have half of the card: what the next tests compare with."""
    first, second = make_slice(timed, "first", 0), make_slice(timed, "second", 1)
    programs = Programs(timed, 2)
    high, low = map(ran, (programs.start(first, "gemm", 1), programs.start(second, "gemm", 1)))
    assert abs(high.share(high.begun, high.ended) - 50) <= 5
    assert abs(low.share(low.begun, low.ended) - 50) <= 5


def test_equals_share_as_they_did(timed: Machine) -> None:
    """A third slice of another priority that does nothing has everybody looked at, and nobody held back."""
    first, second = make_slice(timed, "first", 1), make_slice(timed, "second", 1)
    make_slice(timed, "third", 0)
    with watching(timed):
        programs = Programs(timed, 2)
        one, other = map(ran, (programs.start(first, "gemm", 1), programs.start(second, "gemm", 1)))
    assert abs(one.share(one.begun, one.ended) - 50) <= 5
    assert abs(other.share(other.begun, other.ended) - 50) <= 5


@pytest.mark.parametrize("cores", [NO_LIMITS, LIMITS])
def test_when_the_looker_dies_everything_is_as_before(timed: Machine, cores: tuple[int, int]) -> None:
    """What was yielded ends by itself, while the one of the higher priority still runs."""
    first, second = make_slice(timed, "first", 0, cores[0]), make_slice(timed, "second", 1, cores[1])
    with watching(timed, looks=25) as watcher:
        programs = Programs(timed, 2)
        high, low = map(ran, (programs.start(first, "gemm", 2.5), programs.start(second, "gemm", 2.5)))
        assert watcher.stdout
        died = int(watcher.stdout.readline())
    assert died + BACK + 500 * MS < high.ended
    assert low.share(died - 800 * MS, died) <= 3
    assert abs(after(low, died) - (cores[1] or 50)) <= 5


def test_three_priorities_follow_each_other(timed: Machine) -> None:
    """Each has the card when all before it have ended, and those behind it hardly any."""
    regions = [make_slice(timed, str(priority), priority) for priority in (0, 1, 7)]
    with watching(timed):
        programs = Programs(timed, 3)
        lasting = zip(regions, (1, 2, 3), strict=True)
        first, second, third = map(ran, [programs.start(path, "gemm", seconds) for path, seconds in lasting])
    assert first.share(first.begun + BACK, first.ended) >= 95
    assert second.share(first.begun + BACK, first.ended) <= 3
    assert after(second, first.ended) >= 95
    assert third.share(first.begun + BACK, second.ended) <= 3
    assert after(third, second.ended) >= 95


@pytest.mark.parametrize(("precedence", "least", "most"), [("conserve", 95, 101), ("strict", 0, 3)])
def test_beside_one_that_rests_strictness_decides(timed: Machine, precedence: str, least: float, most: float) -> None:
    """It lives and launches nothing yet: by default the other has the card meanwhile, strictly it has not."""
    first, second = make_slice(timed, "first", 0), make_slice(timed, "second", 1)
    with watching(timed, precedence):
        programs = Programs(timed, 2)
        running = programs.start(first, "sync", 0.1, after=2), programs.start(second, "gemm", 3.5)
        high, low = map(ran, running)
    assert least <= low.share(high.begun - 1500 * MS, high.begun - 100 * MS) <= most
    assert after(low, high.ended) >= 95


def test_bursts_go_first_and_what_is_between_them_is_lent(timed: Machine) -> None:
    """Half a second in every one and a half: the bursts run as alone, the other has most of the rest."""
    first, second = make_slice(timed, "first", 0), make_slice(timed, "second", 1)
    with watching(timed):
        programs = Programs(timed, 2)
        running = programs.start(first, "gemm", 4.5, burst=(0.5, 1)), programs.start(second, "gemm", 4.5)
        high, low = map(ran, running)
    assert high.share(high.begun, high.begun + 4500 * MS) >= 0.93 * 100 / 3
    assert low.share(high.begun, high.begun + 4500 * MS) >= 0.85 * 200 / 3


def test_a_priority_that_is_changed_holds_at_once(timed: Machine) -> None:
    """Both run on: the one that had the card until then has hardly any of it a second later, and the other has it."""
    first, second = make_slice(timed, "first", 3), make_slice(timed, "second", 1)
    with watching(timed, looks=25, words=("change", "first", "--priority", "0")) as watcher:
        programs = Programs(timed, 2)
        low, high = map(ran, (programs.start(first, "gemm", 3), programs.start(second, "gemm", 3)))
        assert watcher.stdout
        moment = int(watcher.stdout.readline())
    assert low.share(moment - 800 * MS, moment) <= 3
    assert high.share(moment - 800 * MS, moment) >= 95
    later = moment + 1000 * MS
    assert after(low, later) >= 95
    assert after(high, later) <= 3
