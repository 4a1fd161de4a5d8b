"""Pods that hold devices or wait for them. Pure, but for what a scene says of why a pod waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hetero.model.quantity import MIB
from hetero.monitoring.report import SliceReport
from hetero.web.cards import made
from hetero.web.finding import Search
from hetero.web.pods import Kept, Sliver
from hetero.web.queries import WorkloadsQuery
from hetero.web.records import Amount, Held, WaitingPod, Workload, Workloads
from hetero.web.scene import Scene

WAITING, PLACED, RUNNING = "waiting", "placed", "running"


def workloads(scene: Scene, query: WorkloadsQuery) -> Workloads:
    """A page of workloads."""
    search = Search(query.search, scene.shape)
    found = [pod for pod in scene.pods.values() if _chosen(scene, pod, query) and _found(scene, pod, search)]
    found.sort(key=lambda pod: (pod.namespace, pod.name))
    if query.sort != "name":
        found.sort(key=_KEYS[query.sort])
    if query.order == "desc":
        found.reverse()
    shown = found[query.offset : query.offset + query.limit]
    items = tuple(workload(scene, pod) for pod in shown)
    return Workloads(freshness=scene.freshness, total=len(found), items=items)


def waiting(scene: Scene) -> list[Kept]:
    """Pods without a node, those that wait longest first."""
    found = [pod for pod in scene.pods.values() if pod.waits]
    return sorted(found, key=lambda pod: (pod.since, pod.namespace, pod.name))


def waiting_pod(scene: Scene, pod: Kept) -> WaitingPod:
    """One that waits, and why."""
    found = scene.reason(pod)
    return WaitingPod(
        namespace=pod.namespace,
        pod=pod.name,
        since=pod.since,
        priority=pod.priority,
        asks=_together(pod),
        reason=found.reason,
        fits=found.fits,
    )


def workload(scene: Scene, pod: Kept) -> Workload:
    """One pod in short."""
    memory, compute = _amounts(scene, pod)
    return Workload(
        namespace=pod.namespace,
        pod=pod.name,
        state=state(scene, pod),
        node=pod.node,
        vendors=tuple(sorted(_vendors(pod))),
        cards=len({one.device for one in pod.held}) if pod.held else _asked_cards(pod),
        memory=memory,
        compute=compute,
        since=pod.since,
        priority=pod.priority,
        reason=reason(scene, pod),
    )


def state(scene: Scene, pod: Kept) -> str:
    """How far a pod has come."""
    if pod.waits:
        return WAITING
    return RUNNING if any(made(scene, one) for one in pod.held) else PLACED


def reason(scene: Scene, pod: Kept) -> str:
    """Why a pod waits, or why it holds nothing where it is; empty when all is well."""
    if pod.waits:
        return scene.reason(pod).reason
    return "" if pod.held else f"is on node {pod.node} without a placement that counts: its devices are charged nowhere"


def held(scene: Scene, sliver: Sliver) -> Held:
    """What a container holds of one card, and uses."""
    said = _said(scene, sliver)
    row = scene.shape.rows.get((sliver.node, sliver.device))
    device = scene.shape.devices[row] if row is not None else None
    shown = Held(
        container=sliver.container,
        node=sliver.node,
        card=sliver.device,
        index=device.index if device else 0,
        vendor=sliver.vendor,
        model=device.model.name if device else "",
        memory=sliver.memory * MIB,
        compute=sliver.cores / 100,
        priority=sliver.priority,
        policy=sliver.policy,
        running=made(scene, sliver),
    )
    return shown if said is None else _used(shown, said)


def _used(shown: Held, said: SliceReport) -> Held:
    fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
    fields |= {name: getattr(said, name) for name in _REPORTED}
    return Held(**fields)


_REPORTED = (
    "memory_used", "memory_context", "memory_module", "compute_used", "compute_lent", "throttled_seconds",
    "launches", "refused", "exhausted", "priority", "policy", "processes", "yielding",
)  # fmt: skip
"""What the agent knows better than the pod."""


def _said(scene: Scene, sliver: Sliver) -> SliceReport | None:
    return scene.known.slice(sliver.node, (sliver.uid, sliver.container, sliver.device), sliver.turn)


def _amounts(scene: Scene, pod: Kept) -> tuple[Amount, Amount]:
    """Memory and compute."""
    memory, compute = _promised(pod)
    reports = [(one, _said(scene, one)) for one in pod.held]
    return (
        _amount(memory, [(said.memory_used if said else None, one.memory * MIB) for one, said in reports]),
        _amount(compute, [(said.compute_used if said else None, one.cores / 100) for one, said in reports]),
    )


def _amount(promised: float, parts: Sequence[tuple[float | None, float]]) -> Amount:
    """Of a pod, from what is used and promised of each of its parts."""
    known = [(used, share) for used, share in parts if used is not None]
    return Amount(
        capacity=promised,
        allocated=promised,
        used=sum(used for used, _ in known) if known else None,
        known=sum(share for _, share in known),
    )


def _promised(pod: Kept) -> tuple[float, float]:
    """Bytes and devices: what it holds, or asks in so many words."""
    if pod.held or pod.ask is None:
        return sum(one.memory for one in pod.held) * MIB, sum(one.cores for one in pod.held) / 100
    asks = [ask for container in pod.ask.containers for ask in container.asks]
    memory = sum((ask.memory or 0) * ask.count for ask in asks) * MIB
    return memory, sum(ask.cores * ask.count for ask in asks) / 100


def _asked_cards(pod: Kept) -> int:
    asks = [ask for container in pod.ask.containers for ask in container.asks] if pod.ask else []
    return sum(ask.count for ask in asks)


def _vendors(pod: Kept) -> set[str]:
    if pod.held or pod.ask is None:
        return {one.vendor for one in pod.held}
    every = (*pod.ask.init_containers, *pod.ask.containers)
    return {ask.vendor for container in every for ask in container.asks}


def _chosen(scene: Scene, pod: Kept, query: WorkloadsQuery) -> bool:
    return (
        query.namespace in ("", pod.namespace)
        and (not query.vendor or query.vendor in _vendors(pod))
        and (not query.state or query.state == state(scene, pod))
    )


def _found(scene: Scene, pod: Kept, search: Search) -> bool:
    return not search.words or search.text(*_texts(scene, pod))


def _texts(scene: Scene, pod: Kept) -> Iterator[str]:
    yield from (pod.namespace, pod.name, pod.node)
    yield from _vendors(pod)
    for one in pod.held:
        row = scene.shape.rows.get((one.node, one.device))
        yield one.device
        if row is not None:
            yield scene.shape.devices[row].model.name


def _together(pod: Kept) -> dict[str, str]:
    """What its containers ask, in one; of what several ask, each amount."""
    asked: dict[str, list[str]] = {}
    for _, amounts in pod.said:
        for name, amount in amounts:
            asked.setdefault(name, []).append(amount)
    return {name: " + ".join(amounts) for name, amounts in asked.items()}


_KEYS: dict[str, Callable[[Kept], float]] = {
    "since": lambda pod: pod.since,
    "memory": lambda pod: _promised(pod)[0],
    "compute": lambda pod: _promised(pod)[1],
}
