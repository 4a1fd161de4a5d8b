"""The lists of nodes, cards, workloads and quotas: what is found, in which order, and which part of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asking import Client
from world import World, served

from hetero.kube import objects
from hetero.kube.objects import Metadata, QuotaSpec
from hetero.model.device import Health, Node
from hetero.testing.fake import MEMORY_MIB, fake_device, fake_node
from hetero.web.records import Cards, NodeDetail, Nodes, Overview, Quotas, Workloads

MIB = 1 << 20


@pytest.fixture
def world() -> World:
    """Three nodes of two vendors; a pod on the first, one that waits."""
    world = World()
    world.node(fake_node("alpha", 2))
    world.node(fake_node("beta", 4, vendor="other"))
    sick = fake_device(0, health=Health(ok=False, reason="too hot"))
    world.node(Node(name="gamma", devices=(sick,)), {"hetero.io/device-cordon": "fake-1"})
    assert world.place("trainer", {"fake.example/npu": "1", "fake.example/npumem": "4096"}) == "alpha"
    assert world.place("large", {"fake.example/npumem": str(10 * MEMORY_MIB)}, namespace="team") == ""
    return world


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """Asks about it."""
    with served(world.state) as client:
        yield client


def names(client: Client, query: str) -> list[str]:
    """Of the nodes on a page."""
    return [one.name for one in client.get(f"/api/v1/nodes?{query}").read(Nodes).items]


def test_the_overview_sums_up(client: Client) -> None:
    """By vendor, with what is promised; idle cards and pods that wait, with the planner's reason."""
    found = client.get("/api/v1/overview").read(Overview)
    assert (found.nodes, found.cards, found.workloads, found.waiting_total) == (3, 7, 1, 1)
    fake, other = found.vendors
    assert (fake.vendor, fake.nodes, fake.cards, fake.unhealthy, fake.idle, fake.slices) == ("fake", 2, 3, 1, 1, 1)
    assert (fake.memory.capacity, fake.memory.allocated) == (3 * MEMORY_MIB * MIB, 4096 * MIB)
    assert (fake.memory.used, fake.memory.known) == (None, 0)
    assert (other.cards, other.idle, other.compute.capacity) == (4, 4, 4)
    assert fake.example == {
        "fake.example/npu": "1",
        "fake.example/npumem": str(MEMORY_MIB // 4),
        "fake.example/npucores": "25",
    }
    assert [one.uuid for one in found.idle][-1:] == [next(one.uuid for one in found.idle if one.slices)]
    [waiting] = found.waiting
    assert (waiting.pod, waiting.fits) == ("large", False)
    assert "not enough memory" in waiting.reason or "CardInsufficientMemory" in waiting.reason
    assert waiting.asks == {"fake.example/npumem": str(10 * MEMORY_MIB)}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["alpha", "beta", "gamma"]),
        ("search=ALPHA", ["alpha"]),
        ("search=other", ["beta"]),
        ("search=other%20beta", ["beta"]),
        ("search=other%20alpha", []),
        ("vendor=fake", ["alpha", "gamma"]),
        ("vendor=nobody", []),
        ("sort=cards&order=desc", ["beta", "alpha", "gamma"]),
        ("sort=memory&order=desc&limit=1", ["alpha"]),
        ("sort=slices&order=desc&limit=1", ["alpha"]),
        ("order=desc", ["gamma", "beta", "alpha"]),
        ("offset=1&limit=1", ["beta"]),
        ("offset=5", []),
    ],
)
def test_nodes_are_found_sorted_and_paged(client: Client, query: str, found: list[str]) -> None:
    """Words in any case, all of which must occur; by name where nothing else is said."""
    assert names(client, query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=idle&vendor=fake", ["alpha/fake-1"]),
        ("state=shared", ["alpha/fake-0"]),
        ("state=unhealthy", ["gamma/fake-0"]),
        ("state=full", []),
        ("node=gamma", ["gamma/fake-0"]),
        ("search=fake-1", ["alpha/fake-1"]),
        ("sort=memory&order=desc&limit=1", ["alpha/fake-0"]),
        ("sort=idle&order=desc&limit=1", ["alpha/fake-0"]),
        ("sort=temperature&limit=1", ["alpha/fake-0"]),
        ("model=none", []),
    ],
)
def test_cards_are_found_sorted_and_paged(client: Client, query: str, found: list[str]) -> None:
    """By state as well; what is not known decides nothing."""
    answer = client.get(f"/api/v1/cards?{query}").read(Cards)
    assert [f"{one.node}/{one.uuid}" for one in answer.items] == found
    assert answer.total >= len(found)


def test_a_card_shows_its_slices(client: Client) -> None:
    """Who has how much, whether or not an agent has said anything."""
    detail = client.get("/api/v1/nodes/alpha").read(NodeDetail)
    first, second = detail.cards
    [held] = first.slices
    assert (held.pod, held.container, held.memory, held.running) == ("trainer", "main", 4096 * MIB, False)
    assert (first.slots_used, second.slots_used, second.slices) == (1, 0, ())
    assert detail.node.problem == "its agent has not been asked yet"
    assert client.get("/api/v1/nodes/nowhere").status == 404
    [sick] = client.get("/api/v1/nodes/gamma").read(NodeDetail).cards
    assert (sick.healthy, sick.health) == (False, "too hot")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["trainer", "large"]),
        ("state=waiting", ["large"]),
        ("state=placed", ["trainer"]),
        ("state=running", []),
        ("namespace=team", ["large"]),
        ("vendor=other", []),
        ("search=alpha%20train", ["trainer"]),
        ("search=fake-0", ["trainer"]),
        ("sort=memory&order=desc", ["large", "trainer"]),
    ],
)
def test_workloads_are_found_sorted_and_paged(client: Client, query: str, found: list[str]) -> None:
    """Those that wait among the others, with what they ask."""
    assert [one.pod for one in client.get(f"/api/v1/workloads?{query}").read(Workloads).items] == found


def test_quotas_are_shown_with_what_is_taken(world: World, client: Client) -> None:
    """In the unit of their resource; those of nobody's resources are Kubernetes' own business."""
    hard = {"limits.fake.example/npumem": "5000", "requests.fake.example/npu": 2, "cpu": "4"}
    quota = objects.ResourceQuota(Metadata(name="q", namespace="default"), QuotaSpec(hard=hard))
    world.state.cluster.quotas.put(quota)
    found = client.get("/api/v1/quotas").read(Quotas)
    assert [(one.resource, one.unit, one.limit, one.used) for one in found.items] == [
        ("fake.example/npumem", "MiB", 5000, 4096),
        ("fake.example/npu", "", 2, 1),
    ]
    assert client.get("/api/v1/quotas?namespace=team").read(Quotas).total == 0
    assert client.get("/api/v1/quotas?search=npumem").read(Quotas).total == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("sort=age", "sort"),
        ("searc=x", "searc"),
        ("order=up", "order"),
        ("search=a&search=b", "twice"),
    ],
)
def test_parameters_that_cannot_be_are_refused(client: Client, query: str, words: str) -> None:
    """A slip is told with what there is, not passed over."""
    answer = client.get(f"/api/v1/nodes?{query}")
    assert answer.status == 400
    assert words in answer.error


def test_a_page_that_is_known_is_not_sent_again(client: Client, world: World) -> None:
    """Its age does not count; anything else does."""
    first = client.get("/api/v1/overview")
    world.now += 5
    again = client.get("/api/v1/overview", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    world.pod("more")
    assert client.get("/api/v1/overview", if_none_match=first.headers["etag"]).status == 200
