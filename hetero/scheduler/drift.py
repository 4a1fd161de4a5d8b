"""Counts anew what pods hold, a few nodes at a time, and compares it with what the ledger has charged.

The two are kept in step by every event for months; a difference is a defect of ours, which would show as a device that
is promised twice, or that stays idle. Nothing is repaired here: whoever is told can restart the scheduler, whose ledger
is made from the cluster.
"""

from __future__ import annotations

from hetero import log, metrics
from hetero.model.device import Quantities
from hetero.placement.charges import charges
from hetero.scheduler.cluster import Cluster

_log = log.logger("scheduler")

AT_ONCE = 16
"""Nodes that are looked at each time, twice a second: 5,000 in three minutes."""


class Drift:
    """Looks around. For one thread.

    Args:
        cluster: What is compared; its lock is held for one node at a time.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._left: list[str] = []
        self._wrong: dict[str, frozenset[str]] = {}

    def look(self) -> None:
        """Look at the next nodes."""
        if not self._left:
            self._begin()
        for _ in range(min(AT_ONCE, len(self._left))):
            node = self._left.pop()
            self._note(node, self._compare(node))
            metrics.checked.add()
        metrics.drift.set(sum(map(len, self._wrong.values())))

    def _begin(self) -> None:
        with self._cluster.lock:
            self._left = self._cluster.planner.everywhere()
        there = set(self._left)
        self._wrong = {node: wrong for node, wrong in self._wrong.items() if node in there}

    def _compare(self, node: str) -> frozenset[str]:
        """The devices of a node whose charges differ."""
        with self._cluster.lock:
            planner = self._cluster.planner
            charged, held = planner.taken(node), self._held(node)
        return frozenset(uuid for uuid in {*charged, *held} if charged.get(uuid) != held.get(uuid))

    def _held(self, node: str) -> dict[str, Quantities]:
        """What the pods of a node come to; nothing of what is none."""
        total: dict[str, Quantities] = {}
        for key in self._cluster.books.keys_on(node):
            placement = self._cluster.planner.charged(key)
            for uuid, quantities in charges(placement).items() if placement and placement.node == node else ():
                sums = total.setdefault(uuid, {})
                for name, amount in quantities.items():
                    sums[name] = sums.get(name, 0) + amount
        positive = {uuid: {name: amount for name, amount in one.items() if amount} for uuid, one in total.items()}
        return {uuid: one for uuid, one in positive.items() if one}

    def _note(self, node: str, wrong: frozenset[str]) -> None:
        for uuid in sorted(wrong - self._wrong.get(node, frozenset())):
            _log.error("the ledger is not what pods hold; restart the scheduler, and report it", node=node, device=uuid)
        if wrong:
            self._wrong[node] = wrong
        else:
            self._wrong.pop(node, None)
