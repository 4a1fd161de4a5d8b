"""What the scenarios put into a cluster: nodes that only the API knows, and pods that ask for devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hetero import plugins
from hetero.admission.registration import managed_resources
from hetero.model.device import Device, Node
from hetero.testing.hollow import hollow_node
from hetero.vendor import Resources, Vendor

Json = dict[str, Any]

SCHEDULER = "hetero-scheduler"
MODEL = "NVIDIA L4"
MEMORY_MIB = 16384

VENDORS: Mapping[str, Vendor] = plugins.load().vendors
"""The vendors of this installation, as the scheduler under test finds them."""


def machine(
    name: str, devices: int = 2, *, vendor: str = "nvidia", model: str = MODEL, memory: int = MEMORY_MIB
) -> Node:
    """A machine with equal devices."""
    kind = VENDORS[vendor].splitting.model(model, memory)
    made = (Device(uuid=f"{vendor}-{name}-{index}", index=index, model=kind) for index in range(devices))
    return Node(name=name, devices=tuple(made))


def node(described: Node, *, labels: Mapping[str, str] | None = None, **spec: Any) -> Json:
    """A node of the API with its inventory, and the totals of its devices where kube-scheduler sees them."""
    return hollow_node(described, VENDORS, labels=labels, **spec)


def family(vendor: str = "nvidia") -> Resources:
    """The words of a vendor's first family."""
    return VENDORS[vendor].resources[0]


def limits(count: int = 1, *, memory: int = 0, cores: int = 0, percent: int = 0, vendor: str = "nvidia") -> Json:
    """The limits of a container, those that are not 0."""
    words = family(vendor)
    asked = {words.count: count, words.memory: memory, words.cores: cores, words.memory_percentage: percent}
    return {name: str(amount) for name, amount in asked.items() if name and amount}


def pod(
    name: str,
    *containers: Json,
    namespace: str = "default",
    scheduler: str | None = SCHEDULER,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Json:
    """A pod whose containers are given by their limits; one of a whole device when none is given."""
    made = [
        {"name": f"c{index}", "image": "none.example/none", "resources": {"limits": dict(one)}}
        for index, one in enumerate(containers or (limits(),))
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels or {}),
            "annotations": dict(annotations or {}),
        },
        "spec": {**({"schedulerName": scheduler} if scheduler else {}), "containers": made, **spec},
    }


def managed() -> tuple[list[str], list[str]]:
    """The resources that the extender looks after: those that nodes publish as totals too, and the others."""
    visible: list[str] = []
    ignored: list[str] = []
    for one in managed_resources(VENDORS):
        (ignored if one["ignoredByScheduler"] else visible).append(one["name"])
    return visible, ignored


def scheduler_configuration(extender: str, *, name: str = SCHEDULER, lease: str = "", **extra: Any) -> Json:
    """As docs/reference/scheduler.md has it; ``lease`` names the lock of kube-schedulers that take turns."""
    election: Json = {"leaderElect": bool(lease)}
    if lease:
        # Quick to notice that the leader is gone; real clusters take 15 s.
        election |= {"resourceName": lease, "resourceNamespace": "kube-system", "leaseDuration": "4s"}
        election |= {"renewDeadline": "3s", "retryPeriod": "500ms"}
    spreading = {"name": "PodTopologySpread", "args": {"defaultingType": "List", "defaultConstraints": []}}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": election,
        "profiles": [{"schedulerName": name, "percentageOfNodesToScore": 100, "pluginConfig": [spreading]}],
        # A pod that failed because its extender was killed is looked at again soon.
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 2,
        "extenders": [
            {
                "urlPrefix": extender,
                "filterVerb": "filter",
                "prioritizeVerb": "prioritize",
                "bindVerb": "bind",
                "preemptVerb": "preempt",
                "weight": 2,
                "httpTimeout": "30s",
                "nodeCacheCapable": True,
                "ignorable": False,
                "managedResources": managed_resources(VENDORS),
            }
        ],
        **extra,
    }
