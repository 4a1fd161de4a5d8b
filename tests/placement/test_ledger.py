"""The columns of a cluster: their order, what is charged to them, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from hetero.errors import InvalidValue
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health, Inventory, Node
from hetero.placement.ledger import Ledger
from hetero.testing.fake import fake_device, fake_node


def _ledger(*nodes: Node) -> Ledger:
    return Ledger(Inventory(nodes=nodes))


def _special(uuid: str = "ring-0", **capacity: int) -> Device:
    model = DeviceModel(vendor="other", name="Ring R1", family="rings", capacity=capacity)
    return Device(uuid=uuid, index=0, model=model)


def test_nodes_stand_in_the_order_of_their_names() -> None:
    """The order in which a cluster is listed is chance; answers must not depend on it."""
    ledger = _ledger(fake_node("b"), fake_node("a", 2), fake_node("c"))
    assert [node.name for node in ledger.nodes] == ["a", "b", "c"]
    assert [(int(node), device.uuid) for node, device in zip(ledger.node_of, ledger.devices, strict=True)] == [
        (0, "fake-0"),
        (0, "fake-1"),
        (1, "fake-0"),
        (2, "fake-0"),
    ]


def test_devices_stand_by_vendor_and_then_as_the_driver_counts() -> None:
    """Two vendors' drivers both count from 0, and a list may come in any order."""
    devices = [fake_device(index, vendor=vendor) for vendor in ("other", "fake") for index in (10, 2, 0)]
    random.Random(1).shuffle(devices)
    ledger = _ledger(Node(name="n", devices=tuple(devices)))
    assert [one.uuid for one in ledger.devices] == ["fake-0", "fake-2", "fake-10", "other-0", "other-2", "other-10"]


def test_the_rows_of_a_node_lie_side_by_side() -> None:
    """A node's rows are one slice, an empty one for a node without devices."""
    ledger = _ledger(fake_node("a", 2), Node(name="b"), fake_node("c", 3))
    assert [ledger.rows(node) for node in range(3)] == [slice(0, 2), slice(2, 2), slice(2, 5)]


def test_models_occur_once_each() -> None:
    """Splitting is asked once per model, however many devices there are of it."""
    ledger = _ledger(fake_node("a", 4), fake_node("b", 4), fake_node("c", 1, memory=1))
    assert [model.capacity[MEMORY] for model in ledger.models] == [16384, 1]
    assert ledger.model_of.tolist() == [0] * 8 + [1]


@pytest.mark.parametrize("field", [{"name": "F2"}, {"vendor": "x"}, {"family": "x"}, {"mode": "x"}])
def test_models_that_differ_in_anything_are_different(field: dict[str, Any]) -> None:
    """Two devices are of one model only when nothing about the models differs."""
    first: dict[str, Any] = {"vendor": "fake", "name": "F1", "capacity": {SLOTS: 1}}
    devices = [
        Device(uuid=str(index), index=index, model=DeviceModel(**model))
        for index, model in enumerate((first, first | field))
    ]
    assert len(_ledger(Node(name="n", devices=tuple(devices))).models) == 2


def test_the_order_in_which_a_capacity_is_written_makes_no_model() -> None:
    """Capacities are compared as what they say."""
    devices = (_special("a", slots=1, rings=2), _special("b", rings=2, slots=1))
    assert len(_ledger(Node(name="n", devices=devices)).models) == 1


def test_a_column_stands_for_each_thing_that_any_device_has() -> None:
    """A dimension that a device lacks has capacity 0 on it."""
    ledger = _ledger(Node(name="n", devices=(fake_device(memory=500), _special(slots=2, rings=8))))
    assert set(ledger.dimensions) == {SLOTS, MEMORY, CORES, "rings"}
    assert ledger.capacity[0, ledger.columns["rings"]] == 0
    assert ledger.capacity[1, ledger.columns["rings"]] == 8
    assert ledger.capacity[1, ledger.columns[MEMORY]] == 0


def test_the_capacity_of_a_node_is_the_sum_over_its_devices() -> None:
    """Node columns are sums of device columns."""
    ledger = _ledger(fake_node("a", 3, memory=500), Node(name="b"))
    assert ledger.node_capacity[:, ledger.columns[MEMORY]].tolist() == [1500, 0]


def test_a_cluster_of_nothing_has_no_rows() -> None:
    """No nodes at all, or none with devices, are clusters too."""
    assert _ledger().capacity.shape == (0, 0)
    assert _ledger(Node(name="n")).rows(0) == slice(0, 0)


def test_rows_of_a_family_are_those_that_serve_its_asks() -> None:
    """Vendor and family both decide; an unknown pair has no rows."""
    ledger = _ledger(Node(name="n", devices=(fake_device(0), _special(slots=1), fake_device(1))))
    assert ledger.rows_of_family("fake", "").tolist() == [0, 1]
    assert ledger.rows_of_family("other", "rings").tolist() == [2]
    assert ledger.rows_of_family("other", "").size == 0
    assert ledger.rows_of_family("nobody", "").size == 0


