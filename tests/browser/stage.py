"""A cluster in memory, filled by hand, and `hetero dashboard` in front of it: what the pages are tested against.

SIMULATED: no node has a device, no pod runs. Pods are put where the planner puts them, as the scheduler would.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from hetero import plugins
from hetero.kube import objects, paths
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.device import Node
from hetero.model.placement import Placement
from hetero.scheduler.cluster import Cluster
from hetero.testing.agents import HollowAgents
from hetero.testing.apiserver import ApiServer
from hetero.testing.hollow import hollow_node

START_S = 60.0
SAID = "the dashboard is at "
SCHEDULER = "hetero-scheduler"


class Stage:
    """A cluster whose figures stand still until a test moves them.

    Attributes:
        server: The API server; it may be stopped and started.
        agents: Those of the nodes; their clock stands still.
        cluster: The ledger that the figures are held to.
        placements: Who was placed, by namespace and name.
    """

    def __init__(self, server: ApiServer) -> None:
        self.vendors = plugins.load().vendors
        self.server = server
        self.began = time.time()
        self.agents = HollowAgents(server, self.vendors, clock=lambda: self.began)
        self.cluster = Cluster(self.vendors)
        self.placements: dict[tuple[str, str], Placement] = {}

    def nodes(self, *described: Node) -> None:
        """Put nodes, each with an agent."""
        for one in described:
            item = self.server.put(paths.NODES, hollow_node(one, self.vendors))
            self.cluster.nodes.put(msgspec.convert(item, objects.Node))
        self.agents.deploy()

    def place(
        self,
        name: str,
        limits: Mapping[str, str],
        namespace: str = "default",
        *,
        before: Mapping[str, str] | None = None,
        **notes: str,
    ) -> str:
        """A pod where the planner puts it; the name of its node, empty where it waits.

        Args:
            name: Its name.
            limits: What its container asks.
            namespace: Its namespace.
            before: What its init container asks; None for a pod without.
            notes: Its annotations.
        """
        pod = described_pod(name, limits, namespace, notes)
        if before is not None:
            pod["spec"]["initContainers"] = [_container("before", before)]
        ask = self.cluster.asks.read(msgspec.convert(pod, objects.Pod))
        best = self.cluster.planner.options(ask).best() or ""
        if best:
            placed = self.cluster.planner.place_on(ask, best)
            assert isinstance(placed, Placement), placed
            pod["metadata"]["annotations"][PLACEMENT] = wire.encode(placed)
            pod["spec"]["nodeName"] = best
            self.placements[namespace, name] = placed
            pod["status"] = {"phase": "Running"}
        kept = self.server.put(paths.pods(namespace), pod)
        self.cluster.pods.put(msgspec.convert(kept, objects.Pod))
        return best

    def remove(self, name: str, namespace: str = "default") -> None:
        """The pod ends."""
        path = f"{paths.pods(namespace)}/{name}"
        [item] = [one for one in self.server.objects(paths.pods(namespace)) if one["metadata"]["name"] == name]
        self.server.remove(path)
        self.cluster.pods.remove(msgspec.convert(item, objects.Pod))
        self.placements.pop((namespace, name), None)

    def quota(self, namespace: str, name: str, hard: Mapping[str, str]) -> None:
        """A ResourceQuota."""
        item = {"metadata": {"name": name}, "spec": {"hard": dict(hard)}}
        self.server.put(paths.quotas(namespace), item)


def described_pod(name: str, limits: Mapping[str, str], namespace: str, notes: Mapping[str, str]) -> dict[str, Any]:
    """A pod of one container, as the webhook leaves it."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{name}")),
            "annotations": dict(notes),
        },
        "spec": {"schedulerName": SCHEDULER, "containers": [_container("main", limits)]},
    }


def _container(name: str, limits: Mapping[str, str]) -> dict[str, Any]:
    asked = dict(limits)
    return {"name": name, "image": "none", "resources": {"limits": asked, "requests": asked}}


@contextmanager
def stage() -> Iterator[Stage]:
    """An empty one."""
    with ApiServer() as server:
        yield Stage(server)


class Dashboard:
    """`hetero dashboard` as a process: it can be ended and started again at the same address.

    Args:
        server: The API server that it follows.
        directory: For its kubeconfig and log.
        options: Of the command.
        settings: The dashboard's, as a configuration file has them.
    """

    def __init__(self, server: ApiServer, directory: Path, *options: str, settings: str = "") -> None:
        self._directory = directory
        self._options = options
        directory.mkdir(parents=True, exist_ok=True)
        server.kubeconfig(directory / "kubeconfig")
        (directory / "config.yaml").write_text(settings or "{}")
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> str:
        """Start it, and wait until it knows the cluster; its URL.

        Raises:
            RuntimeError: It does not start, or not in time; its log is in the message.
        """
        program = [sys.executable, "-c", "from hetero.cli.main import main; main()"]
        command = [*program, "--config", str(self._directory / "config.yaml"), "dashboard"]
        own = ["--kubeconfig", str(self._directory / "kubeconfig"), "--listen", self._listen, "--health", ""]
        with (self._directory / "log").open("a") as log:
            self._process = subprocess.Popen(
                [*command, *own, *self._options], stdout=subprocess.PIPE, stderr=log, text=True, env=dict(os.environ)
            )
        assert self._process.stdout is not None
        said = next((line for line in self._process.stdout if line.startswith(SAID)), "")
        if not said:
            raise RuntimeError((self._directory / "log").read_text()[-2000:])
        self.url = said.removeprefix(SAID).strip()
        self._listen = self.url.split("//")[1].strip("/")
        return self.url

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=120)
            self._process = None


@contextmanager
def dashboard(server: ApiServer, directory: Path, *options: str, settings: str = "") -> Iterator[Dashboard]:
    """A running one."""
    made = Dashboard(server, directory, *options, settings=settings)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def until(condition: Any, what: str, seconds: float = START_S) -> Any:
    """Wait until something is true, and give it.

    Raises:
        TimeoutError: It does not become true.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(what)


def asked(url: str, path: str) -> Any:
    """What the interface answers."""
    with urllib.request.urlopen(f"{url}api/v1/{path}", timeout=120) as answer:
        return msgspec.json.decode(answer.read())
