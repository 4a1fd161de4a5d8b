"""*What if*: pods of a manifest, one after another, and not a trace of them afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from asking import Answer, Client
from world import World, served

from hetero.testing.fake import MEMORY_MIB, fake_node
from hetero.web.app import PLANS
from hetero.web.records import Plan, WorkloadDetail

MIB = 1 << 20

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: main
          resources: {limits: {fake.example/npumem: %d}}
"""


@pytest.fixture
def world() -> World:
    """One node with two cards."""
    world = World()
    world.node(fake_node("a", 2))
    return world


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """Asks about it."""
    with served(world.state) as client:
        yield client


def planned(client: Client, manifest: str) -> Any:
    """The answer."""
    return client.post("/api/v1/plan", {"manifest": manifest})


def test_pods_are_placed_beside_each_other(world: World, client: Client) -> None:
    """The third of three that take a card each finds no room, and the ledger is as it was."""
    before = world.state.cluster.planner.free_quantities()
    found = planned(client, DEPLOYMENT % MEMORY_MIB).read(Plan)
    assert [(one.pod, one.node, len(one.held)) for one in found.pods] == [
        ("web-0", "a", 1),
        ("web-1", "a", 1),
        ("web-2", "", 0),
    ]
    [held] = found.pods[0].held
    assert (held.container, held.memory, held.model) == ("main", MEMORY_MIB * MIB, "Fake F1")
    [reason] = found.pods[2].reasons
    assert (reason.count, reason.nodes) == (1, ("a",))
    assert "memory" in reason.message
    assert world.state.cluster.planner.free_quantities() == before
    assert client.get("/api/v1/workloads").json()["total"] == 0


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("{", "no YAML"),
        ("", "starts no pod"),
        ("kind: Service\napiVersion: v1", "starts no pod"),
        ("a: &x [1]\nb: *x", "alias"),
        ("[" * 100, "nested too deeply"),
        ("[" + "0," * 60_000 + "0]", "too many pieces"),
        (DEPLOYMENT % -1, "limits"),
        ((DEPLOYMENT % 1).replace("replicas: 3", "replicas: 101"), "at most 100"),
        ("\x00", "no YAML"),
        ("n: 1" + ":1" * 120_000, "a number of 240001 digits"),
        ("n: !!int '1" + ":1" * 120_000 + "'", "a number of 240001 digits"),
        ("!!python/object/apply:os.system [ls]", "no YAML"),
        ("d: 2026-13-45", "no YAML"),
    ],
)
def test_a_manifest_that_is_none_is_refused_in_a_sentence(client: Client, manifest: str, words: str) -> None:
    """Whatever is pasted, also what would eat memory when it is read."""
    answer = planned(client, manifest)
    assert answer.status == 400, answer.body
    assert words in answer.error


def test_plans_leave_room_for_pages(client: Client) -> None:
    """Each may take seconds: of many at once most are told to come again, and later ones are taken."""

    async def at_once() -> list[Answer]:
        body, kind = json.dumps({"manifest": DEPLOYMENT % 1}).encode(), {"content_type": "application/json"}
        return await asyncio.gather(*(client.asked("POST", "/api/v1/plan", body, headers=kind) for _ in range(10)))

    answers = client.run(at_once())
    assert sorted(answer.status for answer in answers) == [200] * PLANS + [503] * (10 - PLANS)
    assert planned(client, DEPLOYMENT % 1).status == 200


def test_bodies_are_held_to_what_is_taken(client: Client) -> None:
    """Type, length, fields; a slip of JSON."""
    assert client.ask("POST", "/api/v1/plan", b"{}", headers={"content-type": "text/plain"}).status == 415
    assert client.post("/api/v1/plan", {"manifest": "x" * (2 << 20)}).status == 413
    assert planned(client, "x" * (300 << 10)).status == 413
    assert client.post("/api/v1/plan", {"manifest": "", "more": 1}).status == 400
    assert client.post("/api/v1/plan", b"{").status == 400
    assert client.get("/api/v1/plan").status == 405


def test_doubts_are_no_errors(client: Client) -> None:
    """A resource that is nearly ours is asked about; a pod that asks nothing is told so."""
    found = planned(client, (DEPLOYMENT % 1).replace("npumem", "npumme")).read(Plan)
    assert found.pods == ()
    assert any("did you mean fake.example/npumem" in doubt for doubt in found.doubts)
    assert any("asks no device" in doubt for doubt in found.doubts)


def test_a_pod_that_waits_is_explained(world: World, client: Client) -> None:
    """Why no node has room, in sentences with their nodes; and where it would go when there is some."""
    world.place("large", {"fake.example/npumem": str(3 * MEMORY_MIB)})
    world.pod("small", scheduler="default-scheduler")
    large = client.get("/api/v1/workloads/default/large").read(WorkloadDetail)
    assert (large.sentence, large.fitting, large.best) == ("waits: no node has room", 0, "")
    assert large.asks == {"main": {"fake.example/npumem": str(3 * MEMORY_MIB)}}
    assert large.reasons[0].nodes == ("a",)
    small = client.get("/api/v1/workloads/default/small").read(WorkloadDetail)
    assert (small.best, small.fitting) == ("a", 1)
    assert "its scheduler is default-scheduler" in small.remarks[0]
    assert client.get("/api/v1/workloads/default/none").status == 404


def test_a_pod_that_is_placed_shows_what_it_holds(world: World, client: Client) -> None:
    """Card by card; an ask that cannot be read is its reason to wait."""
    world.place("one", {"fake.example/npu": "2", "fake.example/npumem": "100"})
    found = client.get("/api/v1/workloads/default/one").read(WorkloadDetail)
    assert found.sentence == "is on node a, which has not started it yet"
    assert [(held.card, held.memory) for held in found.held] == [("fake-0", 100 * MIB), ("fake-1", 100 * MIB)]
    world.pod("wrong", {"fake.example/npumem": "lots"})
    assert "lots" in client.get("/api/v1/workloads/default/wrong").read(WorkloadDetail).sentence
