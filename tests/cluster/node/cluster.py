"""A whole cluster: a control plane, nodes with simulated chips, and a person who uses it.

    cluster = Cluster(binaries, directory, names=["left", "right"], images=build(place, binaries))
    cluster.up()
    cluster.add({"left": Path("examples/machines/nvidia-12g.yaml"), "right": None})
    cluster.apply(Path("examples/nvidia/gpu-pod.yaml"))
    cluster.wait("gpu-pod")
    print(cluster.logs("gpu-pod"), cluster.exec("gpu-pod", "smi"), cluster.kubectl("get", "nodes"))
    cluster.nodes["left"].reboot()
    cluster.down()

Within the namespaces of a run, see :mod:`tests.cluster.namespace`, as root. Every node is a :class:`Node`, whose
kubelet and containerd can be stopped, killed and started and which can be rebooted; the rest is :class:`Client`'s.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from tests.cluster import users
from tests.cluster.controlplane import ControlPlane, Ports
from tests.cluster.namespace import ADDRESS
from tests.cluster.node import network
from tests.cluster.node.client import Client, Json, Refused
from tests.cluster.node.node import Node
from tests.cluster.node.store import Store

PORTS = Ports(api=443, etcd=2479, controllers=10357)
"""Pods know the API server by the service's port; the others are not those of a control plane without nodes."""

AUTHORITY = Path("/etc/kubernetes/ca.crt")
SECONDS = 120.0

SELECTORS = {"--selector": "labelSelector", "--field-selector": "fieldSelector"}
"""Options of kubectl to parameters of the API."""


def why_not() -> str:
    """Why there can be no nodes here, in a few words; empty when there can."""
    if os.getuid() or Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]:
        return "nodes need root: device files, overlays and control groups are not for users"
    if lacking := [program for program in ("ip", "nsenter", "mount", "pivot_root", "cc") if not shutil.which(program)]:
        return f"nodes need {', '.join(lacking)}"
    return ""


