"""What a slice costs on a real card: each call bare and inside, by turns in one run."""

from __future__ import annotations

import json
import statistics

from tests.bench.figures import Figure
from tests.gpu.runs import BARE, Slice, run

RUNS = 5

SLICES = {
    "2 GiB": Slice(memory=2048),
    "2 GiB and 90 % of compute": Slice(memory=2048, cores=90),
}


def measure(brief: bool = False) -> list[Figure]:
    """The medians' differences, and how far the bare runs differ among themselves; in brief of three runs."""
    runs_of_each = 3 if brief else RUNS
    bare: list[dict[str, float]] = []
    inside: dict[str, list[dict[str, float]]] = {name: [] for name in SLICES}
    for _ in range(runs_of_each):
        bare.append(_overhead(BARE))
        for name, where in SLICES.items():
            inside[name].append(_overhead(where))
    calls = [call for call, value in bare[0].items() if isinstance(value, (int, float)) and call != "live"]
    figures = []
    for call in calls:
        alone = [one[call] for one in bare]
        spread = max(alone) - min(alone)
        figures.append(
            Figure(f"{call}, bare (spread of {runs_of_each} runs: {spread:.0f})", statistics.median(alone), "ns")
        )
        for name, runs in inside.items():
            more = statistics.median(one[call] for one in runs) - statistics.median(alone)
            figures.append(Figure(f"{call}, more in a slice of {name}", more, "ns"))
    return figures


def _overhead(where: Slice) -> dict[str, float]:
    return dict(json.loads(run(where, "overhead").stdout))
