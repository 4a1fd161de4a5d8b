"""The planner in step with a cluster: three handlers for informers, and one lock that all of it is used under.

Without an API server and without threads of its own, so that a command or a test fills it from lists.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import msgspec

from hetero import log, metrics
from hetero.config import PlacementSettings
from hetero.errors import HeteroError
from hetero.kube import objects
from hetero.model.ask import PodAsk
from hetero.model.device import Device, Inventory
from hetero.model.share import Refusal
from hetero.placement import Planner, Scorer
from hetero.scheduler.asks import Asks
from hetero.scheduler.books import Books
from hetero.scheduler.grants import Clock
from hetero.scheduler.nodes import Nodes
from hetero.scheduler.nominations import Nomination, Nominations
from hetero.scheduler.quotas import Quotas
from hetero.scheduler.refused import Refused
from hetero.vendor import Vendor

_log = log.logger("scheduler")

GRANT_SECONDS = 10.0

UNKNOWN = "unknown"
"""Why a pod waits that kube-scheduler has not asked about, at least not this process."""


class Cluster:
    """Devices, pods and quotas of a cluster.

    Args:
        vendors: The installed vendors by name.
        placement: The planner's defaults.
        scorers: The plugins' say.
        clock: Seconds, rising; for grants.
        grant_seconds: How long a predicted place is kept without a Binding.

    Attributes:
        lock: Whoever uses the planner or the books holds it. Held for about a millisecond at most.
        planner: Charged with what pods hold and with what they are promised.
        asks: Reads pods.
        books: Who holds what.
        nominations: Who waits for room that preemption makes.
        refused: Who was refused by every node.
        pending: The pods that ask devices and have no node, by their identity.
        nodes: Handler for nodes.
        pods: Handler for pods.
        quotas: Handler for ResourceQuotas.
    """

    def __init__(
        self,
        vendors: Mapping[str, Vendor],
        placement: PlacementSettings = PlacementSettings(),  # noqa: B008 — frozen
        scorers: Iterable[Scorer] = (),
        *,
        clock: Clock = time.monotonic,
        grant_seconds: float = GRANT_SECONDS,
    ) -> None:
        self.lock = threading.RLock()
        self.vendors = vendors
        self._defaults = placement
        self._scorers = tuple(scorers)
        self.planner = self.new_planner(Inventory())
        self.asks = Asks(vendors)
        self.books = Books(self.planner, clock, grant_seconds)
        self.nominations = Nominations(self.planner)
        self.refused = Refused(clock)
        self.pending: set[str] = set()
        self.nodes = Nodes(self.planner, self.lock, self.books.doubt)
        self.pods = Pods(self)
        self.quotas = Quotas(self.planner, vendors, self.lock, self.loosen)

    def loosen(self) -> None:
        """Note that there may be more room than before."""
        self.books.loosened += 1

    def device(self, node: str, uuid: str) -> Device | None:
        """A device of a node; None when it is not there any more."""
        with self.lock:
            return self.planner.device(node, uuid)

    def new_planner(self, inventory: Inventory) -> Planner:
        """A planner for these nodes, with the same vendors and defaults and nothing charged."""
        node_policy, device_policy = self._defaults.node_policy, self._defaults.device_policy
        return Planner(
            inventory, self.vendors, node_policy=node_policy, device_policy=device_policy, scorers=self._scorers
        )

    def quota_refusal(self, namespace: str, ask: PodAsk) -> Refusal | None:
        """Why a namespace's quotas leave no room for a pod, as far as that is known before it has its devices."""
        if ask.namespace != namespace:
            ask = msgspec.structs.replace(ask, namespace=namespace)
        with self.lock:
            self.books.expire()
            return self.planner.quota_refusal(ask)

    def measure(self) -> None:
        """Bring the gauges up to date."""
        with self.lock:
            self.books.expire()
            counts = self.books.grants.counts()
            exceeded = self.planner.overcommitted()
            held, nodes = len(self.books), len(self.nodes)
            waiting = Counter(self.refused.reason(key) or UNKNOWN for key in self.pending)
            ignored = self.books.ignored()
        metrics.nodes.set(nodes)
        metrics.pods.set(held)
        # Of several schedulers only the one that leads is asked: where it knows all reasons, it has to say so.
        metrics.waiting_pods.set_all({UNKNOWN: 0, **waiting})
        metrics.ignored_placements.set_all(ignored)
        metrics.overcommitted.set(sum(map(len, exceeded.values())))
        for kind, count in counts.items():
            metrics.grants.set(count, kind)


class Pods:
    """Handler of an informer of all pods.

    Args:
        cluster: What is kept in step.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def replace(self, items: Collection[objects.Pod]) -> None:
        """These are all pods."""
        keys = {item.metadata.uid for item in items}
        with self._cluster.lock:
            self._cluster.books.only(keys)
            self._cluster.pending &= keys
            self._cluster.nominations.only(keys)
        for item in items:
            self.put(item)

    def put(self, item: objects.Pod) -> None:
        """A pod is new or has changed."""
        with self._cluster.lock:
            if item.over:
                self._gone(item)
            elif item.spec.node_name:
                self._settled(item)
                self._cluster.books.bound(item)
            else:
                self._waits(item)

    def remove(self, item: objects.Pod) -> None:
        """A pod is deleted."""
        with self._cluster.lock:
            self._gone(item)

    def _gone(self, item: objects.Pod) -> None:
        self._settled(item)
        self._cluster.books.gone(item.metadata.uid)

    def _settled(self, item: objects.Pod) -> None:
        """A pod waits for nothing any more; what was kept for it is anyone's."""
        if self._cluster.nominations.drop(item.metadata.uid):
            self._cluster.loosen()
        self._cluster.refused.drop(item.metadata.uid)
        self._cluster.pending.discard(item.metadata.uid)

    def _waits(self, item: objects.Pod) -> None:
        asks = self._cluster.asks.asks_devices(item)
        if asks:
            self._cluster.pending.add(item.metadata.uid)
        node = item.status.nominated_node_name
        if not node or not asks:
            if self._cluster.nominations.drop(item.metadata.uid):
                self._cluster.loosen()
            return
        try:
            ask = self._cluster.asks.read(item)
        except HeteroError as error:
            _log.warning("a nominated pod cannot be read", pod=item.metadata.name, reason=str(error))
            return
        self._cluster.nominations.put(Nomination(ask, node, item.spec.priority or 0))
