"""Which pods must go so that a more important one fits: kube-scheduler's victims, and as few more as needed.

kube-scheduler chooses victims by the totals of a node. What it cannot see is which device they hold, so more may have
to go, or the node does not serve at all. It takes any pod of the node for a victim and demands at least one for each
node that is answered. Disruption budgets of victims that are added here are not looked at.
Source: Kubernetes, pkg/scheduler/framework/preemption, callExtenders; pkg/scheduler/extender.go, convertToVictims.
"""

from __future__ import annotations

from collections.abc import Mapping

from hetero.model.ask import PodAsk
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.protocol import MetaPod, MetaVictims


def victims(
    cluster: Cluster, ask: PodAsk, priority: int, candidates: Mapping[str, MetaVictims]
) -> dict[str, MetaVictims]:
    """The nodes that serve when pods are removed, each with all pods that must go; others are left out.

    Args:
        cluster: What the pods hold.
        ask: What the pod asks.
        priority: The pod's; only lower ones are added.
        candidates: Node name to the victims that kube-scheduler chose, which are kept.
    """
    if not ask.asks_devices:
        return dict(candidates)
    found: dict[str, MetaVictims] = {}
    with cluster.lock:
        for node, chosen in candidates.items():
            more = _more(cluster, ask, priority, node, [pod.uid for pod in chosen.pods or ()])
            pods = (*(chosen.pods or ()), *(MetaPod(uid=key) for key in more or ()))
            if more is not None and pods:
                found[node] = MetaVictims(pods=pods, violations=chosen.violations)
    return found


def _more(cluster: Cluster, ask: PodAsk, priority: int, node: str, given: list[str]) -> list[str] | None:
    """Those that must go as well; None when not even that helps."""
    removable = cluster.books.removable(node, priority)
    known = [key for key in given if cluster.books.node_of(key) == node]
    gone = cluster.planner.victims(ask, node, [key for key in removable if key not in known], known)
    return None if gone is None else [key for key in gone if key not in given]
