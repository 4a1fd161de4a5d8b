"""Limits that are changed while programs run on a real card: how soon each follows, and how near it comes.

Cores are written as whoever keeps a slice writes them, priorities by ``hetero change``.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from hetero.enforcement import region
from tests.bench.figures import Figure
from tests.gpu.compute import kernel_ns
from tests.gpu.priorities import AHEAD, MANY, SHORT
from tests.gpu.rates import MS, Ran, settled
from tests.gpu.talks import Talk, by_hetero, hetero, program, talking

SECOND = 1000 * MS
WIDTH = 100 * MS
CORES = (80, 20, 50)


def measure(brief: bool = False) -> list[Figure]:
    """Both; nothing is left out in brief, which takes twenty seconds."""
    del brief
    with tempfile.TemporaryDirectory(prefix="hetero-gpu-") as directory:
        changes = Changes(Path(directory))
        return [*changes.cores(), *changes.priority()]


class Changes:
    """Programs whose slices are changed.

    Args:
        directory: Of the slices.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        iterations = round(MANY * SHORT / kernel_ns(MANY))
        self._command = program("steady.py", str(iterations), AHEAD[SHORT])
        self._ns = kernel_ns(iterations)

    def _start(self, stack: ExitStack, cores: int | None = None) -> tuple[Talk, Path]:
        """One in a slice, ready, and where that is."""
        slices = self._directory / "slices"
        before = set(slices.iterdir()) if slices.exists() else set()
        talk = stack.enter_context(talking(*by_hetero(self._directory, *self._command, cores=cores)))
        talk.hear()
        return talk, (set(slices.iterdir()) - before).pop()

    def cores(self) -> list[Figure]:
        """From one limit to the next, two seconds each."""
        moments = []
        with ExitStack() as stack:
            talk, place = self._start(stack, cores=CORES[0])
            talk.tell(f"0 {2 * len(CORES)}")
            for cores in CORES[1:]:
                time.sleep(2)
                moments.append(time.monotonic_ns())
                region.change(place / "region", 0, cores=cores)
            ran = Ran(**talk.hear())
        figures = []
        for moment, (before, cores) in zip(moments, itertools.pairwise(CORES), strict=True):
            name = f"from {before} to {cores} % of compute"
            figures += _followed(name, ran, moment, cores, self._ns)
        return figures

    def priority(self) -> list[Figure]:
        """Two that are equal; one of them goes first for three seconds, and then no longer."""
        with ExitStack() as stack:
            first, place = self._start(stack)
            solo = Ran(**first.ask("0 1")).whole()
            second, _ = self._start(stack)
            begin = time.monotonic() + 0.2
            first.tell(f"{begin} 10")
            second.tell(f"{begin} 10")
            time.sleep(begin + 2 - time.monotonic())
            raised = self._change(place, 0)
            time.sleep(3)
            lowered = self._change(place, 1)
            one, other = Ran(**first.hear()), Ran(**second.hear())
        return _went_first(one, other, raised, lowered, solo)

    def _change(self, place: Path, priority: int) -> int:
        """When the command was over."""
        hetero(self._directory, "change", place.name, "--priority", str(priority))
        return time.monotonic_ns()


def _followed(name: str, ran: Ran, moment: int, cores: int, ns: int) -> list[Figure]:
    shares = [rate * ns / 1e7 for rate in ran.windows(moment, moment + 2 * SECOND - WIDTH, WIDTH)]
    after = settled(shares, lambda share: abs(share - cores) <= 5, WIDTH)
    error = abs(ran.rate(moment + SECOND, moment + 2 * SECOND - WIDTH) * ns / 1e7 - cores)
    return [
        Figure(f"{name}: followed to 5 points, after", after, "ms", "<= 1000"),
        Figure(f"{name}: error from a second on", error, "points", "<= 3"),
    ]


def _went_first(one: Ran, other: Ran, raised: int, lowered: int, solo: float) -> list[Figure]:
    def after(ran: Ran, moment: int, least: float) -> float:
        rates = ran.windows(moment, moment + 2 * SECOND, WIDTH)
        return settled(rates, lambda rate: rate >= least * solo, WIDTH)

    first = 100 * one.rate(raised + SECOND, lowered) / solo
    again = 100 * other.rate(lowered + SECOND, min(one.over, other.over)) / solo
    before = 100 * one.rate(raised - SECOND, raised) / solo
    return [
        Figure("equals: the one, of its speed alone", before, "%"),
        Figure(
            "priority 1 to 0: it has nine tenths of its speed alone, after", after(one, raised, 0.9), "ms", "<= 1000"
        ),
        Figure("priority 1 to 0: its speed from a second on, of that alone", first, "%", ">= 95"),
        Figure("priority 0 to 1: the other has a third of it, after", after(other, lowered, 1 / 3), "ms", "<= 1000"),
        Figure("priority 0 to 1: the other from a second on", again, "%"),
    ]
