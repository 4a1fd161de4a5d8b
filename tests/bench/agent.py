"""What the agent of a node takes: memory, time when nothing happens, requests, and what containers wait for it.

The agent is a process of its own with a simulated machine, as a node has it; this process is the API server and the
kubelet, and a third one the container runtime. Slices are made for real: region, limits, library and specification.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from hetero import plugins
from hetero.kube import paths
from hetero.model import device as model
from hetero.model import wire
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from hetero.testing import places
from hetero.testing.apiserver import ApiServer
from hetero.testing.kubelet import FakeKubelet
from tests.bench import precedence, prestart_runtime
from tests.bench.figures import Figure, quantile
from tests.bench.processes import resident

ROOT = Path(__file__).parents[2]
MACHINE = ROOT / "examples/machines/nvidia-h100-x2.yaml"
PAIRS = 5
"""Of the machine's cards."""

PODS = 100
"""That are on the node all the while: as many as ten cards have slots."""

BURST = 20
BURSTS = 5
QUIET_S = 20.0
SCRAPES = 10


class Node:
    """A node with its agent.

    Args:
        place: A directory with a short path.
        server: An API server that runs.
    """

    def __init__(self, place: Path, server: ApiServer) -> None:
        self.place, self.server = place, server
        self.kubelet = FakeKubelet(place / "dp")
        self.pid = 0
        self.address = places.Port()
        self._count = 0
        self._pods: list[str] = []
        runtime = {"nodeInfo": {"containerRuntimeVersion": "containerd://2.2.9"}}
        server.put(paths.NODES, {"metadata": {"name": "desk"}, "status": runtime})

    def inventory(self) -> model.Node | None:
        """What the agent has published."""
        [node] = self.server.objects(paths.NODES)
        text = (node["metadata"].get("annotations") or {}).get("hetero.io/inventory")
        return wire.decode(text, model.Node) if text else None

    def learn(self) -> None:
        """Take what pods ask from the first device."""
        found = self.inventory()
        assert found is not None
        self._device = found.devices[0]
        vendor = plugins.load().vendors[self._device.model.vendor]
        [self._words] = vendor.resources
        self.resource = self._words.count

    def admit(self) -> str:
        """A new pod, bound and admitted."""
        self._count += 1
        uid = f"pod-{self._count}"
        asked = {self._words.count: "1", self._words.memory: "1024", self._words.cores: "10"}
        part = DeviceShare(
            vendor=self._device.model.vendor,
            device=self._device.uuid,
            share=Share(quantities={SLOTS: 1, MEMORY: 1024, CORES: 10}),
        )
        placement = Placement(
            namespace="lab",
            pod=uid,
            node="desk",
            uid=uid,
            containers=(ContainerPlacement(container="main", devices=(part,)),),
        )
        notes = {"hetero.io/placement": wire.encode(placement)}
        container = {"name": "main", "resources": {"limits": asked, "requests": asked}}
        self.server.put(
            paths.pods("lab"),
            {
                "metadata": {"name": uid, "uid": uid, "annotations": notes},
                "spec": {"nodeName": "desk", "containers": [container]},
                "status": {"phase": "Running"},
            },
        )
        self.kubelet.admit(uid, "main", self.resource)
        self._pods.append(uid)
        return uid

    def start(self, pod: str) -> float:
        """Start its container; the milliseconds that the kubelet waited."""
        began = time.perf_counter()
        self.kubelet.start_container(pod, "main", 30)
        return 1000 * (time.perf_counter() - began)

    def scrape(self) -> float:
        """Read the agent's metrics, and what the dashboard reads; the milliseconds of the first."""
        began = time.perf_counter()
        for path in ("metrics", "usage"):
            with urllib.request.urlopen(f"http://{self.address}/{path}", timeout=30) as answer:
                assert b"slice" in answer.read()
            if path == "metrics":
                taken = 1000 * (time.perf_counter() - began)
        time.sleep(1.0)  # a reading is used again for so long
        return taken

    def leave(self, count: int) -> None:
        """The oldest pods go."""
        for uid in self._pods[:count]:
            self.kubelet.forget(uid)
            self.server.remove(paths.pod("lab", uid))
        del self._pods[:count]


