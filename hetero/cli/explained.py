"""Why a pod of a cluster is where it is, or where it is not: the facts, before anybody prints them. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hetero.kube.objects import Object, Pod, PodStatus
from hetero.model.device import CORES, MEMORY
from hetero.model.placement import Placement
from hetero.model.share import Reason, Refusal

if TYPE_CHECKING:
    from hetero.cli.live import Snapshot
    from hetero.model.ask import PodAsk
    from hetero.placement.options import Options
    from hetero.placement.quota import Quota


UNITS = {MEMORY: "MiB", CORES: "percent"}
"""Of the amounts of quotas; devices have none."""


DETAILED = 500
"""Nodes without room for which figures are found one by one, a millisecond or two each."""


class State(enum.StrEnum):
    """What can be said of a pod."""

    ASKS_NOTHING = "asks no device"
    OVER = "over"
    PLACED = "placed"
    UNCHARGED = "bound without a placement"
    FITS = "waits, fits"
    UNPLACED = "waits, fits nowhere"


class Condition(Object, frozen=True):
    """One of a pod's ``status.conditions``."""

    type: str = ""
    status: str = ""
    message: str | None = None


class ShownStatus(PodStatus, frozen=True, kw_only=True):
    """``status`` of a pod, with what others say of it."""

    conditions: tuple[Condition, ...] | None = None


class ShownPod(Pod, frozen=True, kw_only=True):
    """A pod that is explained."""

    status: ShownStatus = ShownStatus()

    @property
    def remark(self) -> str:
        """What kube-scheduler says of a pod that it could not place; empty when it says nothing."""
        scheduled = (one for one in self.status.conditions or () if one.type == "PodScheduled")
        return next((one.message or "" for one in scheduled if one.status == "False"), "")


@dataclass(frozen=True)
class Explained:
    """What is known of a pod.

    Attributes:
        pod: The pod.
        state: What can be said of it.
        sentence: The same, for people, without its name.
        placement: What it holds, or what it would get on the best node.
        scores: Nodes with room, with the score of each after placing (0 to 1), the best first.
        refusals: The other nodes, with the reasons.
        summary: The same over all nodes, as the event on the pod has it: for each reason the most that there is.
        remarks: What else its owner should know.
        quotas: A row for each limit of a quota of its namespace that counts it.
    """

    pod: ShownPod
    state: State
    sentence: str
    placement: Placement | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    summary: str = ""
    remarks: tuple[str, ...] = ()
    quotas: tuple[dict[str, Any], ...] = ()


def explain(pod: ShownPod, snapshot: Snapshot, scheduler_name: str) -> Explained:
    """Explain a pod. O(nodes) where it waits.

    Args:
        pod: The pod.
        snapshot: The cluster that it is in.
        scheduler_name: Ours.

    Raises:
        InvalidRequest: It waits, and what it asks is wrong.
    """
    if not snapshot.cluster.asks.asks_devices(pod):
        return Explained(pod, State.ASKS_NOTHING, "asks no device of an installed vendor")
    if pod.over:
        return Explained(pod, State.OVER, f"is over ({pod.status.phase}) and holds nothing")
    if pod.spec.node_name:
        return _bound(pod, snapshot)
    return _waiting(pod, snapshot, scheduler_name)


def _bound(pod: ShownPod, snapshot: Snapshot) -> Explained:
    from hetero.scheduler.held import placement

    found, node = placement(pod), pod.spec.node_name
    if isinstance(found, Placement):
        return Explained(pod, State.PLACED, f"is on node {node}", found, quotas=_quotas(pod, snapshot))
    why = "has no placement" if found is None else f"has a placement that does not count ({found})"
    return Explained(pod, State.UNCHARGED, f"is on node {node} but {why}: its devices are charged nowhere")


def _waiting(pod: ShownPod, snapshot: Snapshot, scheduler_name: str) -> Explained:
    planner, ask = snapshot.cluster.planner, snapshot.cluster.asks.read(pod)
    answer = planner.options(ask)
    names = sorted(node.name for node in planner.inventory.nodes)
    fits, now, never = answer.split(names)
    scores = sorted(zip(fits, answer.scores(fits), strict=True), key=lambda pair: (-pair[1], pair[0]))
    best = answer.best()
    placed = planner.place_on(ask, best) if best is not None else None
    refusals = _refusals(answer, {**now, **never})
    where = f"waits, and would go to node {best}" if best is not None else "waits: no node has room"
    return Explained(
        pod,
        State.FITS if best is not None else State.UNPLACED,
        where if names else "waits: no node of the cluster has devices",
        placed if isinstance(placed, Placement) else None,
        dict(scores),
        refusals,
        answer.summary(),
        tuple(_remarks(pod, scheduler_name)),
        _quotas(pod, snapshot, ask),
    )


def _refusals(answer: Options, short: Mapping[str, str]) -> dict[str, Refusal]:
    """Why nodes do not serve: in detail, or without figures where there are so many that it would take long."""
    if len(short) > DETAILED:
        words = {sentence: sentence.partition(": ") for sentence in set(short.values())}
        told = {text: Refusal(reason=Reason(word), message=said) for text, (word, _, said) in words.items()}
        return {name: told[short[name]] for name in sorted(short)}
    found = ((name, answer.refusal(name)) for name in sorted(short))
    return {name: refusal for name, refusal in found if refusal is not None}


def _remarks(pod: ShownPod, scheduler_name: str) -> Iterator[str]:
    named = pod.spec.scheduler_name or "default-scheduler"
    if named != scheduler_name:
        yield f"its scheduler is {named}, and hetero places the pods of {scheduler_name}"
    if pod.remark:
        yield f"kube-scheduler says: {pod.remark}"


def _quotas(pod: ShownPod, snapshot: Snapshot, ask: PodAsk | None = None) -> tuple[dict[str, Any], ...]:
    """Each limit that counts the pod, with what its namespace has of it. O(pods of the namespace)."""
    from hetero.admission.objects import traits
    from hetero.placement.quota import least
    from hetero.placement.scopes import applies

    asked = least(ask) if ask is not None else {}
    return tuple(
        {
            "quota": quota.name,
            "resource": limit.resource,
            "limit": limit.amount,
            "used": used,
            "asked": asked.get(limit.key, 0),
            "unit": UNITS.get(limit.dimension, ""),
        }
        for quota in _of_namespace(pod.metadata.namespace, snapshot)
        if applies(quota.scopes, traits(pod))
        for limit, used in _used(quota, pod.metadata.namespace, snapshot)
    )


def _of_namespace(namespace: str, snapshot: Snapshot) -> Iterator[Quota]:
    from hetero.errors import InvalidValue
    from hetero.scheduler.quotas import quota

    for one in snapshot.quotas:
        if one.metadata.namespace == namespace:
            try:
                yield quota(one, snapshot.cluster.vendors)
            except InvalidValue:  # told in the log when the cluster was read; it holds nobody back
                continue


def _used(quota: Quota, namespace: str, snapshot: Snapshot) -> Iterator[tuple[Any, int]]:
    """Each limit of a quota, with what the pods that it counts hold."""
    from hetero.admission.objects import traits
    from hetero.placement.quota import amounts
    from hetero.placement.scopes import applies
    from hetero.scheduler.held import placement

    counted = [one for one in snapshot.pods if one.metadata.namespace == namespace and not one.over]
    placed = (placement(one) for one in counted if applies(quota.scopes, traits(one)))
    sums = [amounts(one) for one in placed if isinstance(one, Placement)]
    for limit in quota.limits:
        yield limit, sum(one.get(limit.key, 0) for one in sums)
