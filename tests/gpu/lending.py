"""Idle compute of a real card, lent: what there is of it for one alone, how soon it is back, how soon it is used again.

Two slices of one card, 30 and 60 percent, started by ``hetero run``, which lends by itself. The first one runs all the
time; the other one comes and goes. The policy ``cap`` beside it shows what of that is the card's own.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure
from tests.gpu.compute import kernel_ns
from tests.gpu.priorities import AHEAD, MANY, SHORT
from tests.gpu.rates import MS, WINDOW, Ran, settled
from tests.gpu.runs import BARE
from tests.gpu.talks import Talk, by_hetero, program, talking

SECOND = 1000 * MS
SMALL, LARGE = 30, 60
PERIOD = 200
"""Milliseconds between two looks of who lends."""
SPAN = 3
"""Windows that are looked at together: within one of them it is chance whose turn on the card it is."""


@dataclass(frozen=True)
class Both:
    """What the two did, and the card.

    Attributes:
        whole: Kernels in a second that the card does for one program in no slice.
        small: The one that ran all the time.
        visits: The other one, each time that it came.
    """

    whole: float
    small: Ran
    visits: Sequence[Ran]

    def share(self, ran: Ran, start: int, end: int) -> float:
        """Percent of the card that a program had between two moments."""
        return 100 * ran.rate(start, end) / self.whole

    def alone(self) -> float:
        """Percent for the first one in the last second before each visit."""
        return statistics.mean(self.share(self.small, one.begun - SECOND, one.begun) for one in self.visits)

    def small_beside(self) -> float:
        """Percent for the first one from a second of each visit on."""
        return statistics.mean(self.share(self.small, one.begun + SECOND, one.over) for one in self.visits)

    def large(self) -> float:
        """Percent for the other one from a second of each visit on."""
        return statistics.mean(self.share(one, one.begun + SECOND, one.over) for one in self.visits)

    def come(self) -> float:
        """Milliseconds until the other one has nine tenths of its percentage, or of what it then keeps if that is less.

        Of all visits the longest.
        """
        least = 0.9 * min(LARGE, self.large())
        return max(self._until(one, least, one.begun, one.over) for one in self.visits)

    def again(self, seconds: float) -> float:
        """Milliseconds until the first one has nine tenths of the card after a visit; of all visits the longest."""
        lasting = int(seconds * SECOND)
        return max(self._until(self.small, 90, one.over, one.over + lasting) for one in self.visits)

    def _until(self, ran: Ran, percent: float, start: int, end: int) -> float:
        shares = [100 * rate / self.whole for rate in ran.windows(start, end)]
        means = [statistics.mean(shares[index : index + SPAN]) for index in range(len(shares) - SPAN + 1)]
        return settled(means, lambda share: share >= percent, WINDOW)


def measure(brief: bool = False) -> list[Figure]:
    """Both policies, and loans between two priorities: a minute, in brief half of one."""
    with tempfile.TemporaryDirectory(prefix="hetero-gpu-") as directory:
        loans = Loans(Path(directory), visits=1 if brief else 3)
        return [
            *conserved("conserve", loans.both("conserve"), loans.rest),
            *capped("cap", loans.both("cap")),
            *preceded("conserve, priorities 1 and 0", loans.both("conserve", priority=0), loans.rest),
        ]


class Loans:
    """Two programs, one of which comes and goes.

    Args:
        directory: Of the slices.
        visits: How often it comes.
        rest: Seconds before and behind each visit.
        stay: Seconds that a visit lasts.
    """

    def __init__(self, directory: Path, visits: int, rest: float = 2.0, stay: float = 2.5) -> None:
        self.rest = rest
        self._directory = directory
        self._visits = visits
        self._stay = stay
        iterations = round(MANY * SHORT / kernel_ns(MANY))
        self._command = program("steady.py", str(iterations), AHEAD[SHORT])
        self._whole = self._bare()

    def both(self, policy: str, priority: int = 1) -> Both:
        """Slices of this policy; the one that comes and goes has the priority, the other one has 1."""
        with ExitStack() as stack:
            small, large = self._start(stack, SMALL, policy, 1), self._start(stack, LARGE, policy, priority)
            begin, turn = time.monotonic() + 0.2, self.rest + self._stay
            small.tell(f"{begin} {self._visits * turn + self.rest}")
            # One by one: an answer has to be heard before the next can be written.
            comes = (begin + number * turn + self.rest for number in range(self._visits))
            visits = [Ran(**large.ask(f"{moment} {self._stay}")) for moment in comes]
            return Both(self._whole, Ran(**small.hear()), visits)

    def _bare(self) -> float:
        with talking(self._command, BARE.environment()) as talk:
            talk.hear()
            return Ran(**talk.ask("0 1")).whole()

    def _start(self, stack: ExitStack, cores: int, policy: str, priority: int) -> Talk:
        command = by_hetero(self._directory, *self._command, cores=cores, policy=policy, priority=priority)
        talk = stack.enter_context(talking(*command))
        talk.hear()
        return talk


def conserved(name: str, both: Both, rest: float) -> list[Figure]:
    """What is lent, and comes back."""
    return [
        Figure(f"{name}: 30 % beside 60 that rest", both.alone(), "% of card", ">= 95"),
        Figure(f"{name}: 60 come, and have nine tenths of that after", both.come(), "ms", f"<= {PERIOD}"),
        *_beside(name, both),
        Figure(f"{name}: they rest, and 30 have nine tenths of the card after", both.again(rest), "ms", "<= 400"),
    ]


def capped(name: str, both: Both) -> list[Figure]:
    """The same two where nothing is lent."""
    return [
        Figure(f"{name}: 30 % beside 60 that rest: error", abs(both.alone() - SMALL), "points", "<= 3"),
        Figure(f"{name}: 60 come, and have nine tenths of that after", both.come(), "ms"),
        *_beside(name, both),
    ]


def preceded(name: str, both: Both, rest: float) -> list[Figure]:
    """Loans beside a slice that others make way for: theirs is idle then, too."""
    return [
        Figure(f"{name}: the lower one beside one that rests", both.alone(), "% of card", ">= 95"),
        Figure(f"{name}: the higher one comes, and has nine tenths of its 60 after", both.come(), "ms", f"<= {PERIOD}"),
        Figure(f"{name}: from a second on it has", both.large(), "% of card", ">= 95"),
        Figure(f"{name}: and the lower one", both.small_beside(), "% of card", "<= 3"),
        Figure(f"{name}: it rests, the lower one has nine tenths of the card after", both.again(rest), "ms", "<= 400"),
    ]


def _beside(name: str, both: Both) -> list[Figure]:
    small, large = both.small_beside(), both.large()
    return [
        Figure(f"{name}: 30 % while both run", small, "% of card", f">= {SMALL - 3}"),
        Figure(f"{name}: 60 % while both run", large, "% of card", f">= {LARGE - 3}"),
        Figure(f"{name}: both together", small + large, "% of card"),
    ]
