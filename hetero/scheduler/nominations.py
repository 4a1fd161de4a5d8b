"""Pods that preemption has promised a node, while those that make room for them end.

kube-scheduler counts them when it filters pods of the same or a lower priority, and tells no extender. Without this the
devices of the first victim that ends would go to whoever is filtered next.
Source: Kubernetes, pkg/scheduler/framework/runtime, RunFilterPluginsWithNominatedPods.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from hetero.model.ask import PodAsk
from hetero.model.placement import Placement
from hetero.model.share import Refusal
from hetero.placement import Planner

KEPT = "its devices are kept for a pod of the same or a higher priority that waits for them"
"""Why a node does not serve; removing yet more pods may help, so it is no final refusal."""

MOST = 64
"""Nodes of one pod that are looked at, a few placements each: the event loop waits."""


@dataclass(frozen=True)
class Nomination:
    """A pod and the node that it was promised."""

    ask: PodAsk
    node: str
    priority: int

    @cached_property
    def families(self) -> frozenset[tuple[str, str]]:
        """What kinds of devices it waits for."""
        return families(self.ask)


class Nominations:
    """At most one for each pod. Not for several threads at once.

    Args:
        planner: Where the pods will be charged.
    """

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._all: dict[str, Nomination] = {}

    def put(self, nomination: Nomination) -> None:
        """A pod was promised a node, or another one."""
        self._all[nomination.ask.key] = nomination

    def drop(self, key: str) -> bool:
        """A pod is promised none any more; true when it was."""
        return self._all.pop(key, None) is not None

    def only(self, keys: Collection[str]) -> None:
        """All pods that there are; the promises of others are void."""
        for key in [key for key in self._all if key not in keys]:
            del self._all[key]

    def __len__(self) -> int:
        return len(self._all)

    def kept_from(self, ask: PodAsk, priority: int, names: Collection[str]) -> set[str]:
        """Of these nodes, those where a pod would take what others were promised.

        O(promises of the same or a higher priority), and for each of :data:`MOST` nodes at most about as much as a few
        placements. Beyond that, nodes are kept without a look.
        """
        by_node = self._rivals(ask, priority, names)
        kept: set[str] = set()
        for number, (node, those) in enumerate(by_node.items()):
            if number >= MOST or not self._fits_beside(ask, node, those):
                kept.add(node)
        return kept

    @contextmanager
    def seated(self, ask: PodAsk, priority: int, node: str) -> Iterator[bool]:
        """The node as if those that a pod must not push away had got their places on it already.

        Within the block they are charged. False when one of them does not fit yet.
        """
        with self._seated(node, self._rivals(ask, priority, {node}).get(node, [])) as seated:
            yield seated

    def _rivals(self, ask: PodAsk, priority: int, names: Collection[str]) -> dict[str, list[Nomination]]:
        """Promises on these nodes that the pod must not take from, for devices of the kinds that it asks."""
        by_node: dict[str, list[Nomination]] = {}
        if not self._all:
            return by_node
        among, kinds = set(names), families(ask)
        for one in self._all.values():
            if one.node in among and one.priority >= priority and one.ask.key != ask.key and one.families & kinds:
                by_node.setdefault(one.node, []).append(one)
        return by_node

    def _fits_beside(self, ask: PodAsk, node: str, those: Iterable[Nomination]) -> bool:
        """True when the pod fits on the node after all of those have got their places."""
        with self._seated(node, those) as seated:
            return seated and isinstance(self._planner.place_on(ask, node), Placement)

    @contextmanager
    def _seated(self, node: str, those: Iterable[Nomination]) -> Iterator[bool]:
        charged: list[str] = []
        try:
            yield all(self._seat(one, node, charged) for one in sorted(those, key=lambda one: -one.priority))
        finally:
            for key in charged:
                self._planner.free(key)

    def _seat(self, one: Nomination, node: str, charged: list[str]) -> bool:
        if self._planner.charged(one.ask.key) is not None:
            return True  # it is on its way: a grant keeps its place
        place = self._planner.place_on(one.ask, node)
        if isinstance(place, Refusal):
            return False
        self._planner.charge(place, one.ask.traits)
        charged.append(one.ask.key)
        return True


def families(ask: PodAsk) -> frozenset[tuple[str, str]]:
    """Vendor and family of all devices that a pod asks."""
    containers = (*ask.containers, *ask.init_containers)
    return frozenset((one.vendor, one.family) for container in containers for one in container.asks)
