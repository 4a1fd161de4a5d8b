"""Pods that preemption has promised a node, while those that make room for them end.

kube-scheduler counts them when it filters pods of the same or a lower priority, and tells no extender. Without this the
devices of the first victim that ends would go to whoever is filtered next.
Source: Kubernetes, pkg/scheduler/framework/runtime, RunFilterPluginsWithNominatedPods.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hetero.model.ask import PodAsk
from hetero.model.placement import Placement
from hetero.model.share import Refusal
from hetero.placement import Planner

KEPT = "its devices are kept for a pod of the same or a higher priority that waits for them"
"""Why a node does not serve; removing yet more pods may help, so it is no final refusal."""


@dataclass(frozen=True)
class Nomination:
    """A pod and the node that it was promised."""

    ask: PodAsk
    node: str
    priority: int


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

    def kept_from(self, ask: PodAsk, priority: int) -> set[str]:
        """The nodes where a pod would take what others were promised.

        O(promises of the same or a higher priority), each about as costly as a placement on one node.
        """
        by_node: dict[str, list[Nomination]] = {}
        for nomination in self._all.values():
            if nomination.priority >= priority and nomination.ask.key != ask.key:
                by_node.setdefault(nomination.node, []).append(nomination)
        return {node for node, those in by_node.items() if not self._fits_beside(ask, node, those)}

    def _fits_beside(self, ask: PodAsk, node: str, those: Iterable[Nomination]) -> bool:
        """True when the pod fits on the node after all of those have got their places."""
        charged: list[str] = []
        try:
            for one in sorted(those, key=lambda one: -one.priority):
                if self._planner.charged(one.ask.key) is not None:
                    continue  # it is on its way: a grant keeps its place
                place = self._planner.place_on(one.ask, node)
                if isinstance(place, Refusal):
                    return False
                self._planner.charge(place, one.ask.traits)
                charged.append(one.ask.key)
            return isinstance(self._planner.place_on(ask, node), Placement)
        finally:
            for key in charged:
                self._planner.free(key)
