"""Why pods wait: what the planner says of them, looked up as far as somebody wants to know and time allows.

A sentence over 5,000 nodes takes the planner some milliseconds, under the lock that the informers wait for. So pods
that ask alike are looked at once, what has not changed is not looked at again, and what there is no time for keeps the
sentence that it had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

import msgspec

from hetero.errors import HeteroError
from hetero.model.ask import PodAsk
from hetero.scheduler.cluster import Cluster
from hetero.web.pods import Kept
from hetero.web.scene import Finding

SHARE = 0.2
"""Of one processor, in the long run."""

SAVED = 0.4
"""Seconds that may be spent at once, when nothing was spent for a while."""

_MOST = 4096  # different asks that are remembered


class Reasons:
    """Called with a pod that waits. Not for several threads at once.

    Args:
        cluster: Where pods are to go.
        revision: Changes with the ledger and the quotas.
        clock: Seconds, rising.
        share: Of one processor, that may be spent in the long run.

    Attributes:
        late: How often an older sentence was given, or none, because there was no time.
    """

    def __init__(
        self,
        cluster: Cluster,
        revision: Callable[[], Hashable],
        clock: Callable[[], float] = time.perf_counter,
        share: float = SHARE,
    ) -> None:
        self._cluster = cluster
        self._revision = revision
        self._clock = clock
        self._share = share
        self._known: dict[PodAsk, tuple[Hashable, Finding]] = {}
        self._left = SAVED
        self._looked = clock()
        self.late = 0

    def __call__(self, pod: Kept) -> Finding:
        """Why it waits, as well as it is known."""
        if pod.ask is None:
            return Finding(reason=pod.wrong)
        kind = msgspec.structs.replace(pod.ask, name="", uid="")
        now = self._revision()
        stamp, found = self._known.get(kind, (None, Finding()))
        if stamp == now:
            return found
        if not self._may():
            self.late += 1
            return found
        if len(self._known) >= _MOST:
            self._known.clear()
        began = self._clock()
        found = finding(self._cluster, kind)
        self._left -= self._clock() - began
        self._known[kind] = now, found
        return found

    def _may(self) -> bool:
        now = self._clock()
        self._left = min(self._left + (now - self._looked) * self._share, SAVED)
        self._looked = now
        return self._left > 0


def finding(cluster: Cluster, ask: PodAsk) -> Finding:
    """What the planner says of an ask at this moment."""
    try:
        with cluster.lock:
            options = cluster.planner.options(ask)
            if options.best() is not None:
                return Finding(fits=True)
            return Finding(reason=options.summary() or "no node of the cluster has devices")
    except HeteroError as error:
        return Finding(reason=str(error))
