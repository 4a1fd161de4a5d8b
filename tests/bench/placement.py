"""Everything about placing pods: the planner alone, over HTTP beside the floor, and behind a real kube-scheduler."""

from __future__ import annotations

from tests.bench import binding, extender, planning
from tests.bench.figures import Figure


def measure() -> list[Figure]:
    """Takes about ten minutes on two cores; what needs Kubernetes says so where there is none."""
    return [*planning.measure(), *extender.measure(), *binding.measure()]