class Cluster(Client):
    """A cluster that is up from :meth:`up` to :meth:`down`.

    Args:
        programs: Where they are, see :mod:`tests.cluster.binaries`.
        directory: For everything that it keeps.
        names: Of the nodes that may be added.
        images: Every image that nodes get, by name, and its archive.
    """

    def __init__(self, programs: Path, directory: Path, *, names: Collection[str], images: Mapping[str, Path]) -> None:
        self.directory = directory
        self.plane = ControlPlane(programs, directory / "plane", nodes=names, ports=PORTS)
        super().__init__(programs, self.plane.kubeconfig(users.ADMIN), directory)
        self.nodes: dict[str, Node] = {}
        self.images = dict(images)
        self._store = Store(programs, directory / "images")
        self._names = list(names)

    def up(self) -> None:
        """Start the control plane, and return when pods can be created and reach it."""
        network.up()
        with ThreadPoolExecutor() as pool:
            filled = pool.submit(self._store.fill, self.images.values())
            self.plane.up()
            filled.result()
        self.apply(_endpoint())
        self.until(
            lambda: (found := self.get("serviceaccount", "default"), bool(found)),
            "the namespace has its service account", SECONDS, self.plane.tails,
        )  # fmt: skip

    def add(self, machines: Mapping[str, Path | Mapping[str, Any] | None]) -> None:
        """Switch on new nodes, and return when all are Ready.

        The first of a cluster has the cluster's own kube-scheduler, as a static pod.

        Args:
            machines: The node's name, one of those that were given, to its simulated chips: a machine file, or what one
                says; None for a node without.
        """
        made = [self._new(name, machine) for name, machine in machines.items()]
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(node.start) for node in made]:
                done.result()
        self.wait_for_nodes()

    def _new(self, name: str, machine: Path | Mapping[str, Any] | None) -> Node:
        first = not self.nodes
        node = Node(name, self._names.index(name) + 1, self._binaries, self.directory / "nodes" / name, machine)
        kubeconfig = self._kubeconfig(self.directory / f"{name}.kubeconfig", users.kubelet(name))
        node.install(kubeconfig, self.plane.authority.pair.certificate, self._store)
        self.nodes[name] = node
        if first:
            node.keep("etc/kubernetes/scheduler.conf", self._kubeconfig(self.directory / "scheduler", users.SCHEDULER))
            self._add_scheduler(node)
        return node

    def _add_scheduler(self, node: Node) -> None:
        [image] = [one for one in self.images if one.startswith("hetero/kube-scheduler:")]
        node.keep("etc/kubernetes/manifests/kube-scheduler.json", json.dumps(_kube_scheduler(image)))

    def _kubeconfig(self, path: Path, user: str) -> str:
        return users.kubeconfig(path, f"https://{network.SERVICE}", user, AUTHORITY).read_text()

    def wait_for_nodes(self, seconds: float = SECONDS) -> None:
        """Wait until every node that is on is Ready."""
        self.until(
            lambda: ({}, _ready(self.items("nodes")) >= {*self.nodes}), f"{', '.join(self.nodes)} are Ready",
            seconds, self.tails,
        )  # fmt: skip

    @cached_property
    def api(self) -> Api:
        """The API server, for what is looked at all the time: kubectl takes a tenth of a second for each look."""
        return Api.connect(str(self.kubeconfig))

    def get(self, kind: str, name: str, namespace: str = "default") -> Json:
        """An object; ``{}`` when there is none of that name."""
        places = {"pod": paths.pod(namespace, name), "node": paths.node(name)}
        if kind not in places:
            return super().get(kind, name, namespace)
        try:
            found: Json = json.loads(self.api.get(places[kind]))
        except ApiError as error:
            if error.status == 404:
                return {}
            raise Refused(str(error)) from error
        return found

    def items(self, kind: str, *words: str) -> list[Json]:
        """All objects of a kind in all namespaces, or those that more words choose (``--selector=…``)."""
        places = {"pods": paths.PODS, "nodes": paths.NODES}
        if kind not in places:
            return super().items(kind, *words)
        given = dict(word.split("=", 1) for word in words)
        query = {SELECTORS[option]: value for option, value in given.items()}
        try:
            found: list[Json] = json.loads(self.api.get(places[kind], query))["items"]
        except ApiError as error:
            raise Refused(str(error)) from error
        return found

    def node_of(self, pod: str, namespace: str = "default") -> Node:
        """The node on which a pod is."""
        return self.nodes[self.pod(pod, namespace)["spec"]["nodeName"]]

    def kill_container(self, pod: str, container: str, namespace: str = "default") -> None:
        """End all processes of a running container at whatever instruction they are."""
        found = self.pod(pod, namespace)
        status = found["status"]
        every = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
        [identity] = [one["containerID"] for one in every if one["name"] == container]
        self.nodes[found["spec"]["nodeName"]].kill_container(identity)

    def down(self) -> None:
        """End everything; what is stored goes with the directory."""
        with ThreadPoolExecutor() as pool:
            for one in [pool.submit(node.remove) for node in self.nodes.values()]:
                one.result()
        self.plane.down()

    def tails(self) -> str:
        """The ends of all logs."""
        return "\n".join([self.plane.tails(), *(node.tails() for node in self.nodes.values())])


def _endpoint() -> Json:
    """Where the API server is, for those who look up its service: nobody else writes it."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESS]}],
        "ports": [{"name": "https", "port": PORTS.api, "protocol": "TCP"}],
    }


def _kube_scheduler(image: str) -> Json:
    """As a cluster has it that kubeadm made: a static pod in kube-system with this label."""
    configuration = "/etc/kubernetes/scheduler.conf"
    files = {"name": "kubernetes", "hostPath": {"path": "/etc/kubernetes", "type": "Directory"}}
    container = {
        "name": "kube-scheduler",
        "image": image,
        "imagePullPolicy": "Never",
        "command": [
            "kube-scheduler", f"--kubeconfig={configuration}", f"--authentication-kubeconfig={configuration}",
            f"--authorization-kubeconfig={configuration}", "--leader-elect=false", "--bind-address=127.0.0.1",
        ],
        "volumeMounts": [{"name": "kubernetes", "mountPath": "/etc/kubernetes", "readOnly": True}],
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kube-scheduler", "namespace": "kube-system", "labels": {"component": "kube-scheduler"}},
        "spec": {
            "hostNetwork": True,
            "priorityClassName": "system-node-critical",
            "containers": [container],
            "volumes": [files],
        },
    }


def _ready(nodes: Iterable[Json]) -> set[str]:
    found = set()
    for node in nodes:
        conditions = {one["type"]: one["status"] for one in node["status"].get("conditions", [])}
        if conditions.get("Ready") == "True":
            found.add(node["metadata"]["name"])
    return found
