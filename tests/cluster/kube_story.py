"""The story that all of this is for: label a node, install the chart, apply a pod, and it is in its slice."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.node.client import Refused
from tests.cluster.node.cluster import Cluster
from tests.cluster.release import COUNTS, NAMESPACE, WORKLOAD, Release, container, gpu, granted, pod, totals

EXAMPLES = Path(__file__).parents[2] / "examples"
SCHEDULER = "app.kubernetes.io/component=scheduler"


def example(file: str, image: str = WORKLOAD) -> dict[str, Any]:
    """A pod of the examples as it is, but for its image, which is one that the nodes have, and its command."""
    made: dict[str, Any] = yaml.safe_load((EXAMPLES / file).read_text())
    for one in made["spec"]["containers"]:
        one |= {"image": image, "imagePullPolicy": "Never", "command": ["sleep"]}
    made["spec"]["terminationGracePeriodSeconds"] = 1
    return made


@pytest.mark.parametrize("image", [WORKLOAD, "hetero/workload:old"])
def test_a_pod_is_in_its_slice(slices: Release, image: str) -> None:
    """It sees 1024 MiB by every query, gets that and no more, and at most 30 percent of the card's time."""
    cluster = slices.cluster
    cluster.apply(example("nvidia/gpu-pod.yaml", image))
    cluster.wait("gpu-pod")
    assert totals(cluster.exec("gpu-pod", "cardinfo")) == {1024}
    assert granted(cluster.exec("gpu-pod", "fill", "--step", "16m")) <= 1024
    told = cluster.exec("gpu-pod", "burn", "--seconds", "6", "--report")
    shares = [float(share) for share in re.findall(r"last second.*busy ([\d.]+) %", told)]
    print(f"seconds of a share of 30 percent: {shares}")
    assert 0 < statistics.median(shares[1:]) <= 33


def test_a_program_cannot_change_its_limits(slices: Release) -> None:
    """The limits file is root's and read-only also for root in the container; a variable does not go before it."""
    cluster = slices.cluster
    cluster.apply(pod("sly", container(ask=gpu(1024), env=[{"name": "CUDA_DEVICE_MEMORY_LIMIT", "value": "64g"}])))
    cluster.wait("sly")
    with pytest.raises(Refused, match="Read-only file system"):
        cluster.exec("sly", "put", "/etc/hetero/limits", "memory = 0")
    with pytest.raises(Refused, match="Read-only file system"):
        cluster.exec("sly", "put", "/etc/ld.so.preload", "")
    assert totals(cluster.exec("sly", "cardinfo")) == {1024}


ASKS = {
    "cambricon": {"cambricon.com/vmlu": 1, "cambricon.com/mlu.smlu.vmemory": 20, "cambricon.com/mlu.smlu.vcore": 25},
    "hygon": {"hygon.com/dcunum": 1, "hygon.com/dcumem": 8192, "hygon.com/dcucores": 25},
    "ascend": {"huawei.com/Ascend910B3": 1, "huawei.com/Ascend910B3-memory": 16384},
}


@pytest.mark.parametrize("vendor", ASKS)
def test_a_slice_of_every_vendor(slices: Release, vendor: str) -> None:
    """One scheduler for all: each pod is on the node that has its chip, and is shown a device of it."""
    cluster = slices.cluster
    cluster.apply(pod(f"on-{vendor}", container(ask=ASKS[vendor])))
    found = cluster.wait(f"on-{vendor}")
    assert found["spec"]["nodeName"] == vendor
    placement = json.loads(found["metadata"]["annotations"]["hetero.io/placement"])
    assert [one["vendor"] for one in placement["placement"]["containers"][0]["devices"]] == [vendor]
    specs = list((cluster.nodes[vendor].root / "var/run/cdi".replace("var/run", "run")).glob("hetero.io-slice-*.json"))
    assert specs, "the container was given nothing"


def test_the_node_says_what_it_has(slices: Release) -> None:
    """Devices and what they add up to, in the node's status; the inventory, in its annotation."""
    for node, count in COUNTS.items():
        found = slices.cluster.get("node", node)
        assert int(found["status"]["allocatable"][count]) > 0
        assert f'"name":"{node}"' in found["metadata"]["annotations"]["hetero.io/inventory"].replace(" ", "")
    status = slices.cluster.get("node", "nvidia")["status"]
    assert int(status["allocatable"]["nvidia.com/gpumem"]) > 100_000
    assert status["allocatable"]["nvidia.com/gpucores"] == "200"


@pytest.mark.parametrize(
    ("memory", "reason", "why"),
    [
        (100_000, "FilteringFailed", "has 81559 MiB of memory, asked 100000 MiB [CardInsufficientMemory]"),
        (500_000, "FailedScheduling", "4 Insufficient nvidia.com/gpumem"),
    ],
)
def test_a_pod_that_cannot_be_placed_says_why_in_one_event(slices: Release, memory: int, reason: str, why: str) -> None:
    """More than a card has: the sentence is one event, beside kube-scheduler's own, which counts nodes by the reason.

    More than all cards of a node have together kube-scheduler sees by itself.
    """
    cluster = slices.cluster
    cluster.apply(pod("too-large", container(ask=gpu(memory))))
    cluster.until(
        lambda: ({}, why in cluster.describe("too-large")),
        "somebody says why",
        60,
        lambda: cluster.describe("too-large"),
    )
    told = cluster.describe("too-large").partition("Events:")[2]
    saying = [line for line in told.splitlines() if why in line]
    assert len(saying) == 1, told
    assert reason in saying[0]
    assert {"FilteringFailed", "FailedScheduling"} >= {
        line.split()[1] for line in told.splitlines()[3:] if line.strip()
    }


def test_without_the_webhook_only_pods_that_ask_for_devices_wait(slices: Release) -> None:
    """Others are created as ever; those are refused with the name of what is not there."""
    cluster = slices.cluster
    cluster.kubectl("scale", "deployment", "hetero-scheduler", "--replicas=0", "--namespace", NAMESPACE)
    try:
        # One that ends answers for a while longer, on connections that are there.
        cluster.until(
            lambda: ({}, not _endpoints(cluster) and not cluster.items("pods", f"--selector={SCHEDULER}")),
            "the webhook is gone", 60, slices.tails,
        )  # fmt: skip
        cluster.apply(pod("plain", container()))
        cluster.wait("plain")
        with pytest.raises(Refused, match=r"pods\.hetero\.io"):
            cluster.apply(pod("device", container(ask=gpu(1024))))
    finally:
        cluster.kubectl("scale", "deployment", "hetero-scheduler", "--replicas=1", "--namespace", NAMESPACE)
        words = ("rollout", "status", "deployment/hetero-scheduler", "--namespace", NAMESPACE, "--timeout=90s")
        cluster.kubectl(*words)
    slices.until_admits()  # the API server hears of the new pod a moment later than the rollout does
    cluster.apply(pod("device", container(ask=gpu(1024))))
    cluster.wait("device")


def _endpoints(cluster: Cluster) -> list[Any]:
    slices = cluster.items("endpointslices", "--selector=kubernetes.io/service-name=hetero-scheduler")
    return [one for each in slices for one in each.get("endpoints") or () if one["conditions"].get("ready")]
