"""`make demo-dashboard`: the dashboard of a mixed cluster on which pods come and go.

The dashboard, the scheduler and its webhook run as they would in a cluster, as processes of their own. What surrounds
them is SIMULATED: the API server and a small kube-scheduler live in this program, nodes are those of a file, and what
their agents say is used is made up; nothing computes.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
from cluster_demo import CLUSTER, extender, ready, scheduler, surroundings
from demo import ended, require

from hetero.cli.cluster_file import inventory
from hetero.cli.context import read_yaml
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.model.annotations import CORDON
from hetero.testing.agents import HollowAgents
from hetero.testing.apiserver import ApiServer
from hetero.testing.hollow import hollow_node
from hetero.testing.kubescheduler import KubeScheduler
from hetero.testing.loads import moving
from hetero.testing.places import Port
from hetero.vendor import Vendor

KUBECONFIG = Path("build/demo/dashboard.kubeconfig")
LOG = Path("build/demo/dashboard.log")
"""What scheduler and dashboard log."""

SECONDS = "HETERO_DEMO_SECONDS"
PODS = 36
"""That there are at a time, beside those that wait for good."""

EVERY = 1.5
"""Seconds between one that goes and one that comes."""

SILENT = "npu-310p"
"""A node whose agent does not answer."""

CORDONED = "dcu"
"""A node of which one card gets no new pods."""


@dataclass(frozen=True)
class Wish:
    """What pods of one kind ask.

    Attributes:
        name: Of its pods, before a number.
        namespace: Theirs.
        limits: Resources, with the least and the most of each.
    """

    name: str
    namespace: str
    limits: Mapping[str, tuple[int, int]]

    def drawn(self, dice: random.Random) -> dict[str, str]:
        """One pod's limits, in steps of a quarter."""
        return {key: str(least + (most - least) * dice.randrange(5) // 4) for key, (least, most) in self.limits.items()}


WISHES = (
    Wish("chat", "search", {"nvidia.com/gpumem": (2000, 10000), "nvidia.com/gpucores": (10, 50)}),
    Wish("embed", "search", {"nvidia.com/gpumem": (1000, 3000), "nvidia.com/gpucores": (5, 20)}),
    Wish("urgent", "search", {"nvidia.com/gpumem": (1000, 4000), "nvidia.com/priority": (0, 0)}),
    Wish("train", "research", {"nvidia.com/gpu": (1, 2)}),
    Wish("vision", "research", {"cambricon.com/mlu.smlu.vmemory": (5, 40), "cambricon.com/mlu.smlu.vcore": (5, 40)}),
    Wish("speech", "speech", {"hygon.com/dcumem": (2000, 20000), "hygon.com/dcucores": (10, 60)}),
    Wish("rank", "ads", {"huawei.com/Ascend910B4-memory": (8000, 16000)}),
    Wish("tune", "ads", {"huawei.com/Ascend910B3-memory": (8000, 32000)}),
    Wish("module", "research", {"huawei.com/Ascend910C": (2, 2)}),
    Wish("widget", "lab", {"toy.example/widget-memory": (256, 2048)}),
)
WAITING = (
    Wish("too-large", "research", {"nvidia.com/gpumem": (90000, 90000)}),
    Wish("too-many", "research", {"cambricon.com/vmlu": (9, 9)}),
)
QUOTAS = {"search": {"limits.nvidia.com/gpumem": "60000"}, "speech": {"limits.hygon.com/dcucores": "400"}}


def main() -> int:
    """Start the cluster and the dashboard, and keep the pods moving until somebody ends it."""
    seconds = _seconds()
    with surroundings(KUBECONFIG) as (server, vendors):
        _furnish(server, vendors)
        with (
            LOG.open("w") as log,
            scheduler(server, log) as url,
            closing(server.api()) as api,
            KubeScheduler(api, extender(url, vendors)),
            dashboard(server, log, browse=not seconds) as page,
        ):
            print(
                f"\nThe dashboard of a SIMULATED cluster is at {page}  (Ctrl-C ends it; {LOG} is its log)", flush=True
            )
            Moving(server, api).go_on(seconds)
            server.wait(lambda: _heard(page), 60)  # on a busy machine that takes longer than it was to run
            print(_told(page))
    return 0


def _seconds() -> float:
    """How long it runs; 0 until somebody ends it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=float(os.environ.get(SECONDS, "0")))
    return float(parser.parse_args().seconds)


def _furnish(server: ApiServer, vendors: Mapping[str, Vendor]) -> None:
    """Nodes, their agents, and quotas."""
    described = inventory(read_yaml(Path(CLUSTER)), Path(CLUSTER), vendors).nodes
    for node in described:
        made = hollow_node(node, vendors)
        if node.name == CORDONED:
            made["metadata"]["annotations"][CORDON[0]] = node.devices[-1].uuid
        server.put(paths.NODES, made)
    agents = HollowAgents(server, vendors, moving)
    agents.silent.add(SILENT)
    agents.deploy()
    for namespace, hard in QUOTAS.items():
        server.put(paths.quotas(namespace), {"metadata": {"name": "devices"}, "spec": {"hard": hard}})
    cards = sum(len(node.devices) for node in described)
    print(f"A SIMULATED cluster of {len(described)} nodes with {cards} cards, {CLUSTER}. What is used is made up.\n")


@contextmanager
def dashboard(server: ApiServer, log: IO[str], *, browse: bool) -> Iterator[str]:
    """`hetero dashboard` on free ports of loopback; gives its address."""
    pages, health = Port(), Port()
    command = f"hetero dashboard --listen {pages} --health {health} --auth none --agents proxy"
    print(f"  $ {command} &", flush=True)
    words = [*command.split(), *(["--open"] if browse else [])]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=log)
    try:
        server.wait(lambda: ready(health) or process.poll() is not None, 120)
        require(process.poll() is None, command, process.returncode)
        yield f"http://{pages}/"
    finally:
        process.terminate()
        process.wait()


class Moving:
    """Pods that come and go.

    Args:
        server: Takes away what goes, as a garbage collector would.
        api: Creates what comes, as a user would.
    """

    def __init__(self, server: ApiServer, api: Api) -> None:
        self._server = server
        self._api = api
        self._dice = random.Random(7)  # noqa: S311 — the same pods each time
        self._pods: list[tuple[str, str]] = []
        self._count = 0

    def go_on(self, seconds: float) -> None:
        """Keep pods coming and going, for so many seconds or until Ctrl-C."""
        until = time.monotonic() + seconds if seconds else float("inf")
        for wish in WAITING:
            self._come(wish)
        self._pods.clear()  # these stay
        for _ in range(PODS):
            self._come(self._dice.choice(WISHES))
        try:
            while time.monotonic() < until:
                time.sleep(min(EVERY, max(0.0, until - time.monotonic())))
                self._go()
                self._come(self._dice.choice(WISHES))
        except KeyboardInterrupt:
            print()

    def _come(self, wish: Wish) -> None:
        self._count += 1
        name = f"{wish.name}-{self._count}"
        self._server.put(paths.NAMESPACES, {"metadata": {"name": wish.namespace}})
        try:
            self._api.post(paths.pods(wish.namespace), _pod(name, wish.drawn(self._dice)))
        except ApiError as error:
            if "ResourceQuotaNotFit" not in error.message:
                raise
        else:
            self._pods.append((wish.namespace, name))

    def _go(self) -> None:
        """One of the older half ends, where there are as many as there are to be."""
        if len(self._pods) < PODS:
            return
        namespace, name = self._pods.pop(self._dice.randrange(len(self._pods) // 2))
        self._server.remove(paths.pod(namespace, name))


def _pod(name: str, limits: Mapping[str, str]) -> bytes:
    container = {"name": "main", "image": "none", "resources": {"limits": dict(limits)}}
    # GPUs are shared by software unless an instance is asked by its name.
    metadata = {"name": name, "annotations": {"nvidia.com/vgpu-mode": "hami-core"}}
    return msgspec.json.encode({"metadata": metadata, "spec": {"containers": [container]}})


def _shown(page: str) -> Any:
    """The dashboard's first page."""
    with urllib.request.urlopen(f"{page}api/v1/overview", timeout=60) as answer:  # noqa: S310  our own address
        return msgspec.json.decode(answer.read())


def _heard(page: str) -> bool:
    """Whether all agents were heard of that answer."""
    shown = _shown(page)
    return bool(shown["freshness"].get("reporting", 0) >= shown["nodes"] - 1)


def _told(page: str) -> str:
    """What the dashboard showed last, in a line."""
    shown = _shown(page)
    vendors = ", ".join(f"{one['cards']} of {one['vendor']}" for one in shown["vendors"])
    known = f"{shown['freshness'].get('reporting', 0)} of {shown['nodes']} nodes say what is used"
    return f"It showed {shown['cards']} cards ({vendors}), {shown['workloads']} pods with devices, {known}."


if __name__ == "__main__":
    ended(main)
