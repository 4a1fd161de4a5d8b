"""Why pods wait: looked up once for all who ask alike, again when something changed, and never longer than allowed."""

from __future__ import annotations

from typing import Any

import pytest
from asking import Client
from world import World, served

from hetero.testing.fake import MEMORY_MIB, fake_node
from hetero.web import reasons
from hetero.web.pods import Kept
from hetero.web.reasons import SAVED, Reasons
from hetero.web.scene import Finding

LARGE = {"fake.example/npumem": str(2 * MEMORY_MIB)}


class Looked:
    """Counts how often the planner is asked, and lets time pass meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: float = 0.001) -> None:
        self.times, self.now, self.revision = 0, 100.0, 1
        self._takes = takes
        monkeypatch.setattr(reasons, "finding", self._finding)
        self.reasons = Reasons(World().state.cluster, lambda: self.revision, clock=lambda: self.now)

    def _finding(self, *_: Any) -> Finding:
        self.times += 1
        self.now += self._takes
        return Finding(reason=f"look {self.times}")

    def __call__(self, pod: Kept) -> str:
        return self.reasons(pod).reason


def waiting(count: int) -> list[Kept]:
    """Pods of one workload."""
    world = World()
    for number in range(count):
        world.pod(f"p{number}", LARGE)
    return list(world.state.scene().pods.values())


def test_replicas_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And again only when the ledger or a quota has changed."""
    looked = Looked(monkeypatch)
    assert {looked(pod) for pod in waiting(5)} == {"look 1"}
    looked.revision += 1
    assert {looked(pod) for pod in waiting(5)} == {"look 2"}
    assert looked.reasons.late == 0


def test_what_there_is_no_time_for_keeps_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until there is some; somebody who watches is told when it is there."""
    looked, [pod] = Looked(monkeypatch, takes=2 * SAVED), waiting(1)
    assert looked(pod) == "look 1"
    looked.revision += 1
    assert looked(pod) == "look 1"
    assert looked.reasons.late == 1
    looked.now += 100
    assert looked(pod) == "look 2"


def test_the_planner_says_why_or_that_it_fits() -> None:
    """As the event on the pod does; of what cannot be read, what is wrong."""
    world = World()
    world.pod("large", LARGE)
    world.pod("wrong", {"fake.example/npumem": "lots"})

    def said(name: str) -> Finding:
        scene = world.state.scene()
        return scene.reason(next(pod for pod in scene.pods.values() if pod.name == name))

    assert said("large") == Finding("no node of the cluster has devices")
    world.node(fake_node("a", 1))
    assert "1/1 nodes" in said("large").reason
    world.node(fake_node("b", 1, memory=4 * MEMORY_MIB))
    assert said("large") == Finding(fits=True)
    assert "lots" in said("wrong").reason


def test_a_head_is_no_watch() -> None:
    """It would never end."""
    world = World()
    with served(world.state) as client:
        assert isinstance(client, Client)
        answer = client.ask("HEAD", "/api/v1/nodes", headers={"accept": "text/event-stream"})
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
