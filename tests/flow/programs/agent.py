"""The agent on the machine that this runs on, between an API server, a kubelet and a container runtime.

Pods of a file are placed and started as in a cluster; printed, as JSON, is what the runtime gives each container, and
what is left when all pods are over. Directories that differ from run to run are written ``$RUN`` and ``$LIB``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from hetero import log, plugins
from hetero.admission.asks import pod_ask
from hetero.admission.workloads import pods
from hetero.agent.service import Agent, Place
from hetero.config import AgentSettings, Settings
from hetero.errors import KubeletError
from hetero.kube import paths
from hetero.model import device, wire
from hetero.model.device import Inventory
from hetero.model.placement import Placement
from hetero.placement import Planner
from hetero.testing import places
from hetero.testing.apiserver import ApiServer
from hetero.testing.kubelet import FakeKubelet
from hetero.testing.kubelet_runtime import FakeRuntime


class Node:
    """A node with all that surrounds an agent."""

    def __init__(self, place: Path, server: ApiServer) -> None:
        self.place, self.server = place, server
        self.vendors = plugins.load().vendors
        self.kubelet, self.runtime = FakeKubelet(place / "dp"), FakeRuntime(place / "cdi")
        info = {"nodeInfo": {"containerRuntimeVersion": "containerd://2.2.9"}}
        server.put(paths.NODES, {"metadata": {"name": "desk"}, "status": info})
        own = AgentSettings(
            kubelet_dir=str(place / "dp"),
            cdi_dir=str(place / "cdi"),
            run_dir=str(place / "run"),
            library_dir=str(place / "lib"),
        )
        self.api = server.api()
        self.agent = Agent(self.api, self.vendors, Settings(agent=own), Place(node="desk"))

    def planner(self) -> Planner:
        """Of what the agent has published."""
        until(lambda: not self.agent.waiting() and "hetero.io/inventory" in self._notes())
        published = wire.decode(self._notes()["hetero.io/inventory"], device.Node)
        return Planner(Inventory(nodes=(published,)), self.vendors)

    def run(self, manifest: dict[str, Any], planner: Planner) -> dict[str, Any]:
        """Place a pod, bind it, start its containers."""
        [pod] = pods(manifest)
        ask, uid = pod_ask(pod, self.vendors), f"uid-{pod.name}"
        placed = planner.place(ask)
        assert isinstance(placed, Placement), placed
        placement = wire.encode(
            Placement(namespace="lab", pod=pod.name, node="desk", uid=uid, containers=placed.containers)
        )
        self._put(manifest, uid, placement, "Pending")
        counted = {name for one in planner.inventory.nodes[0].devices for name in self._counted(one)}
        for container in manifest["spec"]["containers"]:
            for name, count in container["resources"]["limits"].items():
                if name in counted:
                    until(lambda name=name, count=count: self.kubelet.allocatable(name) >= count)  # type: ignore[misc]
                    self.kubelet.admit(uid, container["name"], name, count)
        return {one["name"]: self._start(uid, one["name"]) for one in manifest["spec"]["containers"]}

    def end(self, manifests: list[dict[str, Any]]) -> dict[str, Any]:
        """All pods are over; what is left."""
        for manifest in manifests:
            self._put(manifest, f"uid-{manifest['metadata']['name']}", "", "Succeeded")
        folders = (self.place / "run/slices", self.place / "cdi")
        until(lambda: not any(path.is_dir() and any(path.iterdir()) for path in folders))
        return {path.name: [one.name for one in path.iterdir()] for path in folders if path.exists()}

    def _start(self, uid: str, container: str) -> Any:
        try:
            self.kubelet.start_container(uid, container, 30)
        except KubeletError as error:
            return error.reason
        held = [one for one in self.kubelet.held() if (one.pod_uid, one.container) == (uid, container)]
        return self.runtime.create(*(name for one in held for name in one.cdi_names))

    def _counted(self, one: device.Device) -> set[str]:
        families = self.vendors[one.model.vendor].resources
        return {name for words in families if words.family == one.model.family for name in words.counted(one.model)}

    def _notes(self) -> dict[str, str]:
        [node] = self.server.objects(paths.NODES)
        return node["metadata"].get("annotations") or {}

    def _put(self, manifest: dict[str, Any], uid: str, placement: str, phase: str) -> None:
        metadata = {**manifest["metadata"], "namespace": "lab", "uid": uid}
        metadata["annotations"] = {**metadata.get("annotations", {}), "hetero.io/placement": placement}
        pod = {"metadata": metadata, "spec": {**manifest["spec"], "nodeName": "desk"}, "status": {"phase": phase}}
        self.server.put(paths.pods("lab"), pod)


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("it did not come to pass")
        time.sleep(0.01)


def main(file: Path) -> None:
    """Start everything in the file."""
    log.configure("error")
    manifests = list(yaml.safe_load_all(file.read_text()))
    with places.folder() as place, ApiServer() as server:
        node = Node(place, server)
        with node.kubelet, node.runtime:
            node.agent.start()
            planner = node.planner()
            given = {one["metadata"]["name"]: node.run(one, planner) for one in manifests}
            left = node.end(manifests)
            node.agent.stop()
        text = json.dumps({"given": given, "left": left})
        sys.stdout.write(text.replace(f"{place}/run", "$RUN").replace(f"{place}/lib", "$LIB"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
