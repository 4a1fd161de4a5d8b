"""A real Kubernetes with a thousand nodes that only its API knows, and how quickly its kube-scheduler binds pods.

``python -m tests.bench.hollow FILE`` runs as the first process of namespaces of its own
(:mod:`tests.cluster.namespace`) and writes what it saw to FILE. One kube-scheduler serves three kinds of pods by turns:
*plain* ones ask one extended resource that no extender manages, *floored* ones another that the floor manages (so the
calls are paid, and no planning), *device* ones a share of a device from the scheduler under test, which also binds
them.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from hetero import plugins
from hetero.kube.client import Api
from hetero.model.device import Node
from hetero.model.resources import Resources
from hetero.vendor import Vendor
from tests.bench import floor, objects, service
from tests.bench.clusters import VENDOR, Size, described
from tests.bench.objects import Json
from tests.bench.processes import program
from tests.bench.rounds import CREATORS, Round, Rounds
from tests.bench.workloads import WORKLOADS, Workload
from tests.cluster import namespace, users
from tests.cluster.controlplane import ControlPlane

SIZE = Size(nodes=1000, devices=8, pods=0)
PODS = 300
TURNS = 4
AT_ONCE = 2000

PLAIN = "bench.example/widget"
FLOORED = "bench.example/floored"
PORT = 10259


class Seen(msgspec.Struct, kw_only=True):
    """What was seen.

    Attributes:
        rounds: In their order.
        attempts: What kube-scheduler tried in the last round, by its own count: ``scheduled``, ``unschedulable``,
            ``error``.
    """

    rounds: list[Round]
    attempts: dict[str, float]


def main(file: Path) -> None:
    """Bring the cluster up, make the rounds and write what was seen."""
    state = Path(os.environ["HETERO_CLUSTER_STATE"])
    namespace.enter(state)
    plane = ControlPlane(Path(os.environ["HETERO_KUBE_BIN"]), state / "plane")
    try:
        plane.up()
        file.write_bytes(msgspec.json.encode(_seen(plane)))
    except BaseException:
        print(plane.tails(), flush=True)
        raise
    finally:
        plane.down()


def _seen(plane: ControlPlane) -> Seen:
    vendor = plugins.load().vendors[VENDOR]
    api = Api.connect(str(plane.kubeconfig(users.ADMIN)), timeout=60)
    nodes = [msgspec.json.encode(hollow(node, vendor)) for node in described(SIZE, vendor).nodes]
    with ThreadPoolExecutor(CREATORS) as threads:
        list(threads.map(lambda node: api.post("/api/v1/nodes", node), nodes))
    with (
        service.started(plane.kubeconfig(users.EXTENDER), plane.directory / "hetero") as ours,
        program(floor.__name__) as floored,
    ):
        scheduler = plane.scheduler(configuration(ours.extender, floored, vendor), port=PORT)
        programs = {
            "kube-scheduler": scheduler.pid,
            "hetero": ours.pid,
            "the API server": plane.programs["kube-apiserver"].pid,
            "etcd": plane.programs["etcd"].pid,
            "this bench": os.getpid(),
        }
        return _rounds(Rounds(api, scheduler.pid, programs), vendor.resources[0])


def _rounds(rounds: Rounds, resources: Resources) -> Seen:
    kinds = _kinds(resources)
    for kind, make in kinds.items():  # connections, caches, byte code
        rounds.run(kind, make, 50)
    seen = [rounds.run(kind, make, PODS) for _ in range(TURNS) for kind, make in kinds.items()]
    before = attempts()
    seen.append(rounds.run("device", kinds["device"], AT_ONCE))
    return Seen(rounds=seen, attempts={result: count - before.get(result, 0) for result, count in attempts().items()})


def _kinds(resources: Resources) -> dict[str, Callable[[str], Json]]:
    workload = next(one for one in WORKLOADS if one.name == "embedder")
    return {
        "plain": lambda name: asking(workload, name, resources, {PLAIN: "1"}),
        "floored": lambda name: asking(workload, name, resources, {FLOORED: "1"}),
        "device": lambda name: asking(workload, name, resources, workload.limits(resources)),
    }


def asking(workload: Workload, name: str, resources: Resources, limits: dict[str, str]) -> Json:
    """A pod that asks for these limits: but for them all kinds are equal."""
    pod = objects.pending(workload, name, resources)
    del pod["metadata"]["ownerReferences"], pod["metadata"]["managedFields"]  # the controllers would look for the owner
    for container in pod["spec"]["containers"]:
        container["resources"] = {"limits": limits, "requests": limits}
    return pod


def hollow(described_: Node, vendor: Vendor) -> Json:
    """A node that is ready and has room for all kinds."""
    node = objects.node(described_)
    totals = {
        name: str(total)
        for resources in vendor.resources
        for name, total in _totals(resources, described_).items()
        if name
    }
    amounts = {**node["status"]["capacity"], **totals, PLAIN: "100", FLOORED: "100"}
    node["status"] = {**node["status"], "capacity": amounts, "allocatable": amounts}
    return node


def _totals(resources: Resources, node: Node) -> dict[str, int]:
    capacities = [device.model.capacity for device in node.devices]
    slots, memory, cores = (sum(one[name] for one in capacities) for name in ("slots", "memory", "cores"))
    return {resources.count: slots, resources.memory: memory // resources.memory_unit, resources.cores: cores}


def configuration(ours: str, floored: str, vendor: Vendor) -> dict[str, Any]:
    """Of kube-scheduler, with both extenders."""
    names = [name for resources in vendor.resources for name in (resources.count, resources.memory, resources.cores)]
    common = {"prioritizeVerb": "prioritize", "filterVerb": "filter", "nodeCacheCapable": True, "httpTimeout": "10s"}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "profiles": [{"schedulerName": objects.SCHEDULER}],
        "extenders": [
            {**common, "urlPrefix": ours, "bindVerb": "bind", "weight": 2, "managedResources": _managed(names)},
            {**common, "urlPrefix": floored, "weight": 2, "managedResources": _managed([FLOORED])},
        ],
    }


def _managed(names: Sequence[str]) -> list[Json]:
    return [{"name": name, "ignoredByScheduler": False} for name in names if name]


def attempts() -> dict[str, float]:
    """How often kube-scheduler tried to schedule a pod since it started, by what came out."""
    headers = {"Authorization": f"Bearer {users.ADMIN}"}
    request = urllib.request.Request(f"https://127.0.0.1:{PORT}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()) as answer:
        return counted(answer.read().decode())


def counted(exposition: str) -> dict[str, float]:
    """The attempts in the text of the metrics, over all profiles."""
    found: dict[str, float] = {}
    for line in exposition.splitlines():
        name, _, rest = line.partition("{")
        if name == "scheduler_schedule_attempts_total":
            labels, _, value = rest.partition("} ")
            result = labels.partition('result="')[2].partition('"')[0]
            found[result] = found.get(result, 0) + float(value)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
