"""A cluster for the scheduler to watch: an API server in memory with the nodes and pods of a described cluster.

``python -m tests.bench.world NODES DEVICES PODS KUBECONFIG [agents]`` fills it, writes how to reach it and prints its
address; with agents on its nodes, whose load moves, where that is asked for. It runs as a process of its own, so that
what it costs is no one else's.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from hetero import plugins
from hetero.testing.agents import HollowAgents
from hetero.testing.apiserver import ApiServer
from hetero.testing.loads import moving
from tests.bench import objects
from tests.bench.clusters import VENDOR, Size, described

NODES = "/api/v1/nodes"
PODS = "/api/v1/namespaces/default/pods"


def main(nodes: str, devices: str, pods: str, kubeconfig: str, agents: str = "") -> None:
    """Serve until killed."""
    vendors = plugins.load().vendors
    vendor = vendors[VENDOR]
    cluster = described(Size(int(nodes), int(devices), int(pods)), vendor)
    with ApiServer() as server:
        for node in cluster.nodes:
            server.put(NODES, objects.node(node))
        for workload, placement in cluster.pods:
            server.put(PODS, objects.running(workload, placement, vendor.resources[0]))
        if agents:
            HollowAgents(server, vendors, moving).deploy()
        server.kubeconfig(Path(kubeconfig))
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
