"""A node takes a pod as kube-scheduler's filters have it, and its reasons are theirs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hetero.kube.objects import Metadata
from hetero.testing.kubescheduler.fitting import obstacle
from hetero.testing.kubescheduler.records import Whole, allocatable, asked_names, requests
from hetero.testing.kubescheduler.totals import Totals

MISMATCH = "node(s) didn't match Pod's node affinity/selector"


def node(name: str = "n", labels: dict[str, str] | None = None, **spec: Any) -> Whole:
    """A node of two processors."""
    size = {"cpu": "2", "memory": "1Gi", "pods": "10"}
    return Whole(metadata=Metadata(name=name, labels=labels), spec=spec, status={"allocatable": size})


def pod(*containers: dict[str, Any], **spec: Any) -> Whole:
    """A pod whose containers are given by their requests."""
    made = [{"name": f"c{index}", "resources": {"requests": one}} for index, one in enumerate(containers)]
    return Whole(metadata=Metadata(name="p", uid="p"), spec={"containers": made, **spec})


def why(one: Whole, other: Whole) -> str:
    """The obstacle on an empty node."""
    return obstacle(one, other, requests(one), allocatable(other))


def affinity(*expressions: dict[str, Any], fields: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """Required affinity of one term."""
    term = {"matchExpressions": list(expressions), "matchFields": list(fields)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"cpu": "2", "memory": "1024Mi"}, ""),
        ({"cpu": "2001m"}, "Insufficient cpu"),
        ({"memory": "1025Mi"}, "Insufficient memory"),
        ({"acme.example/chip": "1"}, "Insufficient acme.example/chip"),
    ],
)
def test_totals_are_compared(asked: dict[str, str], reason: str) -> None:
    """In whatever unit they are written; a resource that the node lacks counts as none."""
    assert why(pod(asked), node()) == reason


def test_a_full_node_takes_no_pod() -> None:
    """Their number is a resource like others."""
    assert obstacle(pod(), node(), requests(pod()), {"pods": Decimal(0)}) == "Too many pods"


@pytest.mark.parametrize(
    ("spec", "labels", "reason"),
    [
        ({"nodeSelector": {"zone": "a"}}, {"zone": "a"}, ""),
        ({"nodeSelector": {"zone": "a"}}, {"zone": "b"}, MISMATCH),
        ({"affinity": affinity({"key": "zone", "operator": "In", "values": ["a", "b"]})}, {"zone": "b"}, ""),
        ({"affinity": affinity({"key": "zone", "operator": "NotIn", "values": ["a"]})}, {"zone": "a"}, MISMATCH),
        ({"affinity": affinity({"key": "zone", "operator": "NotIn", "values": ["a"]})}, {}, ""),
        ({"affinity": affinity({"key": "zone", "operator": "Exists"})}, {}, MISMATCH),
        ({"affinity": affinity({"key": "zone", "operator": "DoesNotExist"})}, {}, ""),
        ({"affinity": affinity({"key": "size", "operator": "Gt", "values": ["4"]})}, {"size": "8"}, ""),
        ({"affinity": affinity({"key": "size", "operator": "Lt", "values": ["4"]})}, {"size": "8"}, MISMATCH),
        ({"affinity": affinity()}, {"zone": "a"}, MISMATCH),
        ({"affinity": affinity(fields=({"key": "metadata.name", "operator": "In", "values": ["n"]},))}, {}, ""),
        ({"affinity": affinity(fields=({"key": "metadata.name", "operator": "In", "values": ["m"]},))}, {}, MISMATCH),
    ],
)
def test_selectors_and_affinity_choose(spec: dict[str, Any], labels: dict[str, str], reason: str) -> None:
    """Labels, and the node's name as a field; an empty term matches nothing."""
    assert why(pod(**spec), node(labels=labels)) == reason


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "only", "operator": "Equal", "value": "devices", "effect": "NoSchedule"}, True),
        ({"key": "only", "value": "devices"}, True),
        ({"key": "only", "value": "others"}, False),
        ({"key": "only", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "only", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_taints_keep_pods_off(toleration: dict[str, str], tolerated: bool) -> None:
    """Unless one of the pod's tolerations is for them."""
    tainted = node(taints=[{"key": "only", "value": "devices", "effect": "NoSchedule"}])
    assert why(pod(), tainted) == "node(s) had untolerated taint {only: devices}"
    assert (why(pod(tolerations=[toleration]), tainted) == "") is tolerated


def test_a_taint_that_only_prefers_keeps_nobody_off() -> None:
    """It is a matter of scores, which this scheduler leaves to the extender."""
    assert why(pod(), node(taints=[{"key": "a", "effect": "PreferNoSchedule"}])) == ""


def test_an_unschedulable_node_takes_no_pod() -> None:
    """As `kubectl cordon` leaves it."""
    assert why(pod(), node(unschedulable=True)) == "node(s) were unschedulable"


def test_starting_may_take_more_than_running() -> None:
    """An init container runs beside the sidecars before it; the pod takes the most that it ever takes."""
    init = [
        {"resources": {"requests": {"cpu": "1"}}, "restartPolicy": "Always"},
        {"resources": {"requests": {"cpu": "3"}}},
        {"resources": {"requests": {"cpu": "1", "memory": "1"}}, "restartPolicy": "Always"},
    ]
    found = requests(pod({"cpu": "500m"}, {"cpu": "500m"}, initContainers=init))
    assert found == {"cpu": Decimal(4), "memory": Decimal(1), "pods": Decimal(1)}


def test_a_limit_alone_is_a_request_too() -> None:
    """The API server writes it so; an extended resource needs only the limit."""
    only = Whole(metadata=Metadata(), spec={"containers": [{"resources": {"limits": {"acme.example/chip": 2}}}]})
    assert requests(only)["acme.example/chip"] == 2
    assert asked_names(only) == {"acme.example/chip"}


def test_what_pods_hold_is_not_free() -> None:
    """Each pod once, wherever it is now; what is held on a node outlives the node."""
    totals = Totals()
    totals.replace_nodes([node("a"), node("b")])
    totals.hold("p", "a", {"cpu": Decimal(1)})
    totals.hold("p", "a", {"cpu": Decimal(1)})
    assert {one.name: free["cpu"] for one, free in totals.nodes()} == {"a": 1, "b": 2}
    totals.hold("p", "b", {"cpu": Decimal(2)})
    assert {one.name: free["cpu"] for one, free in totals.nodes()} == {"a": 2, "b": 0}
    totals.remove_node("b")
    totals.put_node(node("b"))
    assert {one.name: free["cpu"] for one, free in totals.nodes()} == {"a": 2, "b": 0}
    totals.release("p")
    totals.release("p")
    assert {one.name: free["cpu"] for one, free in totals.nodes()} == {"a": 2, "b": 2}
    assert totals.held() == set()
