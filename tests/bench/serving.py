"""What the dashboard costs on a large cluster: memory of its server, and how long its documents take.

The server is a process of its own, as anybody starts it; nodes, pods and agents are those of :mod:`tests.bench.world`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hetero.testing.places import Port
from tests.bench.clusters import Size
from tests.bench.figures import Figure, quantile
from tests.bench.processes import end, program, resident
from tests.bench.service import wait_until_ready

SIZE = Size(nodes=5000, devices=8, pods=20_000)
ROUNDS = 20
MOST_MIB = 200

PAGES = {
    "overview": "/api/v1/overview",
    "cards, the idlest 50": "/api/v1/cards?sort=idle",
    "nodes, searched": "/api/v1/nodes?search=h100",
    "workloads, 50": "/api/v1/workloads",
}
"""What is asked for; figures are named after them."""

HEARD_S = 120.0
"""Seconds that all agents have to be heard of."""


@dataclass(frozen=True)
class Running:
    """A dashboard that is ready.

    Attributes:
        pid: Of its process.
        url: Of its pages.
        ready_s: Seconds from its start until it said that it is ready.
    """

    pid: int
    url: str
    ready_s: float

    def get(self, path: str) -> Any:
        """A document."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as answer:
            return msgspec.json.decode(answer.read())


def figures(size: Size = SIZE, rounds: int = ROUNDS) -> list[Figure]:
    """Memory when everything was looked at, and the time of each document, as it changes all the time."""
    with tempfile.TemporaryDirectory(prefix="bench-dashboard-") as place:
        config = Path(place, "kubeconfig")
        words = (str(size.nodes), str(size.devices), str(size.pods), str(config), "agents")
        with program("tests.bench.world", *words), started(config, Path(place)) as running:
            heard = _heard(running, size.nodes)
            times = {name: [_timed(running, path) for _ in range(rounds)] for name, path in PAGES.items()}
            _, most = resident(running.pid)
    return [
        Figure(f"dashboard of {size}: until it is ready", running.ready_s, "s"),
        Figure("until every agent was heard of", heard, "s"),
        Figure("memory of its server, the most", most, "MiB", f"<= {MOST_MIB}"),
        *(Figure(f"{name}: p50", quantile(taken, 50), "ms") for name, taken in times.items()),
    ]


@contextmanager
def started(kubeconfig: Path, directory: Path) -> Iterator[Running]:
    """Start it and wait until it has read the cluster.

    Raises:
        RuntimeError: It ended, or was not ready in time; with the end of its log.
    """
    pages, health, log = Port(), Port(), directory / "dashboard.log"
    command = [
        sys.executable, "-c", "from hetero.cli.main import main; main()",
        "dashboard", f"--kubeconfig={kubeconfig}", f"--listen={pages}", f"--health={health}", "--auth=none",
        "--agents=proxy",
    ]  # fmt: skip
    start = time.monotonic()
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            wait_until_ready(process, f"http://{health}/readyz", log)
            yield Running(process.pid, f"http://{pages}", time.monotonic() - start)
        finally:
            end(process)


def _heard(running: Running, nodes: int) -> float:
    """Seconds until the use of all nodes is known.

    Raises:
        RuntimeError: It is not in time.
    """
    start = time.monotonic()
    while (reporting := running.get("/api/v1/overview")["freshness"]["reporting"]) < nodes:
        if time.monotonic() - start > HEARD_S:
            raise RuntimeError(f"only {reporting} of {nodes} agents were heard of within {HEARD_S:g} s")
        time.sleep(0.2)
    return time.monotonic() - start


def _timed(running: Running, path: str) -> float:
    """Milliseconds of one document."""
    start = time.perf_counter()
    running.get(path)
    return (time.perf_counter() - start) * 1000
