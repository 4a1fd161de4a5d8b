"""Pods that hold devices or wait for them, as the pages need them; of all other pods nothing is kept.

What a pod holds is what the ledger was charged for it, never what its annotation says: a placement that does not count
is not shown as one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from sys import intern

import msgspec

from hetero.errors import HeteroError
from hetero.kube import objects
from hetero.model.ask import ContainerAsk, PodAsk
from hetero.model.placement import ContainerPlacement, Placement
from hetero.placement.charges import together
from hetero.scheduler.cluster import Cluster

Words = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""What each container asks: its name, and resource with amount as the manifest writes them."""

RUNNING = "Running"

_FEW = 4096  # different things that pods say


class Sliver(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one container has of one card.

    Attributes:
        uid: The pod's identity.
        namespace: Its namespace.
        pod: Its name.
        container: The container.
        node: Name of the node.
        device: The card.
        vendor: Whose it is.
        memory: MiB.
        cores: Percent; 0: no limit.
        turn: How many slivers of the same container and card come before it.
        priority: Of the ask; None when nothing was said.
        policy: ``cap`` or ``conserve``; empty: the default.
        running: The pod's programs were started, says its node's kubelet.
    """

    uid: str
    namespace: str
    pod: str
    container: str
    node: str
    device: str
    vendor: str
    memory: int
    cores: int
    turn: int = 0
    priority: int | None = None
    policy: str = ""
    running: bool = False


class Kept(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A pod that asks or holds devices.

    Attributes:
        uid: Its identity.
        namespace: Its namespace.
        name: Its name.
        since: When it was created, seconds since 1970.
        priority: Kubernetes' priority.
        node: Where it is; empty while it waits.
        running: Its programs were started.
        scheduler: The scheduler that places it.
        said: What its containers ask, in the manifest's words.
        ask: What it asks, while it waits; None otherwise, and where ``wrong`` says why it cannot be read.
        wrong: A sentence; empty when there is nothing wrong.
        held: What it holds, container by container.
    """

    uid: str
    namespace: str
    name: str
    since: float
    priority: int = 0
    node: str = ""
    running: bool = False
    scheduler: str = ""
    said: Words = ()
    ask: PodAsk | None = None
    wrong: str = ""
    held: tuple[Sliver, ...] = ()

    @property
    def waits(self) -> bool:
        """True when it has no node yet."""
        return not self.node


class Pods:
    """Handler of an informer of all pods: charges the cluster, and keeps what is shown.

    Args:
        cluster: What is kept in step; its lock is held while anything here changes.

    Attributes:
        kept: By the pods' UID.
        on_card: Node and card to what is promised of it, in the order in which it was seen.
        revision: Grows with every change.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.kept: dict[str, Kept] = {}
        self.on_card: dict[tuple[str, str], tuple[Sliver, ...]] = {}
        self.revision = 0
        self._cluster = cluster
        vendors = cluster.vendors.values()
        self._owned = {one.name for vendor in vendors for family in vendor.resources for one in family.names()}
        self._said: dict[Words, Words] = {}

    def replace(self, items: Collection[objects.Pod]) -> None:
        """These are all pods."""
        keys = {item.metadata.uid for item in items}
        self._cluster.pods.replace(items)
        with self._cluster.lock:
            for key in [key for key in self.kept if key not in keys]:
                self._note(key, None)
        for item in items:
            with self._cluster.lock:
                self._note(item.metadata.uid, self._read(item))

    def put(self, item: objects.Pod) -> None:
        """A pod is new or has changed."""
        with self._cluster.lock:
            self._cluster.pods.put(item)
            self._note(item.metadata.uid, self._read(item))

    def remove(self, item: objects.Pod) -> None:
        """A pod is deleted."""
        with self._cluster.lock:
            self._cluster.pods.remove(item)
            self._note(item.metadata.uid, None)

    def _note(self, key: str, now: Kept | None) -> None:
        before = self.kept.get(key)
        if before == now:
            return
        self.revision += 1
        for sliver in before.held if before else ():
            self._off(sliver)
        if now is None:
            del self.kept[key]
            return
        self.kept[key] = now
        for sliver in now.held:
            place = sliver.node, sliver.device
            self.on_card[place] = (*self.on_card.get(place, ()), sliver)

    def _off(self, sliver: Sliver) -> None:
        place = sliver.node, sliver.device
        rest = tuple(one for one in self.on_card.get(place, ()) if one.uid != sliver.uid)
        if rest:
            self.on_card[place] = rest
        else:
            self.on_card.pop(place, None)

    def _read(self, item: objects.Pod) -> Kept | None:
        if item.over:
            return None
        metadata = item.metadata
        charged = self._cluster.planner.charged(metadata.uid) if item.spec.node_name else None
        if charged is None and not self._cluster.asks.asks_devices(item):
            return None
        ask, wrong = self._ask(item)
        running = item.status.phase == RUNNING
        return Kept(
            uid=metadata.uid,
            namespace=intern(metadata.namespace or "default"),
            name=metadata.name,
            since=seconds(metadata.creation_timestamp or ""),
            priority=item.spec.priority or 0,
            node=intern(item.spec.node_name or ""),
            running=running,
            scheduler=intern(item.spec.scheduler_name or "default-scheduler"),
            said=self._words(item),
            ask=None if item.spec.node_name else ask,
            wrong=wrong,
            held=tuple(slivers(charged, ask, running=running)) if charged is not None else (),
        )

    def _ask(self, item: objects.Pod) -> tuple[PodAsk | None, str]:
        try:
            return self._cluster.asks.read(item), ""
        except HeteroError as error:
            return None, str(error)

    def _words(self, item: objects.Pod) -> Words:
        """Equal words are kept once: the replicas of a workload say the same."""
        containers = (*(item.spec.init_containers or ()), *item.spec.containers)
        found = ((one.name, tuple(self._amounts(one.resources))) for one in containers)
        said = tuple(one for one in found if one[1])
        if len(self._said) > _FEW:
            self._said.clear()
        return self._said.setdefault(said, said)

    def _amounts(self, resources: objects.Requirements | None) -> Iterator[tuple[str, str]]:
        if resources is None:
            return
        for name, amount in {**(resources.requests or {}), **(resources.limits or {})}.items():
            if name in self._owned:
                yield name, str(amount)


def slivers(placed: Placement, ask: PodAsk | None = None, *, running: bool = False) -> Iterator[Sliver]:
    """What a placed pod holds, container by container.

    Init containers run before the others and hand on what they held: they are shown only where a card is theirs alone.

    Args:
        placed: The placement.
        ask: What the pod asks, for priorities and the policy.
        running: See :attr:`Sliver.running`.
    """
    asked = {one.name: one for one in (*ask.init_containers, *ask.containers)} if ask else {}
    policy = ask.compute_policy if ask else ""
    shown = [(held, asked.get(held.container)) for held in placed.containers]
    cards = together(placed.containers).keys()
    shown += [(_elsewhere(held, cards), asked.get(held.container)) for held in placed.init_containers]
    for held, of in shown:
        turns: dict[str, int] = {}
        for one in held.devices:
            turn = turns[one.device] = turns.get(one.device, -1) + 1
            yield Sliver(
                uid=placed.uid,
                namespace=placed.namespace,
                pod=placed.pod,
                container=held.container,
                node=placed.node,
                device=one.device,
                vendor=one.vendor,
                memory=one.share.memory,
                cores=one.share.cores,
                turn=turn,
                priority=_priority(of, one.vendor),
                policy=policy,
                running=running,
            )


def _elsewhere(held: ContainerPlacement, cards: Collection[str]) -> ContainerPlacement:
    devices = tuple(one for one in held.devices if one.device not in cards)
    return msgspec.structs.replace(held, devices=devices)


def _priority(ask: ContainerAsk | None, vendor: str) -> int | None:
    said = [one.priority for one in ask.asks if one.vendor == vendor and one.priority is not None] if ask else []
    return min(said, default=None)


def seconds(text: str) -> float:
    """A time of the API (RFC 3339) as seconds since 1970; 0 where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
