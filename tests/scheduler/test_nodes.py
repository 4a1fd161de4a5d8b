"""Nodes of the API and what the planner is told of them."""

from __future__ import annotations

import threading

import pytest

from hetero import metrics
from hetero.errors import InvalidValue, WireError
from hetero.kube import objects
from hetero.kube.objects import Metadata
from hetero.model import wire
from hetero.model.annotations import CORDON, INVENTORY
from hetero.model.device import Node
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