def test_health_is_known_row_by_row() -> None:
    """An unhealthy device stands in the ledger, marked."""
    devices = (fake_device(0), fake_device(1, health=Health(ok=False, reason="lost")))
    assert _ledger(Node(name="n", devices=devices)).healthy.tolist() == [True, False]


def test_what_is_added_is_taken_from_that_device_of_that_node() -> None:
    """Identities are unique within a node only: the same one on another node is another device."""
    ledger = _ledger(fake_node("a", 2), fake_node("b", 2))
    ledger.add("b", {"fake-1": {MEMORY: 384, SLOTS: 1}})
    assert [ledger.left(row)[MEMORY] for row in range(4)] == [16384, 16384, 16384, 16000]
    assert ledger.node_used[:, ledger.columns[MEMORY]].tolist() == [0, 384]


def test_what_is_added_can_be_given_back() -> None:
    """Adding and giving back leaves the ledger as it was."""
    ledger = _ledger(fake_node("a", 2))
    held = {"fake-0": {MEMORY: 384}, "fake-1": {CORES: 30}}
    ledger.add("a", held)
    ledger.add("a", held, sign=-1)
    assert not ledger.used.any()
    assert not ledger.node_used.any()


def test_adding_nothing_is_allowed() -> None:
    """A pod without devices is charged nothing, on a node without devices too."""
    ledger = _ledger(Node(name="empty"), fake_node("full"))
    for node in ("empty", "full"):
        ledger.add(node, {})
    assert not ledger.used.any()


def test_what_is_left_names_what_the_device_has() -> None:
    """Dimensions of other devices are not listed."""
    ledger = _ledger(Node(name="n", devices=(fake_device(memory=500), _special(slots=2, rings=8))))
    assert ledger.left(0) == {SLOTS: 10, MEMORY: 500, CORES: 100}
    assert ledger.left(1) == {SLOTS: 2, "rings": 8}


def test_a_device_that_shrank_has_nothing_left() -> None:
    """Programs may hold more than a device has after its driver changed; what is left is never negative."""
    ledger = _ledger(fake_node("a", memory=500))
    ledger.add("a", {"fake-0": {MEMORY: 800}})
    assert ledger.left(0)[MEMORY] == 0
    ledger.add("a", {"fake-0": {MEMORY: 800}}, sign=-1)
    assert ledger.left(0)[MEMORY] == 500


@pytest.mark.parametrize(
    ("node", "held", "words"),
    [
        ("b", {}, "node: 'b' is not in the inventory"),
        ("a", {"fake-7": {MEMORY: 1}}, "device: 'fake-7' is not on node a"),
        ("a", {"fake-0": {"rings": 1}}, "device fake-0: 'rings' is nothing that a device"),
        ("a", {"fake-0": {MEMORY: -1}}, "device fake-0: -1 is no amount of memory"),
        ("a", {"fake-0": {MEMORY: 2**63}}, "is no amount of memory; it is from 0 to"),
    ],
)
def test_a_wrong_charge_names_what_is_wrong(node: str, held: dict[str, dict[str, int]], words: str) -> None:
    """A placement read from an annotation may be of another cluster, or edited by hand."""
    with pytest.raises(InvalidValue, match=words):
        _ledger(fake_node("a")).add(node, held)


def test_a_wrong_charge_changes_nothing() -> None:
    """All of a charge is looked at before any of it is taken."""
    ledger = _ledger(fake_node("a", 2))
    with pytest.raises(InvalidValue):
        ledger.add("a", {"fake-0": {MEMORY: 1}, "fake-9": {MEMORY: 1}})
    with pytest.raises(InvalidValue):
        ledger.add("a", {"fake-0": {MEMORY: 1}, "fake-1": {MEMORY: -1}})
    assert not ledger.used.any()
    assert not ledger.node_used.any()


def test_two_nodes_of_one_name_are_refused() -> None:
    """A placement names its node, so the name must mean one."""
    with pytest.raises(InvalidValue, match="node: 'a' occurs twice"):
        _ledger(fake_node("a"), fake_node("a"))


def test_two_devices_of_one_identity_on_one_node_are_refused() -> None:
    """A placement names its devices, of whichever vendor."""
    with pytest.raises(InvalidValue, match="device of node a: 'fake-0' occurs twice"):
        _ledger(Node(name="a", devices=(fake_device(0), fake_device(0))))


def test_amounts_by_name_become_rows_of_columns() -> None:
    """One row per record, zeros where a record says nothing."""
    ledger = _ledger(fake_node("a"))
    table = ledger.vectors([{MEMORY: 5}, {}, {SLOTS: 1, CORES: 7}])
    assert np.array_equal(
        table[:, [ledger.columns[name] for name in (SLOTS, MEMORY, CORES)]], [[0, 5, 0], [0] * 3, [1, 0, 7]]
    )
