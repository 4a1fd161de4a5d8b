"""Pods that no node served, and which of them to look at again.

kube-scheduler looks at a refused pod again when something changes that may help, and may be quicker than our informer:
it asks within a millisecond of the change, and is refused on the old ledger. No later event comes, and the pod would
wait for minutes. Nor does any event tell of a promise that has expired.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from hetero.kube.objects import Metadata
from hetero.model.ask import PodAsk
from hetero.scheduler.grants import Clock

MOST = 4096
"""Pods that are remembered, the last ones."""

REST = 0.5
"""Seconds after a refusal in which kube-scheduler has its own turn."""

LONGEST = 60.0
"""Seconds between two wakings of one pod at most; they begin with 1 and double."""


@dataclass
class Waiting:
    """A refused pod.

    Attributes:
        pod: Which.
        ask: What it asks.
        priority: Its priority.
        at: How often room had been made when it was refused, or woken last.
        since: When that was, by the clock.
        reason: Why no node served, in a word.
        wakings: How often it was woken since it was first refused.
        due: Not to be woken before, by the clock.
    """

    pod: Metadata
    ask: PodAsk
    priority: int
    at: int
    since: float
    reason: str = ""
    wakings: int = 0
    due: float = 0.0


class Refused:
    """The refused pods. Not for several threads at once.

    Args:
        clock: Seconds, rising.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()

    def note(self, pod: Metadata, ask: PodAsk, priority: int, at: int, reason: str = "") -> None:
        """A pod was refused by every node, when room had been made so often."""
        now = self._clock()
        before = self._waiting.pop(ask.key, None)
        wakings, due = (before.wakings, before.due) if before else (0, 0.0)
        self._waiting[ask.key] = Waiting(pod, ask, priority, at, now, reason, wakings, due)
        if len(self._waiting) > MOST:
            self._waiting.popitem(last=False)

    def drop(self, key: str) -> None:
        """A pod fits, is bound or gone."""
        self._waiting.pop(key, None)

    def due(self, at: int) -> Iterator[Waiting]:
        """Those for whom room may have been made, and whose time it is: the most important first, then the oldest."""
        now = self._clock()
        found = [one for one in self._waiting.values() if one.at < at and one.since + REST <= now and one.due <= now]
        yield from sorted(found, key=lambda one: (-one.priority, one.since))

    def reason(self, key: str) -> str:
        """Why a pod was refused last; empty when it was not, or so long ago that it is forgotten."""
        one = self._waiting.get(key)
        return one.reason if one else ""

    def waits(self, one: Waiting) -> bool:
        """True when that very refusal stands: the pod was not asked for again, bound or deleted."""
        return self._waiting.get(one.ask.key) is one

    def woken(self, one: Waiting, at: int) -> None:
        """A pod was woken, when room had been made so often."""
        now = self._clock()
        one.at, one.due = at, now + min(LONGEST, 2.0**one.wakings)
        one.wakings = min(one.wakings + 1, 16)

    def __len__(self) -> int:
        return len(self._waiting)
