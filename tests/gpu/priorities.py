"""Priorities on a real card: who goes first runs as if alone, and who makes way is back at once.

Two programs, each in a slice of ``hetero run``, the first of which sees to precedence, as on any machine without an
agent.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure
from tests.gpu.compute import kernel_ns
from tests.gpu.rates import MS, WINDOW, Ran, settled, share_below
from tests.gpu.runs import BARE
from tests.gpu.talks import Talk, by_hetero, program, talking

BACK = 200 * MS
"""From the end of the one to the full speed of the other."""

SHORT = 500_000
LONG = 10_000_000
AHEAD = {SHORT: "8", LONG: "2"}
MANY = 100_000


@dataclass(frozen=True)
class Tenant:
    """One of the two.

    Attributes:
        kernel: What its kernels take, ns.
        cores: Percent of the card's time; None for no limit.
    """

    kernel: int = SHORT
    cores: int | None = None


PAIRS = {
    "without limits": (Tenant(), Tenant()),
    "30 and 60 %": (Tenant(cores=30), Tenant(cores=60)),
    "beside kernels of 10 ms": (Tenant(), Tenant(kernel=LONG)),
}


def measure(brief: bool = False) -> list[Figure]:
    """All pairs, each for some ten seconds; in brief for less, which is what a rehearsal needs."""
    with tempfile.TemporaryDirectory(prefix="hetero-gpu-") as directory:
        pairs = Pairs(Path(directory), 1.0 if brief else 2.0)
        return [figure for name in PAIRS for figure in pairs.figures(name)]


class Pairs:
    """What runs beside each other.

    Args:
        directory: Of the slices.
        seconds: For which each phase lasts.
    """

    def __init__(self, directory: Path, seconds: float) -> None:
        self._directory = directory
        self._seconds = seconds
        self._iterations = MANY / kernel_ns(MANY)

    def command(self, tenant: Tenant) -> tuple[str, ...]:
        """The program of a tenant."""
        return program("steady.py", str(round(tenant.kernel * self._iterations)), AHEAD[tenant.kernel])

    def start(self, stack: ExitStack, tenant: Tenant, priority: int) -> Talk:
        """One in a slice, ready."""
        started = by_hetero(self._directory, *self.command(tenant), cores=tenant.cores, priority=priority)
        talk = stack.enter_context(talking(*started))
        talk.hear()
        return talk

    def alone(self, tenant: Tenant, priority: int, bare: bool = False) -> Ran:
        """One with nobody beside it."""
        with ExitStack() as stack:
            if bare:
                talk = stack.enter_context(talking(self.command(tenant), BARE.environment()))
                talk.hear()
            else:
                talk = self.start(stack, tenant, priority)
            return Ran(**talk.ask(f"0 {self._seconds}"))

    def together(self, first: Tenant, second: Tenant) -> tuple[Ran, Ran]:
        """The second runs all the time, the first in the middle of it."""
        with ExitStack() as stack:
            low, high = self.start(stack, second, 1), self.start(stack, first, 0)
            begin = time.monotonic() + 0.2
            low.tell(f"{begin} {3 * self._seconds}")
            high.tell(f"{begin + self._seconds} {self._seconds}")
            return Ran(**high.hear()), Ran(**low.hear())

    def figures(self, name: str) -> list[Figure]:
        """Of one pair."""
        first, second = PAIRS[name]
        solo, speed = self.alone(first, 0).whole(), self.alone(second, 1).whole()
        high, low = self.together(first, second)
        figures = [*_first(name, high, solo), *_second(name, high, low, speed, window=max(WINDOW, 10 * second.kernel))]
        if second.cores is None:
            bare = 100 * speed / self.alone(second, 1, bare=True).whole()
            figures.append(Figure(f"{name}: the lower one alone, of its speed in no slice", bare, "%", ">= 97"))
        return figures


def _first(name: str, high: Ran, solo: float) -> list[Figure]:
    worst = min(high.windows(high.begun, high.over, BACK), default=0.0)
    return [
        Figure(f"{name}: the higher one while both run, of its speed alone", 100 * high.whole() / solo, "%", ">= 95"),
        Figure(f"{name}:   in the slowest 200 ms", 100 * worst / solo, "%"),
    ]


def _second(name: str, high: Ran, low: Ran, speed: float, window: int) -> list[Figure]:
    before = low.windows(low.begun, high.begun, window)
    back = settled(low.windows(high.over, low.over, window), lambda rate: rate >= 0.9 * speed, window)
    later = 100 * low.rate(high.over + BACK, low.over) / speed
    meanwhile = 100 * low.rate(high.begun + BACK, high.over) / speed
    resting = 100 * low.rate(low.begun, high.begun) / speed
    return [
        Figure(f"{name}: the lower one beside one that rests, of its speed alone", resting, "%", ">= 97"),
        Figure(f"{name}:   windows of {window // MS} ms below 90 %", share_below(before, 0.9 * speed), "%"),
        Figure(f"{name}: the lower one while both run", meanwhile, "%"),
        Figure(f"{name}: the lower one is back at 90 %, after", back, "ms", "<= 200"),
        Figure(f"{name}: its speed from 200 ms on", later, "%", ">= 95"),
    ]
