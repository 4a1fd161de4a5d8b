"""Which placements count: those of the very pod on the very node."""

from __future__ import annotations

import msgspec
import pytest

from hetero.model.placement import Placement
from hetero.scheduler.held import Unusable, held, placement


def test_a_placement_counts_on_its_node(pod, placed) -> None:
    """Of the pod whose UID it has."""
    assert placement(pod("x", node="a", placed=placed("x", "a"))) == placed("x", "a")


def test_a_pod_without_a_placement_has_none(pod) -> None:
    """It asks no devices, or someone else placed it."""
    assert placement(pod("x", node="a")) is None


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"v":2,"placement":{}}', '{"v":1,"placement":{"pod":"x"}}', "\ud800"]
)
def test_a_placement_that_cannot_be_read_does_not_count(pod, text: str) -> None:
    """Anyone who may edit a pod can write one."""
    assert placement(pod("x", node="a", placed=text)) is Unusable.UNREADABLE


def test_another_pods_placement_does_not_count(pod, placed) -> None:
    """A template was copied from a running pod, it would use up another's quota, or there is no UID at all."""
    assert placement(pod("x", node="a", placed=placed("x", "a", uid="old"))) is Unusable.ANOTHER_POD
    stolen = msgspec.structs.replace(placed("x", "a"), namespace="victim")
    assert placement(pod("x", node="a", placed=stolen)) is Unusable.ANOTHER_POD
    assert placement(pod("x", node="a", placed=placed("y", "a", uid="uid-x"))) is Unusable.ANOTHER_POD
    nameless: Placement = placed("x", "a", uid="")
    assert placement(pod("x", uid="", node="a", placed=nameless)) is Unusable.ANOTHER_POD


def test_a_placement_elsewhere_does_not_count(pod, placed) -> None:
    """Its devices are on another node than the pod."""
    assert placement(pod("x", node="b", placed=placed("x", "a"))) is Unusable.ANOTHER_NODE


def test_pods_are_sorted_by_importance(pod) -> None:
    """By priority, then the older; without a priority it is 0."""
    pods = [
        pod("young", created="2026-01-02T00:00:00Z"),
        pod("old", created="2026-01-01T00:00:00Z"),
        pod("high", priority=5),
        pod("low", priority=-5),
    ]
    order = sorted(pods, key=lambda one: held(one).importance)
    assert [one.metadata.name for one in order] == ["high", "old", "young", "low"]
