"""Which pod is looked at next: by priority, then by arrival; one that failed waits, and waits longer each time."""

from __future__ import annotations

import heapq
import itertools
from typing import NamedTuple


class Turn(NamedTuple):
    """A pod's place in the queue; the smallest comes first."""

    rank: int
    arrival: int
    uid: str


class Queue:
    """Not thread-safe, and without a clock: who calls says what time it is.

    Args:
        first: Seconds that a pod waits after its first failure; doubled after each.
        longest: Seconds that it waits at most.
    """

    def __init__(self, first: float = 0.1, longest: float = 2.0) -> None:
        self._first, self._longest = first, longest
        self._arrivals = itertools.count()
        self._turns: dict[str, Turn] = {}
        self._failures: dict[str, int] = {}
        self._ready: list[Turn] = []
        self._waiting: list[tuple[float, Turn]] = []
        self._woken: list[tuple[float, Turn]] = []
        self._shelf: set[str] = set()

    def add(self, uid: str, priority: int = 0) -> None:
        """A pod is there to be placed; nothing changes for one that is known."""
        if uid not in self._turns:
            self._turns[uid] = Turn(-priority, next(self._arrivals), uid)
            heapq.heappush(self._ready, self._turns[uid])

    def remove(self, uid: str) -> None:
        """The pod is bound or gone."""
        self._turns.pop(uid, None)
        self._failures.pop(uid, None)
        self._shelf.discard(uid)

    def later(self, uid: str, now: float) -> None:
        """Something failed: try the pod again after its back-off."""
        if uid in self._turns:
            heapq.heappush(self._waiting, (now + self._delay(uid), self._turns[uid]))

    def shelve(self, uid: str) -> None:
        """No node takes the pod: try it again when something in the cluster has changed."""
        if uid in self._turns:
            self._shelf.add(uid)

    def wake(self, now: float) -> None:
        """Something in the cluster has changed.

        Who waited for that is tried again after a back-off, or at once where there is nothing else to do. So does
        kube-scheduler since 1.33 (``SchedulerPopFromBackoffQ``): it may ask before an extender has heard of the change.
        """
        for uid in tuple(self._shelf):
            self.changed(uid, now)

    def changed(self, uid: str, now: float) -> None:
        """The pod itself has changed, which is reason enough to try it again."""
        if uid in self._shelf:
            self._shelf.discard(uid)
            heapq.heappush(self._woken, (now + self._delay(uid), self._turns[uid]))

    def next(self, now: float) -> str | None:
        """The pod whose turn it is, which leaves the queue until it is put back; None when there is none."""
        for heap in (self._waiting, self._woken):
            while heap and heap[0][0] <= now:
                heapq.heappush(self._ready, heapq.heappop(heap)[1])
        while self._ready or self._woken:
            turn = heapq.heappop(self._ready) if self._ready else heapq.heappop(self._woken)[1]
            if self._turns.get(turn.uid) == turn:
                return turn.uid
        return None

    def _delay(self, uid: str) -> float:
        failures = self._failures.get(uid, 0)
        self._failures[uid] = failures + 1
        return min(self._first * float(1 << min(failures, 16)), self._longest)

    def due(self, now: float) -> float:
        """Seconds until a pod that failed has its turn; infinite when none has."""
        return max(0.0, self._waiting[0][0] - now) if self._waiting else float("inf")
