"""This node, as an informer tells of it."""

from __future__ import annotations

from typing import Any

import msgspec

from hetero.agent.node import Node, ThisNode


def _node(notes: dict[str, str] | None = None, version: str = "1", **status: Any) -> Node:
    metadata = {"name": "desk", "uid": "n1", "annotations": notes or {}, "resourceVersion": version}
    return msgspec.convert({"metadata": metadata, "status": status}, Node)


def test_a_heartbeat_is_no_change() -> None:
    """Kubelets write their node all the time; what is read here stays the same."""
    told: list[int] = []
    node = ThisNode(lambda: told.append(1))
    node.replace([_node(version="1", conditions=[{"lastHeartbeatTime": "a"}])])
    node.put(_node(version="2", conditions=[{"lastHeartbeatTime": "b"}]))
    assert len(told) == 1
    assert node.shown is not None
    assert node.shown.metadata.resource_version == "2"


def test_whatever_is_published_is_looked_at_again_when_it_changes() -> None:
    """An annotation that somebody removed, totals that the kubelet has reset, a node that was made anew."""
    told: list[int] = []
    node = ThisNode(lambda: told.append(1))
    node.put(_node())
    node.put(_node({"hetero.io/inventory": "x"}))
    node.put(_node({"hetero.io/inventory": "x"}, capacity={"cpu": "1"}))
    node.remove(_node())
    assert node.shown is None
    node.put(_node())
    assert len(told) == 5


def test_the_runtime_is_what_the_kubelet_says() -> None:
    """Nothing before it has said anything."""
    assert _node().runtime == ""
    assert _node(nodeInfo={"containerRuntimeVersion": "containerd://2.2.9"}).runtime == "containerd://2.2.9"
