"""The figures that the native runtime is to reach: what gets round it, what it costs, and how well it shares."""

from __future__ import annotations

from tests.bench import bypasses, costs, shared
from tests.bench.figures import Figure


def measure() -> list[Figure]:
    """All of them, on simulated cards."""
    return [*bypasses.measure(), *costs.measure(), *shared.measure()]
