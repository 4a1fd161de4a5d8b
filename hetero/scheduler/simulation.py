"""Filters and scores nodes that are given in full, and promises nothing.

The cluster autoscaler asks so, for nodes that do not exist yet, and so does a scheduler that relies on no cache of
ours. Nodes that the cluster has are judged with what runs there, others by their own inventory, empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hetero import log
from hetero.errors import HeteroError, InvalidValue
from hetero.kube import objects
from hetero.model.ask import PodAsk
from hetero.model.device import Inventory
from hetero.placement import Planner
from hetero.scheduler import nodes, verdicts
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.verdicts import Verdict

_log = log.logger("scheduler")

_read = msgspec.json.Decoder(objects.Node).decode


def named(items: Sequence[msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The nodes by name, in their order.

    Raises:
        InvalidValue: One of them is no node.
    """
    try:
        return {_read(item).metadata.name: item for item in items}
    except msgspec.MsgspecError as error:
        raise InvalidValue("Nodes.items", "an item", f"is no node: {error}") from error


def fitting(cluster: Cluster, ask: PodAsk, priority: int, items: dict[str, msgspec.Raw]) -> Verdict:
    """Where the pod fits; as :func:`hetero.scheduler.verdicts.fitting`."""
    there, strangers = _told_apart(cluster, items)
    verdict = verdicts.fitting(cluster, ask, priority, there)
    if not strangers:
        return verdict
    options = _alone(cluster, items, strangers).options(ask)
    fits, failed, unresolvable = options.split(strangers)
    fitting = {*verdict.fits, *fits}
    return Verdict(
        [name for name in items if name in fitting],
        verdict.failed | failed,
        verdict.unresolvable | unresolvable,
        "; ".join(filter(None, [verdict.summary, options.summary(strangers)])) if not fitting else "",
    )


def scored(cluster: Cluster, ask: PodAsk, items: dict[str, msgspec.Raw]) -> dict[str, int]:
    """How good each node is; as :func:`hetero.scheduler.verdicts.scored`. Strangers are all alike: 1 where it fits."""
    there, strangers = _told_apart(cluster, items)
    found, _ = verdicts.scored(cluster, ask, there)
    if strangers:
        fits, _, _ = _alone(cluster, items, strangers).options(ask).split(strangers)
        found |= dict.fromkeys(fits, 1)
    return found


def _told_apart(cluster: Cluster, items: dict[str, msgspec.Raw]) -> tuple[list[str], list[str]]:
    """The names that the cluster has, and those that it has not."""
    with cluster.lock:
        there = [name for name in items if name in cluster.nodes]
    known = set(there)
    return there, [name for name in items if name not in known]


def _alone(cluster: Cluster, items: dict[str, msgspec.Raw], names: Sequence[str]) -> Planner:
    """A planner of nodes that nothing runs on."""
    planner = cluster.new_planner(Inventory())
    for name in names:
        try:
            node = nodes.node(_read(items[name]))
            if node is not None:
                planner.put_node(node)
        except HeteroError as error:
            _log.warning("a simulated node's inventory cannot be used", node=name, reason=str(error))
    return planner
