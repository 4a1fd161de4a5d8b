"""A cluster with the scheduler under test in it, as the scenarios see it; :mod:`playing` makes the real and the other.

The scheduler under test is always a process of its own, started by its command line, so that it can be killed.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.kube.objects import Pod
from hetero.model.device import Node
from hetero.model.placement import Placement
from tests.cluster import books, manifests, users
from tests.cluster.certificates import Authority
from tests.cluster.manifests import Json
from tests.cluster.processes import Program, until
from tests.cluster.proxy import Proxy

PAGE = 500
PLUGINS = Path(__file__).parents[2] / "build/plugins"


class _Pods(msgspec.Struct):
    items: list[Pod]
    metadata: dict[str, Any]


class Scheduler:
    """The scheduler under test, as a process.

    Args:
        name: Of the process, for its log.
        kubeconfig: How it reaches the API server.
        ports: Of its two listeners: for kube-scheduler, and for the webhook.
        directory: For its log.
        options: More of its command line.
    """

    def __init__(
        self, name: str, kubeconfig: Path, ports: tuple[int, int], directory: Path, options: Iterable[str] = ()
    ) -> None:
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.public = ports[1]
        start = "from hetero.cli.main import main; main()"
        self.program = Program(
            name,
            [sys.executable, "-c", start, "--log-level", "info", "scheduler", "--kubeconfig", str(kubeconfig),
             "--extender", f"127.0.0.1:{ports[0]}", "--public", f"127.0.0.1:{ports[1]}", *options],
            directory,
            # The third party's vendor is not among the installed ones; the scheduler knows the vendors of its tests.
            {**os.environ, "PYTHONPATH": os.pathsep.join([str(PLUGINS), os.environ.get("PYTHONPATH", "")])},
        )  # fmt: skip

    def start(self) -> Self:
        """Start it, and return when it says that it is ready."""
        self.program.start()
        until(self.ready, f"{self.program.name} is ready", seconds=60, programs=[self.program])
        return self

    def kill(self) -> None:
        """End it at whatever instruction it is."""
        self.program.kill()

    def ready(self) -> bool:
        """What it says itself."""
        try:
            self._get("/readyz")
        except OSError:  # URLError is one, too
            return False
        return True

    def ledger(self) -> Json:
        """Its books."""
        found: Json = json.loads(self._get("/ledger"))
        return found

    def metrics(self) -> str:
        """Its counters, as Prometheus reads them."""
        return self._get("/metrics").decode()

    def certificate(self) -> str:
        """That of the listener for the webhook, as PEM."""
        return ssl.get_server_certificate(("127.0.0.1", self.public))

    def ask(self, verb: str, document: Any) -> Any:
        """Call one of its verbs as kube-scheduler does."""
        return json.loads(self._get(f"/{verb}", json.dumps(document).encode()))

    def _get(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
            return content


class Stage(ABC):
    """A cluster. Everything in it ends with it.

    Attributes:
        real: True for a real Kubernetes.
        api: The API server, as its administrator.
        proxy: Between the scheduler under test and the API server; where faults happen.
        authority: Signs certificates that the API server trusts.
    """

    real: bool
    api: Api
    proxy: Proxy
    authority: Authority

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.nodes: dict[str, Node] = {}
        self.schedulers: list[Scheduler] = []

    @abstractmethod
    def scheduler(self, name: str = "hetero", *, faulty: bool = False, options: Iterable[str] = ()) -> Scheduler:
        """Start a scheduler under test; a faulty one reaches the API server through :attr:`proxy`."""

    @abstractmethod
    def kube_scheduler(self, extender: Scheduler, name: str = "kube-scheduler", *, lease: str = "") -> Any:
        """Start a kube-scheduler that asks that extender; it can be stopped with ``stop()``."""

    @abstractmethod
    def register_webhook(self, scheduler: Scheduler) -> None:
        """Let the API server ask that scheduler's webhook about new pods."""

    def through_proxy(self) -> Api:
        """A client of the administrator that meets the faults of :attr:`proxy`."""
        path = users.kubeconfig(self.directory / "proxy.kubeconfig", self.proxy.url, users.ADMIN)
        return Api.connect(str(path))

    @abstractmethod
    def tails(self) -> str:
        """The ends of all logs."""

    def scale(self, real: int, memory: int) -> int:
        """A number that a real cluster can be given, or the one in this process."""
        return real if self.real else memory

    # --- what is in the cluster ---

    def add(self, *described: Node, **spec: Any) -> list[str]:
        """Create nodes, and return their names when all of them are there; ``spec`` as :func:`manifests.node`."""
        bodies = [msgspec.json.encode(manifests.node(one, **spec)) for one in described]
        self._all(lambda body: self.api.post(paths.NODES, body), bodies)
        self.nodes.update({one.name: one for one in described})
        if self.real:
            until(lambda: self._open(described), "the nodes are open to pods", seconds=120, every=0.3)
        return [one.name for one in described]

    def change(self, described: Node) -> None:
        """A node's devices are others now, and its totals with them."""
        made = manifests.node(described)
        self.nodes[described.name] = described
        self.api.patch(paths.node(described.name), msgspec.json.encode({"metadata": made["metadata"]}))
        status = {"status": {key: made["status"][key] for key in ("capacity", "allocatable")}}
        self.api.patch(f"{paths.node(described.name)}/status", msgspec.json.encode(status))

    def annotate(self, node: str, **annotations: str | None) -> None:
        """Write annotations of a node; None removes one. Underscores of a name's domain are given as they are."""
        body = {"metadata": {"annotations": annotations}}
        self.api.patch(paths.node(node), msgspec.json.encode(body))

    def remove_node(self, name: str) -> None:
        """Delete a node; its pods stay, as they do for some time."""
        self.api.delete(paths.node(name))
        self.nodes.pop(name)

    def submit(self, *pods: Json) -> list[str]:
        """Create pods as fast as the API server takes them; their names."""
        self._all(lambda one: self.api.post(paths.pods(one["metadata"]["namespace"]), msgspec.json.encode(one)), pods)
        return [one["metadata"]["name"] for one in pods]

    def delete(self, name: str, namespace: str = "default") -> None:
        """Delete a pod at once."""
        self.api.delete(paths.pod(namespace, name), b'{"gracePeriodSeconds":0}')

    def namespace(self, name: str) -> str:
        """Create a namespace."""
        self.api.post(paths.NAMESPACES, msgspec.json.encode({"metadata": {"name": name}}))
        return name

    def _all(self, action: Any, items: Collection[Any]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(action, items))

    def _open(self, described: Iterable[Node]) -> bool:
        """New nodes have a taint until the node controller has looked at them."""
        found = msgspec.json.decode(self.api.get(paths.NODES))["items"]
        closed = {
            one["metadata"]["name"]
            for one in found
            if any(taint["key"] == "node.kubernetes.io/not-ready" for taint in one["spec"].get("taints") or ())
        }
        return closed.isdisjoint(one.name for one in described)

    # --- what became of it ---

    def pods(self) -> list[Pod]:
        """All pods, as they are now."""
        found: list[Pod] = []
        following = ""
        while True:
            query = {"limit": str(PAGE), **({"continue": following} if following else {})}
            page = msgspec.json.decode(self.api.get(paths.PODS, query), type=_Pods)
            found += page.items
            following = page.metadata.get("continue") or ""
            if not following:
                return found

    def bound(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """Pod to node, of those that have one; of certain pods, or of all."""
        wanted = None if names is None else set(names)
        return {
            pod.metadata.name: pod.spec.node_name
            for pod in self.pods()
            if pod.spec.node_name and (wanted is None or pod.metadata.name in wanted)
        }

    def until_bound(self, names: Collection[str], *, seconds: float = 60.0) -> dict[str, str]:
        """Wait until all these pods have a node; which."""
        # To look is to read all pods, on the processors that are to bind them.
        every = 0.2 + len(names) / 1000
        until(
            lambda: len(self.bound(names)) >= len(names), f"{len(names)} pods are bound", seconds=seconds, every=every
        )
        return self.bound(names)

    def raw(self, name: str, namespace: str = "default") -> Json:
        """A pod with everything that the API server says of it."""
        found: Json = msgspec.json.decode(self.api.get(paths.pod(namespace, name)))
        return found

    def reason(self, name: str, namespace: str = "default") -> str:
        """Why a pod waits, in the words of its condition; empty when nobody has said."""
        conditions = self.raw(name, namespace).get("status", {}).get("conditions") or ()
        found = [
            one.get("message", "") for one in conditions if one["type"] == "PodScheduled" and one["status"] != "True"
        ]
        return str(found[0]) if found else ""

    def until_refused(self, name: str, namespace: str = "default", *, seconds: float = 60.0) -> str:
        """Wait until a pod is said to fit nowhere; why."""
        return until(lambda: self.reason(name, namespace), f"{name} is unschedulable", seconds=seconds)

    def events(self, reason: str, namespace: str = "default") -> list[str]:
        """The messages of the events with that reason."""
        found = msgspec.json.decode(self.api.get(paths.events(namespace)))["items"]
        return [one.get("message") or one.get("note") or "" for one in found if one.get("reason") == reason]

    def placements(self) -> list[Placement]:
        """Of all pods that are bound."""
        return books.placements(self.pods())

    def books(self) -> books.Charged:
        """What the annotations of all pods add up to; no device is over-committed."""
        found = books.charged(self.placements())
        assert books.overcommitted(found, self.nodes.values()) == []
        return found

    def check(self, *schedulers: Scheduler) -> books.Charged:
        """The annotations add up to what each scheduler under test has in its books, and to no more than there is."""
        for scheduler in schedulers or self.schedulers:
            until(lambda one=scheduler: self._agrees(one), f"{scheduler.program.name}'s ledger agrees", seconds=30)
        return self.books()

    def _agrees(self, scheduler: Scheduler) -> bool:
        ledger = scheduler.ledger()
        # A grant that is open is room that a pod may yet take; books are compared when all is said.
        if ledger["grants"] or ledger["overcommitted"]:
            return False
        shown = msgspec.convert(list(ledger["pods"].values()), list[Placement])
        found = self.books()
        return books.charged(shown) == found and ledger["free"] == books.free(found, self.nodes.values())

    # --- from beginning to end ---

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what was started; the scheduler under test ends by itself when it is asked to."""
        for scheduler in self.schedulers:
            running = scheduler.program.running
            code = scheduler.program.stop()
            assert code == 0 or not running, f"{scheduler.program.tail()}\nended with {code}, not 0"


def gone(api: Api, path: str) -> bool:
    """True when a path has nothing."""
    try:
        api.get(path)
    except ApiError as error:
        return error.status == 404
    return False
