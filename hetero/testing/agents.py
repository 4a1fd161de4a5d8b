"""Agents of hollow nodes: their pods in the API, and what they answer, in step with what the cluster has placed.

SIMULATED, as :mod:`hetero.testing.reports` says. A test or a demonstration deploys them on an API server in memory::

    with ApiServer() as server:
        server.put(paths.NODES, hollow_node(described, vendors))
        agents = HollowAgents(server, vendors)
        agents.deploy()
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from hetero.errors import HeteroError
from hetero.kube import objects, paths
from hetero.model.annotations import PART
from hetero.model.ask import PodAsk
from hetero.model.device import Node
from hetero.model.placement import Placement
from hetero.monitoring.report import PATH, NodeReport
from hetero.scheduler import held, nodes
from hetero.scheduler.asks import Asks
from hetero.testing.apiserver.proxies import Proxied
from hetero.testing.apiserver.refusals import refused
from hetero.testing.apiserver.resources import RESOURCES, Resource
from hetero.testing.apiserver.server import ApiServer
from hetero.testing.loads import Load, still
from hetero.testing.reports import Placed, report
from hetero.vendor import Vendor

NAMESPACE = "hetero-system"
LABELS = {"app.kubernetes.io/name": "hetero", PART: "agent"}

_PODS, _NODES = RESOURCES["v1", "pods"], RESOURCES["v1", "nodes"]
_FIRST = int.from_bytes(bytes((198, 18, 0, 0)))
"""Addresses of agents: a network that is there for measurements. Source: RFC 2544."""


class HollowAgents:
    """An agent on each hollow node of an API server in memory, reached by way of its proxy. Thread-safe.

    Making one deploys nothing: call :meth:`deploy` for the pods, again when there are more nodes.

    Args:
        server: Where nodes and pods are.
        vendors: By name.
        load: What slices use.
        clock: Seconds since 1970.

    Attributes:
        silent: Nodes whose agents cannot be reached, for a test to change.
        load: What slices use; may be changed.
    """

    def __init__(
        self,
        server: ApiServer,
        vendors: Mapping[str, Vendor],
        load: Load = still,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.load = load
        self.silent: set[str] = set()
        self._server = server
        self._clock = clock
        self._asks = Asks(vendors)
        self._lock = threading.Lock()
        self._read: dict[Resource, int] = {_PODS: 0, _NODES: 0}  # how far each collection was followed
        self._described: dict[str, Node] = {}
        self._placed: dict[str, dict[str, Placed]] = {}  # by node, then UID
        self._node_of: dict[str, str] = {}
        self._deployed = 0
        server.proxy(self.serve)

    def deploy(self) -> int:
        """An agent's pod on each node with devices that has none; how many there are now."""
        with self._lock:
            self._follow()
            names = sorted(self._described)
        there = {pod["spec"]["nodeName"] for pod in self._server.objects(paths.pods(NAMESPACE))}
        for name in names:
            if name not in there:
                self._deployed += 1
                self._server.put(paths.pods(NAMESPACE), agent_pod(name, self._deployed))
        return len(names)

    def report(self, node: str) -> NodeReport:
        """What the agent of a node answers now.

        Raises:
            KeyError: There is no such node, or it has no devices.
        """
        with self._lock:
            self._follow()
            described, placed = self._described[node], list(self._placed.get(node, {}).values())
        return report(described, placed, self.load, self._clock())

    def serve(self, asked: Proxied) -> bytes:
        """Answer a request that came by way of the API server's proxy."""
        node = asked.pod.removeprefix("agent-")
        if node in self.silent:
            raise TimeoutError("i/o timeout")
        if asked.path != PATH:
            raise refused(404, f"{asked.path} is nothing that a hollow agent has")
        try:
            return msgspec.json.encode(self.report(node))
        except KeyError:
            raise ConnectionRefusedError("connect: connection refused") from None

    # Following

    def _follow(self) -> None:
        for resource, keep in ((_NODES, self._keep_node), (_PODS, self._keep_pod)):
            for name, item in self._changes(resource):
                keep(name, item)

    def _changes(self, resource: Resource) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Objects that changed since the last look, by UID, None where they are gone."""
        store, since = self._server.store, self._read[resource]
        with store.changed:
            kept = store.collection(resource)
            everything = list(kept.objects.values()) if since < max(kept.begins, 1) else None
            changes = kept.since(since) if everything is None else []
            self._read[resource] = store.version
        if everything is not None:
            (self._placed if resource is _PODS else self._described).clear()
            yield from ((one.item["metadata"]["uid"], one.item) for one in everything)
        for change in changes:
            one = change.after or change.before
            if one is not None:
                yield one.item["metadata"]["uid"], change.after.item if change.after else None

    def _keep_node(self, uid: str, item: dict[str, Any] | None) -> None:
        self._described.pop(self._node_of.pop(uid, ""), None)
        found = nodes.node(msgspec.convert(item, objects.Node)) if item is not None else None
        if found is not None:
            self._node_of[uid] = found.name
            self._described[found.name] = found

    def _keep_pod(self, uid: str, item: dict[str, Any] | None) -> None:
        self._placed.get(self._node_of.pop(uid, ""), {}).pop(uid, None)
        if item is None or not item["spec"].get("nodeName"):
            return
        pod = msgspec.convert(item, objects.Pod)
        found = held.placement(pod)
        if isinstance(found, Placement) and not pod.over:
            self._node_of[uid] = found.node
            self._placed.setdefault(found.node, {})[uid] = Placed(found, self._ask(pod), _since(pod))

    def _ask(self, pod: objects.Pod) -> PodAsk | None:
        try:
            return self._asks.read(pod)
        except HeteroError:  # a test may bind what no webhook has seen
            return None


def agent_pod(node: str, number: int) -> dict[str, Any]:
    """The pod of a node's agent, as it runs.

    Args:
        node: Name of the node.
        number: From 1, another one for each pod: of its address, which nothing listens at.
    """
    address = ".".join(str(part) for part in (_FIRST + number).to_bytes(4))
    return {
        "metadata": {"name": f"agent-{node}", "namespace": NAMESPACE, "labels": LABELS},
        "spec": {"nodeName": node, "containers": [{"name": "agent", "image": "none"}]},
        "status": {
            "phase": "Running",
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _since(pod: objects.Pod) -> float:
    try:
        return datetime.datetime.fromisoformat(pod.metadata.creation_timestamp or "").timestamp()
    except ValueError:
        return 0.0
