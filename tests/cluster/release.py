"""The chart on a cluster, as a person installs it, and what pods in their slices see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.node.client import Json, Refused
from tests.cluster.node.cluster import Cluster
from tests.cluster.processes import until

CHART = Path(__file__).parents[2] / "charts/hetero"
NAMESPACE = "kube-system"
NAME = "hetero"

LABELS = {"nvidia": "gpu=on", "cambricon": "mlu=on", "hygon": "dcu=on", "ascend": "ascend=on"}
"""What a person labels the nodes of each vendor with: the selectors of the chart's values."""

COUNTS = {
    "nvidia": "nvidia.com/gpu",
    "cambricon": "cambricon.com/vmlu",
    "hygon": "hygon.com/dcunum",
    "ascend": "huawei.com/Ascend910B3",
}
"""The devices of each of the nodes that are always there, as pods count them."""

WORKLOAD = "hetero/workload:1"
SECONDS = 180.0


class Release:
    """The chart on a cluster; installed when it is first needed, and again when somebody took it away.

    Args:
        cluster: Its nodes are Ready.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._there = False

    def install(self, *options: str) -> str:
        """Label the nodes and install the chart, as the README says; what helm wrote, "" when it was there."""
        if self._there:
            return ""
        for name, label in LABELS.items():
            self.cluster.kubectl("label", "node", name, label, "--overwrite")
        # A simulated node has no files of the driver's installation, and containers have the driver from the node.
        chosen = [f"--set=vendors.{name}.enabled=true,vendors.{name}.hostPaths=null" for name in LABELS]
        told = self.cluster.helm("install", NAME, str(CHART), "--namespace", NAMESPACE, *chosen, *_WAIT, *options)
        self._there = True
        self.until_ready()
        return told

    def upgrade(self, *options: str) -> str:
        """Install the chart over itself, with other values."""
        told = self.cluster.helm(
            "upgrade", NAME, str(CHART), "--namespace", NAMESPACE, "--reuse-values", *_WAIT, *options
        )
        self.until_ready()
        return told

    def uninstall(self) -> str:
        """Take it away."""
        told = self.cluster.helm("uninstall", NAME, "--namespace", NAMESPACE, "--wait", "--timeout", "4m")
        self._there = False
        return told

    def until_ready(self) -> None:
        """Wait until every node has its devices where kube-scheduler sees them."""
        for node, count in COUNTS.items():
            until(
                lambda node=node, count=count: self.allocatable(node, count) > 0,  # type: ignore[misc]
                f"{node} offers {count}", seconds=SECONDS, every=0.5,
            )  # fmt: skip

    def until_admits(self) -> None:
        """Wait until pods that ask for devices are let in: the only webhook may run on a node that was rebooted.

        Until its kubelet has said so, it is called where it was before.
        """
        asked = json.dumps(pod("asked", container(ask=gpu(1000))))

        def admits() -> bool:
            try:
                self.cluster.kubectl("apply", "--dry-run=server", "--filename", "-", given=asked)
            except Refused:
                return False
            return True

        until(admits, "pods that ask for devices are let in", seconds=SECONDS, every=0.5)

    def allocatable(self, node: str, resource: str) -> int:
        """What a node has of a resource, for pods."""
        return int(self.cluster.get("node", node)["status"]["allocatable"].get(resource, "0"))

    def agent(self, node: str) -> Json:
        """The pod of a node's agent."""
        found = self.cluster.items("pods", "--selector=app.kubernetes.io/component=agent")
        return next(one for one in found if one["spec"].get("nodeName") == node and not _going(one))

    def scheduler(self) -> Json:
        """A pod of the scheduler."""
        found = self.cluster.items("pods", "--selector=app.kubernetes.io/component=scheduler")
        return next(one for one in found if not _going(one))

    def tails(self) -> str:
        """All pods and what happened last, and the ends of the logs of its own."""
        seen = [self.cluster.kubectl("get", kind, "--all-namespaces") for kind in ("pods", "events")]
        pods = self.cluster.items("pods", "--selector=app.kubernetes.io/name=hetero")
        return "\n".join([*seen, *(self._tail(one["metadata"]["name"]) for one in pods)])

    def _tail(self, pod: str) -> str:
        words = ("logs", pod, "--namespace", NAMESPACE, "--all-containers", "--tail=25", "--ignore-errors")
        return f"--- {pod}\n{self.cluster.kubectl(*words)}"


_WAIT = ("--wait", "--timeout", "4m")


def _going(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def container(name: str = "main", *command: str, ask: Mapping[str, int] | None = None, **spec: Any) -> Json:
    """A container of the workload image that asks so much of devices, and sleeps where no command is given."""
    limits = {resource: str(amount) for resource, amount in (ask or {}).items()}
    given = {"command": list(command)} if command else {}
    return {
        "name": name,
        "image": WORKLOAD,
        "imagePullPolicy": "Never",
        "resources": {"limits": limits},
        **given,
        **spec,
    }


def pod(name: str, *containers: Json, annotations: Mapping[str, str] | None = None, **spec: Any) -> Json:
    """A pod; it ends at once when it is asked to."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": list(containers), **spec},
    }


def gpu(memory: int, cores: int = 0, count: int = 1) -> dict[str, int]:
    """An ask of slices of the simulated NVIDIA cards: each of so many MiB and percent."""
    return {"nvidia.com/gpu": count, "nvidia.com/gpumem": memory, **({"nvidia.com/gpucores": cores} if cores else {})}


@dataclass(frozen=True)
class Limits:
    """The limits that a container finds in its file.

    Attributes:
        slice_id: Whose they are.
        devices: Identity, MiB and percent of each device.
    """

    slice_id: str
    devices: tuple[tuple[str, int, int], ...]

    @property
    def memory(self) -> list[int]:
        """MiB of each device."""
        return [one[1] for one in self.devices]


def limits(text: str) -> Limits:
    """Read a limits file."""
    found = dict(re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE))
    numbers = sorted(int(key.removeprefix("uuid_")) for key in found if key.startswith("uuid_"))
    devices = ((found[f"uuid_{n}"], int(found[f"memory_{n}"]) >> 20, int(found[f"cores_{n}"])) for n in numbers)
    return Limits(found["slice"], tuple(devices))


def limits_of(cluster: Cluster, name: str, container: str = "main") -> Limits:
    """The limits of a running container, by its own file."""
    return limits(cluster.exec(name, "cat", "/etc/hetero/limits", container=container))


def totals(text: str) -> set[int]:
    """MiB of memory of the cards, by all three queries that ``cardinfo`` makes."""
    return {int(number) for number in re.findall(r"otal\s+(\d+) MiB", text)}


def granted(text: str) -> int:
    """MiB that ``fill`` was given before it was refused."""
    found = re.search(r"granted (\d+) MiB in \d+ steps, then CUDA_ERROR_OUT_OF_MEMORY", text)
    assert found, text
    return int(found[1])


def names(pods: Iterable[Json]) -> list[str]:
    """Of pods."""
    return [one["metadata"]["name"] for one in pods]
