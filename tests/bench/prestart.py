"""How long a container waits for its slice: PreStartContainer, from the kubelet's call to its answer.

Three processes as on a node: the plugin, this one as the kubelet, and a runtime that reads the CDI folder by inotify as
containerd does. The slice itself takes no time to make: what a vendor's driver takes comes on top.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hetero.allocation.cdi_folder import CdiFolder
from hetero.testing import places
from hetero.testing.kubelet import FakeKubelet
from tests.bench import prestart_plugin, prestart_runtime
from tests.bench.figures import Figure, quantile

PODS = 100
"""That are on the node all the while."""

SINGLES = 300
BURST = 20
BURSTS = 15
RESOURCE = prestart_plugin.RESOURCE


@dataclass
class Waited:
    """Milliseconds, by what happened.

    Attributes:
        singles: New containers, one at a time.
        restarts: Containers that start again.
        bursts: New containers, many at a time.
    """

    singles: list[float] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    bursts: list[float] = field(default_factory=list)


class Node:
    """A kubelet, a plugin and a runtime; the oldest pod goes when one comes."""

    def __init__(self, place: Path) -> None:
        self.kubelet = FakeKubelet(place / "plugins")
        self.folder = CdiFolder(place / "cdi")
        self.folder.prepare()
        self.waited = Waited()
        self._count = 0
        self._pods: list[str] = []

    def admit(self) -> str:
        """A new pod, bound and admitted."""
        self._count += 1
        pod = f"pod-{self._count}"
        self.kubelet.admit(pod, "main", RESOURCE)
        self._pods.append(pod)
        return pod

    def start(self, pod: str) -> float:
        """Start its container; the milliseconds that the kubelet waited."""
        began = time.perf_counter()
        self.kubelet.start_container(pod, "main", 30)
        return 1000 * (time.perf_counter() - began)

    def leave(self, count: int) -> None:
        """The oldest pods go, and their files with them, as the agent's sweep has it."""
        for pod in self._pods[:count]:
            self.kubelet.forget(pod)
        del self._pods[:count]
        self.folder.sweep(self.kubelet.held)


def measure() -> list[Figure]:
    """The quantiles of each kind."""
    with places.folder() as directory, _node(directory) as node:
        return figures(run(node, SINGLES, BURSTS))


def run(node: Node, singles: int, bursts: int) -> Waited:
    """Fill the node, then start containers one at a time and many at a time."""
    for pod in [node.admit() for _ in range(PODS)]:
        node.start(pod)
    for _ in range(singles):
        node.leave(1)
        pod = node.admit()
        node.waited.singles.append(node.start(pod))
        node.waited.restarts.append(node.start(pod))
    with ThreadPoolExecutor(BURST) as pool:
        for _ in range(bursts):
            node.leave(BURST)
            node.waited.bursts += pool.map(node.start, [node.admit() for _ in range(BURST)])
    return node.waited


def figures(waited: Waited) -> list[Figure]:
    """What the times come to."""
    return [
        *_quantiles(f"one at a time, {PODS} pods on the node", waited.singles, 100),
        *_quantiles("again, after the container's death", waited.restarts, 100),
        *_quantiles(f"{BURST} at a time, {PODS} pods on the node", waited.bursts, 500),
    ]


def _quantiles(what: str, times: Sequence[float], reach: int) -> list[Figure]:
    return [
        Figure(f"PreStartContainer {what}: p50", quantile(times, 50), "ms"),
        Figure(f"PreStartContainer {what}: p99", quantile(times, 99), "ms", f"<= {reach}"),
        Figure(f"PreStartContainer {what}: max", max(times), "ms"),
    ]


@contextlib.contextmanager
def _node(place: Path) -> Iterator[Node]:
    node = Node(place)
    plugin = [prestart_plugin.__name__, node.kubelet.folder, node.folder.folder]
    runtime = [prestart_runtime.__name__, node.folder.folder]
    with node.kubelet, _program(runtime), _program(plugin):
        if not node.kubelet.wait(lambda: node.kubelet.allocatable(RESOURCE) == prestart_plugin.SLOTS, 60):
            raise RuntimeError(f"{prestart_plugin.__name__} did not register")
        yield node


@contextlib.contextmanager
def _program(words: Sequence[object]) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-m", *map(str, words)], stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.communicate()  # it ends with its input