def measure() -> list[Figure]:
    """All of it."""
    with places.folder() as directory, ApiServer() as server:
        node = Node(directory, server)
        with node.kubelet, running(node):
            node.learn()
            figures = run(node, BURSTS, QUIET_S)
    return figures + precedence.measure()


def run(node: Node, bursts: int, quiet: float) -> list[Figure]:
    """Fill the node, start more, and look at the agent while nothing happens."""
    first = resident(node.pid)[0]
    singles = [node.start(node.admit()) for _ in range(PODS)]
    together: list[float] = []
    with ThreadPoolExecutor(BURST) as pool:
        for _ in range(bursts):
            node.leave(BURST)
            together += pool.map(node.start, [node.admit() for _ in range(BURST)])
    time.sleep(2.0)  # what went is cleared up
    busy = _cpu(node.pid)
    scrapes = [node.scrape() for _ in range(SCRAPES)]
    cost = 1000 * (_cpu(node.pid) - busy) / SCRAPES
    busy, calls = _cpu(node.pid), len(node.server.calls())
    time.sleep(quiet)
    used, asked = _cpu(node.pid) - busy, len(node.server.calls()) - calls
    return [
        Figure("memory after the start", first, "MiB"),
        Figure(f"memory with {PODS} slices, after {bursts} bursts and scrapes", resident(node.pid)[0], "MiB", "<= 80"),
        Figure(f"scrape of {PODS} slices: p50", quantile(scrapes, 50), "ms"),
        Figure(f"scrape of {PODS} slices, and /usage: processor", cost, "ms"),
        Figure("of a core, idle", 100 * used / quiet, "%", "<= 1"),
        Figure("API requests, idle", asked / quiet, "1/s", "<= 0"),
        Figure("PreStartContainer, one at a time: p50", quantile(singles, 50), "ms"),
        Figure("PreStartContainer, one at a time: p99", quantile(singles, 99), "ms", "<= 100"),
        Figure(f"PreStartContainer, {BURST} at a time: p50", quantile(together, 50), "ms"),
        Figure(f"PreStartContainer, {BURST} at a time: p99", quantile(together, 99), "ms", "<= 500"),
    ]


@contextlib.contextmanager
def running(node: Node, machine: Path = MACHINE) -> Iterator[None]:
    """The agent and a container runtime."""
    place = node.place
    own = {
        "listen": str(node.address),
        "kubelet_dir": str(place / "dp"),
        "cdi_dir": str(place / "cdi"),
        "run_dir": str(place / "run"),
        "library_dir": str(place / "lib"),
    }
    config = {"agent": own, "log": {"level": "error"}}
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    described = yaml.safe_load(machine.read_text())
    (place / "machine.yaml").write_text(yaml.safe_dump({**described, "cards": described["cards"] * PAIRS}))
    node.server.kubeconfig(place / "kubeconfig")
    (place / "cdi").mkdir()
    hetero = [sys.executable, "-c", "from hetero.cli.main import main; main()", "--config", str(place / "config.yaml")]
    words = [*hetero, "sim", "run", "--machine", str(place / "machine.yaml"), "--", *hetero, "agent"]
    words += ["--node", "desk", "--kubeconfig", str(place / "kubeconfig")]
    reader = [sys.executable, "-m", prestart_runtime.__name__, str(place / "cdi")]
    with subprocess.Popen(reader, stdin=subprocess.PIPE) as runtime, subprocess.Popen(words) as outer:
        try:
            _until(lambda: node.inventory() is not None and bool(node.kubelet.endpoints.registrations))
            [node.pid] = map(int, Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split())
            _until(lambda: node.kubelet.allocatable(node.kubelet.endpoints.registrations[0]) > 0)
            yield
        finally:
            outer.terminate()
            runtime.communicate()


def _until(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the agent did not come up")
        time.sleep(0.05)


def _cpu(pid: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
