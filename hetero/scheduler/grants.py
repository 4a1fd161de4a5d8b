"""Places that are promised and not yet seen in the cluster: from the prediction until the informer shows the pod bound.

A book and nothing else: who keeps it charges the planner. Time is given by a monotonic clock that is passed in.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hetero.model.placement import Placement

Clock = Callable[[], float]


class Kind(enum.StrEnum):
    """How far a promise has come."""

    TENTATIVE = "tentative"  # predicted: kube-scheduler will probably choose this node
    BINDING = "binding"  # the Binding is under way
    UNKNOWN = "unknown"  # the Binding was sent and not answered: it may have been carried out, or still be
    BOUND = "bound"  # the API server took it; the informer has not shown it yet


@dataclass(frozen=True)
class Grant:
    """One pod's promised place.

    Attributes:
        placement: What is promised.
        kind: How far it has come.
        since: When it came so far, by the clock.
    """

    placement: Placement
    kind: Kind
    since: float


class Grants:
    """One grant at most for each pod. Not for several threads at once.

    Args:
        clock: Seconds, rising.
        seconds: How long a tentative grant holds.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self._tentative: OrderedDict[str, Grant] = OrderedDict()  # the oldest first, so that the expired are in front
        self._firm: dict[str, Grant] = {}

    def get(self, key: str) -> Grant | None:
        """The pod's grant."""
        return self._firm.get(key) or self._tentative.get(key)

    def put(self, placement: Placement, kind: Kind) -> Grant:
        """Promise a place; it replaces what the pod was promised before."""
        self.drop(placement.key)
        grant = Grant(placement, kind, self.clock())
        self._book(kind)[placement.key] = grant
        return grant

    def restore(self, grant: Grant) -> None:
        """Let a pod's grant be what it was, and since then."""
        self.drop(grant.placement.key)
        self._book(grant.kind)[grant.placement.key] = grant

    def advance(self, key: str, kind: Kind) -> bool:
        """Let a grant come further; false when there is none any more, for the pod is gone."""
        grant = self.get(key)
        if grant is None:
            return False
        self.put(grant.placement, kind)
        return True

    def drop(self, key: str) -> Grant | None:
        """Forget a pod's grant, and say what it was."""
        return self._firm.pop(key, None) or self._tentative.pop(key, None)

    def expired(self) -> Iterator[Grant]:
        """The tentative grants whose time is up; they are dropped one by one as they are given."""
        last = self.clock() - self.seconds
        while self._tentative:
            key, grant = next(iter(self._tentative.items()))
            if grant.since > last:
                return
            del self._tentative[key]
            yield grant

    def tentative_on(self, node: str) -> list[Grant]:
        """The tentative ones on a node."""
        return [grant for grant in self._tentative.values() if grant.placement.node == node]

    def firm(self, kind: Kind) -> list[Grant]:
        """Those that have come so far; not for tentative ones."""
        return [grant for grant in self._firm.values() if grant.kind is kind]

    def all(self) -> list[Grant]:
        """Every grant there is."""
        return [*self._tentative.values(), *self._firm.values()]

    def counts(self) -> dict[Kind, int]:
        """How many there are of each kind."""
        found = dict.fromkeys(Kind, 0)
        found[Kind.TENTATIVE] = len(self._tentative)
        for grant in self._firm.values():
            found[grant.kind] += 1
        return found

    def _book(self, kind: Kind) -> dict[str, Grant]:
        return self._tentative if kind is Kind.TENTATIVE else self._firm
