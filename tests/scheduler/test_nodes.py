"""Nodes of the API and what the planner is told of them."""

from __future__ import annotations

import threading

import msgspec
import pytest

from hetero import metrics
from hetero.errors import InvalidValue, WireError
from hetero.kube import objects
from hetero.kube.objects import Metadata
from hetero.model import wire
from hetero.model.annotations import CORDON, INVENTORY
from hetero.model.device import Health, Node
from hetero.scheduler.nodes import Nodes, node
from hetero.testing.fake import fake_node


class Host:
    """Remembers its nodes, and what it was told."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.told: list[str] = []

    def put_node(self, node: Node) -> None:
        self.told.append(f"put {node.name}")
        if node.name == "bad":
            raise InvalidValue("devices", "fake-0", "is there twice")
        self.nodes[node.name] = node

    def remove_node(self, name: str) -> None:
        self.told.append(f"remove {name}")
        del self.nodes[name]


def api(one: Node, notes: dict[str, str] | None = None) -> objects.Node:
    """As the API has it."""
    return objects.Node(metadata=Metadata(name=one.name, annotations={INVENTORY: wire.encode(one), **(notes or {})}))


def plain(name: str) -> objects.Node:
    """A node without devices."""
    return objects.Node(metadata=Metadata(name=name))


@pytest.fixture
def host() -> Host:
    """Without nodes."""
    return Host()


@pytest.fixture
def nodes(host: Host) -> Nodes:
    """Keeps the host in step."""
    return Nodes(host, threading.RLock())


def test_a_node_has_its_inventory() -> None:
    """As its agent wrote it; one without an inventory says nothing of devices."""
    assert node(api(fake_node("a", 2))) == fake_node("a", 2)
    assert node(plain("a")) is None


def test_cordons_of_all_places_hold_together() -> None:
    """The inventory's and both annotations', separated by commas, with or without blanks."""
    inventory = Node(name="a", devices=fake_node("a", 4).devices, cordoned=("fake-0",))
    found = node(api(inventory, {CORDON[0]: "fake-1, fake-0", CORDON[1]: "fake-2,,"}))
    assert found is not None
    assert found.cordoned == ("fake-0", "fake-1", "fake-2")


@pytest.mark.parametrize("text", ["", "{}", '{"v":9,"node":{}}', wire.encode(fake_node("other"))])
def test_an_inventory_that_is_none_is_refused(text: str) -> None:
    """Unreadable, of another version, or of another node."""
    with pytest.raises(WireError):
        node(objects.Node(metadata=Metadata(name="a", annotations={INVENTORY: text})))


def test_a_heartbeat_tells_the_planner_nothing(nodes: Nodes, host: Host) -> None:
    """Only what a node says of devices does."""
    nodes.put(api(fake_node("a")))
    nodes.put(
        objects.Node(metadata=Metadata(name="a", resource_version="7", annotations=api(fake_node("a")).metadata.notes))
    )
    assert host.told == ["put a"]
    nodes.put(api(fake_node("a"), {CORDON[0]: "fake-0"}))
    assert host.told == ["put a", "put a"]
    assert host.nodes["a"].cordoned == ("fake-0",)


def test_nodes_go_as_they_come(nodes: Nodes, host: Host) -> None:
    """Deleted, without devices from now on, or missing in a list."""
    nodes.replace([api(fake_node(name)) for name in "abc"])
    assert (sorted(host.nodes), len(nodes), "a" in nodes, "z" in nodes) == (["a", "b", "c"], 3, True, False)
    nodes.remove(plain("a"))
    nodes.put(plain("b"))
    assert sorted(host.nodes) == ["c"]
    nodes.replace([api(fake_node("d"))])
    assert sorted(host.nodes) == ["d"]
    nodes.remove(plain("never there"))


def test_a_node_whose_inventory_breaks_gets_no_pods(nodes: Nodes, host: Host) -> None:
    """It is counted, and served again when it can be read again; other nodes are not touched."""
    before = metrics.unusable_inventories.value()
    nodes.replace([api(fake_node("a")), api(fake_node("bad")), api(fake_node("b"))])
    assert sorted(host.nodes) == ["a", "b"]
    broken = objects.Node(metadata=Metadata(name="a", annotations={INVENTORY: "{"}))
    nodes.put(broken)
    assert sorted(host.nodes) == ["b"]
    assert metrics.unusable_inventories.value() == before + 2
    nodes.put(api(fake_node("a")))
    assert sorted(host.nodes) == ["a", "b"]


def test_inventories_of_several_agents_are_one_nodes() -> None:
    """Each agent writes the devices of its own vendors; the first agent's come first."""
    first, second = fake_node("a", 1), fake_node("a", 2, vendor="other")
    shown = api(first, {f"{INVENTORY}-acme": wire.encode(second)})
    found = node(shown)
    assert found is not None
    assert found.devices == (*first.devices, *second.devices)
    alone = objects.Node(metadata=Metadata(name="a", annotations={f"{INVENTORY}-acme": wire.encode(second)}))
    assert node(alone) == second


def test_a_further_agents_inventory_is_read_when_it_changes(nodes: Nodes, host: Host) -> None:
    """As that of the first agent."""
    first = fake_node("a", 1)
    nodes.put(api(first))
    nodes.put(api(first, {f"{INVENTORY}-acme": wire.encode(fake_node("a", 2, vendor="other"))}))
    assert len(host.nodes["a"].devices) == 3


def test_an_inventory_of_another_node_is_refused_whoever_wrote_it() -> None:
    """One wrong part makes the node's devices uncertain."""
    with pytest.raises(WireError, match="is that of node 'b'"):
        node(api(fake_node("a"), {f"{INVENTORY}-acme": wire.encode(fake_node("b", vendor="other"))}))


def test_a_device_of_which_two_agents_tell_is_there_once() -> None:
    """As while a vendor moves from one to another: the node goes on, with the devices that it has."""
    first, second = fake_node("a", 2), fake_node("a", 3)
    found = node(api(first, {f"{INVENTORY}-acme": wire.encode(second)}))
    assert found is not None
    assert found.devices == second.devices


def test_a_device_of_which_one_agent_says_that_it_is_not_well_is_not() -> None:
    """One of the two may have been written long ago; a program on a broken device is worse than one that waits."""
    well = fake_node("a", 2)
    ill = msgspec.structs.replace(well.devices[1], health=Health(ok=False, reason="too hot"))
    other = msgspec.structs.replace(well, devices=(ill,))
    for first, second in ((well, other), (other, well)):
        found = node(api(first, {f"{INVENTORY}-acme": wire.encode(second)}))
        assert found is not None
        assert {one.uuid: one.health.reason for one in found.devices} == {"fake-0": "", "fake-1": "too hot"}


def test_what_one_agent_lists_twice_is_for_the_planner_to_refuse() -> None:
    """Which of the two is right nobody knows."""
    twice = fake_node("a", 1)
    twice = msgspec.structs.replace(twice, devices=twice.devices * 2)
    found = node(api(twice, {f"{INVENTORY}-acme": wire.encode(fake_node("a", 1, vendor="other"))}))
    assert found is not None
    assert [one.uuid for one in found.devices].count("fake-0") == 2
