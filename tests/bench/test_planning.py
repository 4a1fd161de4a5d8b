"""What is measured of the planner alone is what the service asks of it."""

from __future__ import annotations

from tests.bench.clusters import Size
from tests.bench.planning import Planned
from tests.bench.workloads import TOO_LARGE, WORKLOADS


def test_a_turn_charges_one_pod_and_frees_another() -> None:
    """The cluster stays as full as it was while its nodes change."""
    planned = Planned(Size(10, 4, 30))
    before = sum(len(free) for free in planned.planner.free_quantities().values())
    for number, workload in enumerate(WORKLOADS[:5]):
        planned.turn(workload, f"new-{number}")
    charged = [number for number in range(5) if planned.planner.charged(f"default/new-{number}")]
    assert charged
    assert len(planned.times) == 5
    assert before == sum(len(free) for free in planned.planner.free_quantities().values())


def test_a_pod_that_fits_nowhere_changes_nothing() -> None:
    """It is timed all the same."""
    planned = Planned(Size(10, 4, 30))
    before = planned.planner.free_quantities()
    planned.turn(TOO_LARGE, "new")
    assert planned.planner.free_quantities() == before
    assert len(planned.times) == 1
