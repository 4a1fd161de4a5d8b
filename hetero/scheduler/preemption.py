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

ENOUGH = 32
"""Nodes that are answered at most; each takes milliseconds to look at, and one of them is taken."""

_LOWEST = -(2**31)


def victims(
    cluster: Cluster, ask: PodAsk, priority: int, candidates: Mapping[str, MetaVictims]
) -> dict[str, MetaVictims]:
    """The nodes that serve when pods are removed, each with all pods that must go; others are left out.

    kube-scheduler takes one of them. They are looked at in the order of its own preferences, and when :data:`ENOUGH`
    serve the rest is left out as well. For a thread of its own: the lock is held for one node at a time.

    Args:
        cluster: What the pods hold.
        ask: What the pod asks.
        priority: The pod's; only lower ones are added.
        candidates: Node name to the victims that kube-scheduler chose, which are kept.
    """
    if not ask.asks_devices:
        return dict(candidates)
    found: dict[str, MetaVictims] = {}
    for node in sorted(candidates, key=lambda node: _cost(cluster, candidates[node])):
        chosen = candidates[node]
        with cluster.lock, cluster.nominations.seated(ask, priority, node) as seated:
            more = None if not seated else _more(cluster, ask, priority, node, [pod.uid for pod in chosen.pods or ()])
        pods = (*(chosen.pods or ()), *(MetaPod(uid=key) for key in more or ()))
        if more is not None and pods:
            found[node] = MetaVictims(pods=pods, violations=chosen.violations)
        if len(found) == ENOUGH:
            break
    return found


def _cost(cluster: Cluster, chosen: MetaVictims) -> tuple[int, int, int]:
    """How much a node costs, as kube-scheduler compares: broken budgets, the most important victim, their number.

    Source: Kubernetes, pkg/scheduler/framework/preemption, pickOneNodeForPreemption.
    """
    pods = chosen.pods or ()
    with cluster.lock:
        known = [priority for pod in pods if (priority := cluster.books.priority_of(pod.uid)) is not None]
    return chosen.violations, max(known, default=_LOWEST), len(pods)


def _more(cluster: Cluster, ask: PodAsk, priority: int, node: str, given: list[str]) -> list[str] | None:
    """Those that must go as well; None when not even that helps."""
    removable = cluster.books.removable(node, priority)
    known = [key for key in given if cluster.books.node_of(key) == node]
    # Of equals those are spared last that are on a device which a victim leaves: few more have to go there.
    left = {uuid for key in known for uuid in _devices(cluster, key)}
    others = [key for key in removable if key not in known]
    others.sort(key=lambda key: (-(cluster.books.priority_of(key) or 0), not left.isdisjoint(_devices(cluster, key))))
    gone = cluster.planner.victims(ask, node, others, known)
    return None if gone is None else [key for key in gone if key not in given]


def _devices(cluster: Cluster, key: str) -> set[str]:
    """Identities of the devices that a pod is charged to."""
    placement = cluster.planner.charged(key)
    containers = placement.containers if placement else ()
    return {share.device for container in containers for share in container.devices}
