"""Hollow agents report what the cluster has placed, and what a load function says is used of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.quantity import MIB
from hetero.model.share import Share
from hetero.monitoring.report import NodeReport
from hetero.testing import fake_node, fake_vendor
from hetero.testing.agents import NAMESPACE, HollowAgents
from hetero.testing.apiserver import ApiServer
from hetero.testing.hollow import hollow_node
from hetero.testing.loads import Load, Use, idle, moving, still
from hetero.testing.reports import Placed, report

VENDORS = {"fake": fake_vendor()}


def half(_: str, __: float) -> Use | None:
    """Half of everything."""
    return Use(0.5, 0.5)


@pytest.fixture
def agents(server: ApiServer) -> HollowAgents:
    """Agents of two nodes of two devices each, deployed."""
    for name in ("a", "b"):
        server.put(paths.NODES, hollow_node(fake_node(name, 2), VENDORS))
    made = HollowAgents(server, VENDORS, half, clock=lambda: 1000.0)
    made.deploy()
    return made


def placed(uid: str, node: str, *devices: str, memory: int = 4096, cores: int = 40) -> Placement:
    """A pod of one container on these devices."""
    share = Share(quantities={SLOTS: 1, MEMORY: memory, CORES: cores})
    shares = tuple(DeviceShare(vendor="fake", device=one, share=share) for one in devices)
    containers = (ContainerPlacement(container="main", devices=shares),)
    return Placement(namespace="default", pod=f"pod-{uid}", node=node, uid=uid, containers=containers)


def put(server: ApiServer, placement: Placement, **limits: str) -> None:
    """The pod as it is bound."""
    resources = {"limits": {"fake.example/npu": "1", **{f"fake.example/{key}": val for key, val in limits.items()}}}
    server.put(
        paths.pods("default"),
        {
            "metadata": {
                "name": placement.pod,
                "uid": placement.uid,
                "annotations": {PLACEMENT: wire.encode(placement)},
                "creationTimestamp": "1970-01-01T00:15:00Z",
            },
            "spec": {"nodeName": placement.node, "containers": [{"name": "main", "resources": resources}]},
        },
    )


def test_each_node_has_an_agent(server: ApiServer, agents: HollowAgents) -> None:
    """Its pod has the label by which it is found, an address of its own and its node; a later node gets one later."""
    server.put(paths.NODES, hollow_node(fake_node("c"), VENDORS))
    server.put(paths.NODES, {"metadata": {"name": "plain"}})
    assert agents.deploy() == 3
    pods = server.objects(paths.pods(NAMESPACE))
    assert [pod["spec"]["nodeName"] for pod in pods] == ["a", "b", "c"]
    assert {pod["metadata"]["labels"]["hetero.io/part"] for pod in pods} == {"agent"}
    assert len({pod["status"]["podIP"] for pod in pods}) == 3


def test_a_report_has_the_slices_of_the_node(server: ApiServer, agents: HollowAgents) -> None:
    """With the limits of the placement, the priority that the pod asks, and what the load says of it."""
    put(server, placed("1", "a", "fake-0", "fake-1"), **{"npu-priority": "0"})
    put(server, placed("2", "b", "fake-0"))
    found = agents.report("a")
    assert [(one.device, one.position, one.pod, one.priority) for one in found.slices] == [
        ("fake-0", 0, "pod-1", 0),
        ("fake-1", 1, "pod-1", 0),
    ]
    first = found.slices[0]
    assert (first.memory_limit, first.memory_used) == (4096 * MIB, 2048 * MIB)
    assert (first.compute_limit, first.compute_used) == (0.4, 0.2)
    assert first.busy_seconds == pytest.approx(0.2 * 100)
    assert found.devices[0].memory_used == 2048 * MIB
    assert found.devices[0].utilization == 0.2
    assert agents.report("b").slices[0].priority == 1


def test_reports_follow_the_cluster(server: ApiServer, agents: HollowAgents) -> None:
    """Pods that come, end and go, nodes that go, and a history that is forgotten in between."""

    def seen() -> list[str]:
        return [one.pod for one in agents.report("a").slices]

    assert seen() == []
    put(server, placed("1", "a", "fake-0"))
    put(server, placed("2", "a", "fake-1"))
    assert seen() == ["pod-1", "pod-2"]
    server.remove(paths.pod("default", "pod-1"))
    assert seen() == ["pod-2"]
    put(server, placed("3", "a", "fake-1"))
    server.remove(paths.pod("default", "pod-2"))
    server.compact()
    assert seen() == ["pod-3"]
    server.remove(paths.node("a"))
    with pytest.raises(KeyError):
        seen()


def test_what_was_not_started_is_not_reported(server: ApiServer, agents: HollowAgents) -> None:
    """A load of None is a slice that no agent made yet."""
    put(server, placed("1", "a", "fake-0"))
    agents.load = lambda *_: None
    assert agents.report("a").slices == ()


def test_agents_answer_by_the_proxy(server: ApiServer, api: Api, agents: HollowAgents) -> None:
    """The report as JSON; a silent one cannot be reached; there is no other path."""

    def get(node: str, path: str) -> Any:
        return json.loads(api.get(f"{paths.pod(NAMESPACE, f'agent-{node}')}:9445/proxy{path}"))

    def status(call: Callable[..., Any], *given: str) -> int:
        with pytest.raises(ApiError) as caught:
            call(*given)
        return caught.value.status

    put(server, placed("1", "a", "fake-0"))
    assert msgspec.convert(get("a", "/usage"), NodeReport) == agents.report("a")
    agents.silent.add("a")
    assert status(get, "a", "/usage") == 503
    assert get("b", "/usage")["node"] == "b"
    assert status(get, "b", "/secrets") == 404
    server.remove(paths.node("b"))
    assert status(get, "b", "/usage") == 503


@pytest.mark.parametrize("load", [idle, still, moving])
def test_loads_are_ratios(load: Load) -> None:
    """From 0 to 1 at any time, and the same again when asked again."""
    for name in ("a/main/0", "b/main/0", "b/main/1"):
        for seconds in (0.0, 17.5, 1e9):
            use = load(name, seconds)
            assert use is not None
            assert 0 <= use.memory <= 1
            assert 0 <= use.compute <= 1
            assert load(name, seconds) == use


def test_loads_differ_and_move() -> None:
    """By name; and one of them by time."""
    assert still("a/main/0", 1.0) != still("b/main/0", 1.0)
    assert still("a/main/0", 1.0) == still("a/main/0", 99.0)
    assert moving("a/main/0", 1.0) != moving("a/main/0", 20.0)


def test_a_slice_without_a_limit_uses_something() -> None:
    """Its compute limit is 0, as an agent's report has it; a device that the node has not is left out."""
    node = fake_node("a", 1)
    pods = [Placed(placed("1", "a", "fake-0", cores=0)), Placed(placed("2", "a", "fake-7"))]
    [one] = report(node, pods, half).slices
    assert (one.pod, one.compute_limit, one.compute_used) == ("pod-1", 0.0, 0.125)
