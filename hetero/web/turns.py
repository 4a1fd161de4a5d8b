"""Whose turn it is to be asked: nodes that somebody looks at first, then all others one after another. Pure.

While nobody looks at any page all are asked more seldom: what the next one sees first is then some minutes old at most,
says so, and is made new at full speed.

Not for several threads at once. Times are seconds on any clock that rises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

WATCHED = 2.0
"""Seconds between two questions to a node that somebody looks at."""

QUIET = 5.0
"""The same for others at least, since agents themselves look at their drivers no more often."""

LOOKED = 20.0
"""Seconds for which a node counts as looked at."""

LONGEST = 300.0
"""Seconds that an agent which does not answer is left alone at most; doubled with each failure until then."""

IDLE = 60.0
"""Seconds since somebody looked at a page after which nobody does; pages that are watched are made oftener."""

SELDOM = 10.0
"""So many times as long is a round then."""

ROUNDS = 3
"""After which what was read is not shown any more."""

SAVED = 1.0
"""Seconds of the budget that may be used at once."""


class Turns:
    """Nodes to ask.

    Args:
        rate: Questions in a second, > 0.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._queue: deque[str] = deque()
        self._nodes: set[str] = set()
        self._looked: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._failed: dict[str, int] = {}
        self._pending: set[str] = set()
        self._budget = max(1.0, rate * SAVED)
        self._then: float | None = None
        self._seen = self._woken = float("-inf")

    @property
    def turn(self) -> float:
        """Seconds that it takes to ask everybody once, while somebody looks."""
        return max(QUIET, len(self._nodes) / self._rate)

    def idle(self, now: float) -> bool:
        """Whether nobody looks at any page."""
        return now - self._seen > IDLE

    def patience(self, now: float) -> float:
        """Seconds that what was read is shown. What was read before somebody came is not dropped before its turn."""
        late = self.idle(now) or now - self._woken <= ROUNDS * self.turn
        return ROUNDS * self.turn * (SELDOM if late else 1.0)

    def only(self, nodes: Iterable[str]) -> None:
        """These are all nodes that can be asked."""
        now = set(nodes)
        new = sorted(now - self._nodes)
        for gone in self._nodes - now:
            for kept in (self._looked, self._asked, self._failed):
                kept.pop(gone, None)
        if now != self._nodes:
            self._queue = deque([*new, *(node for node in self._queue if node in now)])
            self._nodes = now

    def look(self, nodes: Iterable[str], now: float) -> None:
        """Somebody looks at these, or at a page that shows none."""
        if self.idle(now):
            self._woken = now
        self._seen = now
        self._looked.update(dict.fromkeys((node for node in nodes if node in self._nodes), now))

    def next(self, now: float, room: int) -> list[str]:
        """Whom to ask now.

        Args:
            now: The time.
            room: How many may be asked at once at most.
        """
        self._earn(now)
        seldom = SELDOM if self.idle(now) else 1.0
        most = min(room, int(self._budget))
        chosen = self._watched(now, most)
        for _ in range(len(self._queue)):
            if len(chosen) >= most:
                break
            node = self._queue[0]
            self._queue.rotate(-1)
            if node not in chosen and self._may(node, now, self._pause(node, QUIET * seldom)):
                chosen.append(node)
        self._budget -= len(chosen)
        self._pending.update(chosen)
        self._asked.update(dict.fromkeys(chosen, now))
        return chosen

    def answered(self, node: str, *, well: bool) -> None:
        """A node that was asked has answered, or not."""
        self._pending.discard(node)
        if well:
            self._failed.pop(node, None)
        elif node in self._nodes:
            self._failed[node] = self._failed.get(node, 0) + 1

    def _earn(self, now: float) -> None:
        if self._then is None:  # the first round is for whoever looks first
            self._seen = self._then = now
        rate = self._rate / (SELDOM if self.idle(now) else 1.0)
        self._budget = min(self._budget + (now - self._then) * rate, max(1.0, self._rate * SAVED))
        self._then = now

    def _watched(self, now: float, most: int) -> list[str]:
        for node in [node for node, then in self._looked.items() if now - then > LOOKED]:
            del self._looked[node]
        due = [node for node in self._looked if self._may(node, now, self._pause(node, WATCHED))]
        # Who waits longest first: of more than there is room for, all come to their turn.
        return sorted(due, key=lambda node: self._asked.get(node, float("-inf")))[:most]

    def _pause(self, node: str, usual: float) -> float:
        failed = self._failed.get(node, 0)
        return max(usual, min(LONGEST, QUIET * 2.0 ** min(failed, 16))) if failed else usual

    def _may(self, node: str, now: float, pause: float) -> bool:
        return node not in self._pending and now - self._asked.get(node, float("-inf")) >= pause
