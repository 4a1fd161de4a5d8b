"""How fast a program ran from moment to moment, by when its kernels ended. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MS = 1_000_000
WINDOW = 20 * MS
STEADY = 3
"""Windows in a row that have to be as they should, for the first of them to count."""


@dataclass(frozen=True)
class Ran:
    """What a program did, by CLOCK_MONOTONIC in ns.

    Attributes:
        begun: When it began to launch.
        ended: When each kernel had ended, in order.
    """

    begun: int
    ended: Sequence[int]

    @property
    def over(self) -> int:
        """The end of its last kernel."""
        return self.ended[-1]

    def rate(self, start: int, end: int) -> float:
        """Kernels in a second between two moments."""
        kernels = bisect.bisect_right(self.ended, end) - bisect.bisect_right(self.ended, start)
        return kernels * 1e9 / (end - start)

    def whole(self) -> float:
        """Kernels in a second from its begin to its last kernel's end."""
        return self.rate(self.begun, self.over)

    def windows(self, start: int, end: int, width: int = WINDOW) -> list[float]:
        """Kernels in a second, window by window; a window that is not full is left out."""
        return [self.rate(moment, moment + width) for moment in range(start, end - width + 1, width)]


def settled(rates: Sequence[float], good: Callable[[float], bool], width: int = WINDOW) -> float:
    """Milliseconds until a program runs as it should and goes on so; the length of all windows if it never does."""
    for index in range(len(rates) - STEADY + 1):
        if all(map(good, rates[index : index + STEADY])):
            return index * width / MS
    return len(rates) * width / MS


def share_below(rates: Sequence[float], least: float) -> float:
    """Percent of the windows that are slower."""
    return 100 * sum(rate < least for rate in rates) / len(rates)
