"""What is written of a node's devices, and above all what is not."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.agent.inventory import AGAIN, MOST, Publisher, changes
from hetero.agent.node import Node
from hetero.agent.others import Others
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.model import device as model
from hetero.model import wire
from hetero.model.annotations import inventory
from hetero.model.device import Health, Link, LinkKind
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import fake_device, fake_devices, fake_vendor

VENDORS = {"fake": fake_vendor("fake")}
TOTALS = {"fake.example/npumem": 32768, "fake.example/npucores": 200}


class Server:
    """A real client, and the node as it is after each write."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.api = server.api()
        server.put(paths.NODES, {"metadata": {"name": "desk"}, "status": {"capacity": {"cpu": "8"}}})

    @property
    def node(self) -> Node:
        """As the API has it."""
        return msgspec.json.decode(self.api.get(paths.node("desk")), type=Node)

    def publisher(self, agent: str = "", writers: tuple[str, ...] = (), *, served: bool = True) -> Publisher:
        """Of an agent of the node."""
        return publisher(self.api, "desk", agent, writers, served=served)


def publisher(api: Any, node: str, agent: str = "", writers: tuple[str, ...] = (), *, served: bool = True) -> Publisher:
    """Of an agent, which gives its devices out or only tells of them."""
    others = Others(inventory(agent), writers, VENDORS, VENDORS if served else ())
    return Publisher(api, node, VENDORS, others, () if served else VENDORS)


@pytest.fixture
def desk() -> Any:
    """A node without devices, in a server that runs."""
    with ApiServer() as server:
        desk = Server(server)
        yield desk
        desk.api.close()


def test_what_is_not_shown_yet_is_not_written_again(desk: Server) -> None:
    """A watch tells of two writes one after the other: the first without the second is nothing new."""
    shown: list[Node] = [desk.node]

    class Recording:
        """Keeps what a watch would tell after each write."""

        def patch(self, path: str, body: bytes) -> bytes:
            answer = desk.api.patch(path, body)
            shown.append(desk.node)
            return answer

    agent = publisher(Recording(), "desk")
    assert agent.publish(shown[0], fake_devices(2)) == 2
    before, between, after = shown
    assert [agent.publish(node, fake_devices(2)) for node in (before, between, after)] == [0, 0, 0]
    desk.api.patch(f"{paths.node('desk')}/status", b'{"status":{"capacity":{"fake.example/npumem":null}}}')
    assert agent.publish(desk.node, fake_devices(2)) == 1


def test_a_server_whose_history_went_back_is_written_to(desk: Server) -> None:
    """It was restored from a backup: its versions are those of long ago, and so is what it shows."""
    publisher, first = desk.publisher(), desk.node
    assert publisher.publish(first, fake_devices(2)) == 2
    old = msgspec.structs.replace(first.metadata, resource_version="1")
    assert publisher.publish(msgspec.structs.replace(first, metadata=old), fake_devices(2)) == 2


def test_devices_are_published_once(desk: Server) -> None:
    """Inventory and totals, one request each; then nothing until something changes."""
    publisher = desk.publisher()
    assert publisher.publish(desk.node, fake_devices(2)) == 2
    shown = desk.node
    assert wire.decode(shown.metadata.notes["hetero.io/inventory"], model.Node).devices == tuple(fake_devices(2))
    for part in (shown.status.capacity, shown.status.allocatable):
        assert part is not None
        assert {name: int(part[name]) for name in TOTALS} == TOTALS
    assert shown.status.capacity is not None
    assert shown.status.capacity["cpu"] == "8"
    assert publisher.publish(desk.node, fake_devices(2)) == 0


def test_a_change_of_health_is_published(desk: Server) -> None:
    """The scheduler reads it in the inventory; the totals shrink by what the device had."""
    publisher = desk.publisher()
    publisher.publish(desk.node, fake_devices(2))
    ill = [fake_device(0, health=Health(ok=False, reason="too hot")), fake_device(1)]
    assert publisher.publish(desk.node, ill) == 2
    shown = desk.node
    assert shown.status.allocatable is not None
    assert int(shown.status.allocatable["fake.example/npumem"]) == 16384
    assert publisher.known(shown) == tuple(ill)


def test_what_the_kubelet_has_reset_is_written_again(desk: Server) -> None:
    """A kubelet that lost its checkpoint sets what it does not know to 0."""
    publisher = desk.publisher()
    publisher.publish(desk.node, fake_devices(2))
    reset = {"status": {"capacity": {"fake.example/npumem": "0"}, "allocatable": {"fake.example/npumem": "0"}}}
    desk.api.patch(f"{paths.node('desk')}/status", json.dumps(reset).encode())
    assert publisher.publish(desk.node, fake_devices(2)) == 1
    assert publisher.publish(desk.node, fake_devices(2)) == 0


def test_withdrawing_leaves_nothing_of_ours(desk: Server) -> None:
    """And everything of others."""
    publisher = desk.publisher()
    publisher.publish(desk.node, fake_devices(2))
    assert publisher.withdraw(desk.node) == 2
    shown = desk.node
    assert "hetero.io/inventory" not in shown.metadata.notes
    assert shown.status.capacity == {"cpu": "8"}
    assert publisher.withdraw(desk.node) == 0


def test_a_node_without_devices_is_left_as_it_is(desk: Server) -> None:
    """No annotation, no total; and where the last device went, both go."""
    publisher = desk.publisher()
    assert publisher.publish(desk.node, []) == 0
    publisher.publish(desk.node, fake_devices(1))
    assert publisher.publish(desk.node, []) == 2
    assert "hetero.io/inventory" not in desk.node.metadata.notes


