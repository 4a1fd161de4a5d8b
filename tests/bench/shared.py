"""How a simulated card is shared: memory by processes that race for it, time by programs beside each other.

Time is that of the card's own clock.
"""

from __future__ import annotations

import re
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shares import FORMS, WORKLOADS, alone, error, together
from simulated import Machine, machine_in

from tests.bench.figures import Figure

LIMITS = (10, 30, 50, 70, 90)
TENANTS = ((30, 70), (10, 20, 30, 40))
SETTLED = slice(2, None)
MIB = 1 << 20


def measure() -> list[Figure]:
    """What eight processes held too much, and how far shares are from what was asked for."""
    return [*_races(), *_alone(), *_tenants(), *_forms()]


@contextmanager
def _machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as directory:
        yield machine_in(Path(directory))


@contextmanager
def _timed() -> Iterator[Machine]:
    with _machine() as machine:
        machine.virtual()
        yield machine


def _races() -> list[Figure]:
    return [
        Figure(f"8 processes racing for 1,000 MiB {how}, more held than that", _overshoot(*options), "bytes", "<= 0")
        for how, options in {"by cuMemAlloc": (), "by all calls": ("--mixed",)}.items()
    ]


def _overshoot(*options: str) -> float:
    """Processes count what they were granted and before they free it: never more than is really held."""
    with _machine() as machine:
        command = ["race", "--limit", "1000m", "--processes", "8", "--seconds", "4", *options]
        answer = machine.run(*command, CUDA_DEVICE_MEMORY_LIMIT="1000m")
        if answer.returncode or "8 of 8 processes ended well" not in answer.stdout:
            raise RuntimeError(f"race: {answer.stdout}{answer.stderr}")
    most = int(re.findall(r"most held together (\d+) MiB", answer.stdout)[0])
    return max(0, most - 1000) * MIB


def _alone() -> list[Figure]:
    figures = []
    for workload in WORKLOADS:
        errors = {}
        for limit in LIMITS:
            with _timed() as machine:
                errors[limit] = error(alone(machine, limit, "--workload", workload, lasting=10), limit)
        worst = max(errors, key=errors.__getitem__)
        name = f"{workload} alone, worst of limits {LIMITS[0]} to {LIMITS[-1]} (at {worst}), error over 1 s"
        figures.append(Figure(name, errors[worst], "points", "<= 2"))
    return figures


def furthest(limits: Sequence[int], means: Sequence[float]) -> float:
    """The largest distance of a mean from its limit."""
    return max(abs(mean - limit) for limit, mean in zip(limits, means, strict=True))


def _tenants() -> list[Figure]:
    figures = []
    for workload in ("gemm", "persistent"):
        for limits in TENANTS:
            with _timed() as machine:
                shares = together(machine, limits, "--workload", workload, lasting=20)
            means = [statistics.mean(tenant[SETTLED]) for tenant in shares]
            name = f"{workload}, tenants {'/'.join(map(str, limits))}"
            figures.append(Figure(f"{name}, furthest from its limit", furthest(limits, means), "points", "<= 3"))
            figures.append(Figure(f"{name}, together", sum(means), "%", ">= 97"))
    return figures


def _forms() -> list[Figure]:
    figures = []
    for form in FORMS:
        with _timed() as machine:
            shares = alone(machine, 30, "--workload", "decode", "--launch", form, lasting=10)
        figures.append(Figure(f"{form} launches at 30 %, error over 1 s", error(shares, 30), "points", "<= 2"))
    return figures
