"""A cluster of thousands of nodes, as benchmarks have it, in an API server in memory. SIMULATED."""

from __future__ import annotations

from hetero.kube import paths
from hetero.testing.hollow import hollow_node
from tests.bench import objects
from tests.bench.clusters import VENDOR, Size, described
from tests.browser.stage import Stage, asked, until

SIZE = Size(nodes=5000, devices=8, pods=10_000)
WAITING = 20


def fill(stage: Stage, size: Size = SIZE) -> None:
    """Its nodes, its pods, and some that wait. Agents are not deployed: deploy them where their reports matter."""
    vendor = stage.vendors[VENDOR]
    cluster = described(size, vendor)
    for node in cluster.nodes:
        stage.server.put(paths.NODES, hollow_node(node, stage.vendors))
    for workload, placement in cluster.pods:
        stage.server.put(paths.pods("default"), objects.running(workload, placement, vendor.resources[0]))
    for number in range(WAITING):
        pod = objects.pending(cluster.pods[number][0], f"waits-{number:02}", vendor.resources[0])
        pod["spec"]["containers"][0]["resources"]["limits"][vendor.resources[0].memory] = "999999"
        stage.server.put(paths.pods("default"), pod)


def settled(url: str, size: Size = SIZE) -> None:
    """Wait until a dashboard knows all of it.

    Raises:
        TimeoutError: It does not come to that.
    """

    def known() -> bool:
        overview = asked(url, "overview")
        return bool(overview["nodes"] == size.nodes and overview["workloads"] == size.pods)

    until(known, f"the dashboard to know {size}", 180)