def test_a_further_agent_has_an_annotation_of_its_own(desk: Server) -> None:
    """Neither touches what the other wrote."""
    desk.publisher().publish(desk.node, fake_devices(1))
    desk.publisher("acme").publish(desk.node, [fake_device(7)])
    notes = desk.node.metadata.notes
    assert set(notes) == {"hetero.io/inventory", "hetero.io/inventory-acme"}
    assert desk.publisher("acme").known(desk.node) == (fake_device(7),)


BOTH = ("hetero.io/inventory", "hetero.io/inventory-acme")


def test_what_an_agent_left_that_is_no_more_is_removed(desk: Server) -> None:
    """Its vendor is another agent's now: the node would be refused pods, or have them for devices twice."""
    desk.publisher("acme").publish(desk.node, fake_devices(2))
    assert desk.publisher(writers=BOTH[:1]).publish(desk.node, fake_devices(2)) == 2
    assert set(desk.node.metadata.notes) == {"hetero.io/inventory"}


def test_what_an_agent_says_that_there_is_stays(desk: Server) -> None:
    """And where nobody says which there are, as by hand, all of them may be."""
    desk.publisher("acme").publish(desk.node, fake_devices(1))
    for writers in (BOTH, ()):
        desk.publisher(writers=writers).publish(desk.node, [fake_device(7)])
        assert set(desk.node.metadata.notes) == set(BOTH)


def test_who_writes_on_is_not_written_against_without_end(desk: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent of the release before lives until it is replaced: once in five minutes, not for each of its words."""
    agent, late = desk.publisher(writers=BOTH[:1]), desk.publisher("acme")
    late.publish(desk.node, fake_devices(1))
    agent.publish(desk.node, fake_devices(1))
    late.publish(desk.node, fake_devices(1))
    assert agent.publish(desk.node, fake_devices(1)) == 0
    assert set(desk.node.metadata.notes) == set(BOTH)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + AGAIN)
    assert agent.publish(desk.node, fake_devices(1)) == 1
    assert set(desk.node.metadata.notes) == {"hetero.io/inventory"}


def test_who_serves_not_tells_only_where_nobody_else_does(desk: Server) -> None:
    """Neither of the devices nor of their totals, whichever of the two comes first."""
    watcher = desk.publisher(served=False)
    assert watcher.publish(desk.node, fake_devices(2)) == 2
    text = desk.node.metadata.notes["hetero.io/inventory"]
    assert wire.decode(text, model.Node).foreign == ("fake",)
    desk.publisher("acme").publish(desk.node, fake_devices(2))
    watcher.publish(desk.node, fake_devices(2))
    assert set(desk.node.metadata.notes) == {"hetero.io/inventory-acme"}
    assert desk.node.status.capacity is not None
    assert {name: int(desk.node.status.capacity[name]) for name in TOTALS} == TOTALS
    assert watcher.withdraw(desk.node) == 0


@pytest.mark.parametrize("text", [None, "", "{}", "nonsense"])
def test_an_earlier_inventory_that_cannot_be_read_is_none(desk: Server, text: str | None) -> None:
    """The devices are asked for anyhow."""
    patch = {"metadata": {"annotations": {"hetero.io/inventory": text}}}
    desk.api.patch(paths.node("desk"), json.dumps(patch).encode())
    assert desk.publisher().known(desk.node) == ()


def test_an_inventory_that_is_too_large_goes_without_its_links(desk: Server) -> None:
    """An annotation has a limit, and hundreds of devices have as many links each."""
    devices = fake_devices(150)
    links = tuple(Link(peer=one.uuid, kind=LinkKind.SYSTEM) for one in devices)
    linked = [msgspec.structs.replace(device, links=links) for device in devices]
    desk.publisher().publish(desk.node, linked)
    text = desk.node.metadata.notes["hetero.io/inventory"]
    assert len(text) <= MOST
    assert wire.decode(text, model.Node).devices == tuple(devices)


def test_a_refusal_is_for_the_caller_to_try_again(desk: Server) -> None:
    """Nothing is remembered as written that was not."""
    gone = publisher(desk.api, "elsewhere")
    with pytest.raises(ApiError):
        gone.publish(desk.node, fake_devices(1))


def test_amounts_are_compared_as_numbers() -> None:
    """The API server writes 1000 as 1k, and that is no change."""
    assert changes({"a": "1k", "b": "2"}, {"a": 1000, "b": 3}, ["a", "b"]) == {"b": "3"}
    assert changes({"a": "nonsense", "c": "1"}, {"a": 1}, ["a", "c"]) == {"a": "1", "c": None}


AMOUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2**40))


@given(found=AMOUNTS, wanted=AMOUNTS)
def test_after_the_patch_the_amounts_are_as_wanted(found: dict[str, int], wanted: dict[str, int]) -> None:
    """For the names that are ours; the others stay."""
    names = ["a", "b", "c"]
    patch = changes({name: str(amount) for name, amount in found.items()}, wanted, names)
    after = {name: amount for name, amount in {**found, **patch}.items() if amount is not None}
    assert {name: int(after[name]) for name in names if name in after} == {
        name: wanted[name] for name in names if name in wanted
    }
    assert after.get("d") == found.get("d")
    assert changes({name: str(amount) for name, amount in after.items()}, wanted, names) == {}
