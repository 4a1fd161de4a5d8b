"""The parts of the suite for a real card that a simulated one can show, run on one: what they do, not how fast it was.

What a launch or a switch between programs costs is the simulated driver's own, so the figures of ``launches``,
``priorities``, ``lending`` and ``runner`` mean nothing here; that they come about does.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from simulated import BUILD, machine_in

from hetero.enforcement import region
from tests.gpu import kinds, launches, runner
from tests.gpu.changes import Changes
from tests.gpu.lending import Loans, conserved
from tests.gpu.priorities import BACK, Pairs, Tenant
from tests.gpu.talks import by_hetero, program, talking

pytestmark = pytest.mark.native


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A simulated card whose contexts take memory, for all programs that are started; a folder for slices."""
    machine_in(tmp_path).cards(12288, context=512)
    monkeypatch.setenv("HETERO_SIM_DIR", str(tmp_path))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(BUILD / "sim"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    directory = tmp_path / "slices-of-hetero"
    directory.mkdir()
    return directory


@pytest.mark.usefixtures("card")
def test_memory_by_kind_and_counters_hold() -> None:
    """Nothing of it depends on time, so each figure is what it has to be on a card."""
    figures = kinds.measure()
    assert [one for one in figures if one.holds is not True] == []
    assert "and 1024 MiB of data: 512 + 256 + 1024 MiB, off the 1792 MiB charged by" in {one.figure for one in figures}


def test_the_lower_one_makes_way_while_both_run(card: Path) -> None:
    """Both are started by `hetero run`, and nobody else sees to it."""
    high, low = Pairs(card, seconds=1.0).together(Tenant(), Tenant())
    assert low.begun < high.begun < high.over < low.over
    while_both = high.begun + BACK, high.over
    assert low.rate(*while_both) < high.rate(*while_both) / 2
    assert low.rate(high.over, low.over) > low.rate(*while_both)


@pytest.mark.journey
def test_a_change_of_priority_is_seen_by_who_runs(card: Path) -> None:
    """Two equals, of which one goes first from the command on; all its figures are told."""
    figures = Changes(card).priority()
    told = {one.figure: one.value for one in figures}
    assert len(told) == 5
    assert (
        told["priority 1 to 0: its speed from a second on, of that alone"] > told["equals: the one, of its speed alone"]
    )


def test_a_change_of_cores_reaches_the_region_of_the_program(card: Path) -> None:
    """The slice that is found is that of the program which was started last."""
    for cores in (80, 30):
        command = by_hetero(card, *program("steady.py", "500", "8"), cores=cores)
        with talking(*command) as talk:
            talk.hear()
            (place,) = (card / "slices").iterdir()
            assert region.read(place / "region").devices[0].core_limit == cores


def test_launches_are_timed_by_turns(card: Path) -> None:
    """Each kind of slice has answered, and the program that is in none."""
    life = launches.at_rest(card)
    assert list(life) == ["bare", "memory limited", "memory and compute to 90 %"]
    assert min(life.values()) > 0


def test_what_a_launch_costs_more_is_compared_within_a_life() -> None:
    """One life in which all are slower changes nothing: the median of differences, not the difference of medians."""
    lives = [{"bare": 10.0, "inside": 11.0}, {"bare": 50.0, "inside": 52.0}, {"bare": 20.0, "inside": 23.0}]
    told = [(one.figure, one.value) for one in launches.figures(lives)]
    assert told == [("launch, bare (spread of 3 lives: 40)", 20), ("launch, inside: more", 2)]


@pytest.mark.journey
def test_what_is_idle_is_lent_and_comes_back(card: Path) -> None:
    """Beside one that rests, 30 percent become far more; beside one that runs, less than that one has."""
    loans = Loans(card, visits=1, rest=1.5, stay=2)
    both = loans.both("conserve")
    (visit,) = both.visits
    assert both.small.begun < visit.begun < visit.over < both.small.over
    assert both.alone() > 45
    assert both.small_beside() < both.large()
    assert len(conserved("conserve", both, loans.rest)) == 6


@pytest.mark.journey
def test_who_looks_after_four_slices_is_found(card: Path) -> None:
    """One of them looks 20 times a second, the others hardly ever."""
    leads, others = runner.loop("four priorities", card, 2, priorities=range(4))
    assert leads.value > 0
    assert others.value < leads.value


def test_the_time_of_a_processor_is_that_of_the_process_alone() -> None:
    """It counts up while the process works, and not while it sleeps."""
    before = runner.processor_seconds(os.getpid())
    while (after := runner.processor_seconds(os.getpid())) < before + 0.05:
        sum(range(10_000))
    time.sleep(0.1)
    assert runner.processor_seconds(os.getpid()) - after < 0.05


def test_each_start_is_timed(card: Path) -> None:
    """The commands end well, in and outside a slice; what is waited for is in the time."""
    told = {one.figure: one.value for one in runner.starts(card, 1)}
    assert len(told) == 5
    assert told["start: nothing by `hetero run`"] > told["start: an interpreter that does nothing"]


def test_a_program_that_ends_early_is_no_answer(card: Path) -> None:
    """A part that cannot be measured is told as such, not as a figure."""
    with talking(*by_hetero(card, "true")) as talk, pytest.raises(ValueError, match="ended without an answer"):
        talk.hear()
