"""The columns of a cluster: their order, what is charged to them, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hetero.errors import InvalidValue
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health, Inventory, Node
from hetero.placement.ledger import UNHEALTHY, USABLE, Ledger
from hetero.testing.fake import fake_device, fake_node


def _ledger(*nodes: Node) -> Ledger:
    return Ledger(Inventory(nodes=nodes))


def _uuids(ledger: Ledger, node: str) -> list[str]:
    return [device.uuid for device in ledger.devices[ledger.rows(ledger.index[node])] if device is not None]


def _line(ledger: Ledger, name: str) -> list[int]:
    """What is free in one dimension, row by row."""
    line = ledger.catalogue.columns[name]
    return (ledger.capacity[line, : ledger.extent] - ledger.used[line, : ledger.extent]).tolist()  # type: ignore[no-any-return]


def _special(uuid: str = "ring-0", **capacity: int) -> Device:
    model = DeviceModel(vendor="other", name="Ring R1", family="rings", capacity=capacity)
    return Device(uuid=uuid, index=0, model=model)


def test_nodes_stand_in_the_order_of_their_names() -> None:
    """The order in which a cluster is listed is chance; answers must not depend on it."""
    ledger = _ledger(fake_node("b"), fake_node("a", 2), fake_node("c"))
    assert ledger.names == ["a", "b", "c"]
    assert [_uuids(ledger, name) for name in "abc"] == [["fake-0", "fake-1"], ["fake-0"], ["fake-0"]]


def test_devices_stand_by_vendor_and_then_as_the_driver_counts() -> None:
    """Two vendors' drivers both count from 0, and a list may come in any order."""
    devices = [fake_device(index, vendor=vendor) for vendor in ("other", "fake") for index in (10, 2, 0)]
    random.Random(1).shuffle(devices)
    ledger = _ledger(Node(name="n", devices=tuple(devices)))
    assert _uuids(ledger, "n") == ["fake-0", "fake-2", "fake-10", "other-0", "other-2", "other-10"]


def test_the_rows_of_a_node_lie_side_by_side() -> None:
    """A node's rows are one slice, an empty one for a node without devices."""
    ledger = _ledger(fake_node("a", 2), Node(name="b"), fake_node("c", 3))
    assert [ledger.rows(node) for node in range(3)] == [slice(0, 2), slice(0, 0), slice(2, 5)]


def test_models_occur_once_each() -> None:
    """Splitting is asked once per model, however many devices there are of it."""
    ledger = _ledger(fake_node("a", 4), fake_node("b", 4), fake_node("c", 1, memory=1))
    assert [model.capacity[MEMORY] for model in ledger.catalogue.models] == [16384, 1]
    assert ledger.model_of[: ledger.extent].tolist() == [0] * 8 + [1]


@pytest.mark.parametrize("field", [{"name": "F2"}, {"vendor": "x"}, {"family": "x"}, {"mode": "x"}])
def test_models_that_differ_in_anything_are_different(field: dict[str, Any]) -> None:
    """Two devices are of one model only when nothing about the models differs."""
    first: dict[str, Any] = {"vendor": "fake", "name": "F1", "capacity": {SLOTS: 1}}
    devices = [
        Device(uuid=str(index), index=index, model=DeviceModel(**model))
        for index, model in enumerate((first, first | field))
    ]
    assert len(_ledger(Node(name="n", devices=tuple(devices))).catalogue.models) == 2


def test_the_order_in_which_a_capacity_is_written_makes_no_model() -> None:
    """Capacities are compared as what they say."""
    devices = (_special("a", slots=1, rings=2), _special("b", rings=2, slots=1))
    assert len(_ledger(Node(name="n", devices=devices)).catalogue.models) == 1


def test_a_column_stands_for_each_thing_that_any_device_has() -> None:
    """A dimension that a device lacks has capacity 0 on it."""
    ledger = _ledger(Node(name="n", devices=(fake_device(memory=500), _special(slots=2, rings=8))))
    assert set(ledger.catalogue.dimensions) == {SLOTS, MEMORY, CORES, "rings"}
    assert _line(ledger, "rings") == [0, 8]
    assert _line(ledger, MEMORY) == [500, 0]


def test_the_capacity_of_a_node_is_the_sum_over_its_devices() -> None:
    """Node columns are sums of device columns."""
    ledger = _ledger(fake_node("a", 3, memory=500), Node(name="b"))
    assert ledger.node_capacity[ledger.catalogue.columns[MEMORY], :2].tolist() == [1500, 0]


def test_a_cluster_of_nothing_has_no_rows() -> None:
    """No nodes at all, or none with devices, are clusters too."""
    assert _ledger().extent == 0
    assert _ledger(Node(name="n")).rows(0) == slice(0, 0)


def test_health_is_known_row_by_row() -> None:
    """An unhealthy device stands in the ledger, marked."""
    devices = (fake_device(0), fake_device(1, health=Health(ok=False, reason="lost")))
    assert _ledger(Node(name="n", devices=devices)).state[:2].tolist() == [USABLE, UNHEALTHY]


def test_what_is_added_is_taken_from_that_device_of_that_node() -> None:
    """Identities are unique within a node only: the same one on another node is another device."""
    ledger = _ledger(fake_node("a", 2), fake_node("b", 2))
    ledger.add("b", {"fake-1": {MEMORY: 384, SLOTS: 1}})
    assert [ledger.left(row)[MEMORY] for row in range(4)] == [16384, 16384, 16384, 16000]
    assert ledger.node_used[ledger.catalogue.columns[MEMORY], :2].tolist() == [0, 384]


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


@pytest.mark.parametrize(("amount", "words"), [(-1, "-1 is no amount of memory"), (2**31, "it is from 0 to")])
def test_a_wrong_amount_is_named_and_changes_nothing(amount: int, words: str) -> None:
    """A placement read from an annotation may be edited by hand; all of a charge is looked at before any is taken."""
    ledger = _ledger(fake_node("a", 2))
    with pytest.raises(InvalidValue, match=f"device fake-1: .*{words}"):
        ledger.add("a", {"fake-0": {MEMORY: 1}, "fake-1": {MEMORY: amount}})
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


# Charges of what is not there


@pytest.mark.parametrize(
    ("held", "node"),
    [
        ({"fake-0": {MEMORY: 5}}, fake_node("b")),
        ({"fake-1": {MEMORY: 5}}, fake_node("a", 2)),
        ({"fake-0": {"rings": 5}}, Node(name="a", devices=(_special("fake-0", slots=1, rings=8),))),
        ({"fake-0": {"rings": 5}}, Node(name="c", devices=(_special("x", slots=1, rings=8),))),
    ],
)
def test_a_charge_of_what_is_not_there_counts_when_it_comes(held: dict[str, dict[str, int]], node: Node) -> None:
    """Of a node, a device or a dimension; and it can be given back before as after."""
    target = "b" if node.name == "b" else "a"
    early, late = _ledger(fake_node("a")), _ledger(fake_node("a"))
    early.add(target, held)
    assert not early.used.any()
    for ledger in (early, late):
        ledger.put(node)
    late.add(target, held)
    assert _state(early) == _state(late)
    early.add(target, held, sign=-1)
    assert not early.used.any()
    assert not len(early.strays)


def _state(ledger: Ledger) -> dict[str, Any]:
    """All that can be told of a ledger, whatever numbers its nodes and rows have."""
    columns = ledger.catalogue.columns
    return {
        name: {
            "devices": {
                device.uuid: {
                    key: int(ledger.used[line, row]) for key, line in columns.items() if ledger.used[line, row]
                }
                for row, device in zip(
                    range(*ledger.rows(number).indices(ledger.extent)), ledger.devices[ledger.rows(number)], strict=True
                )
                if device is not None
            },
            "sums": [
                {key: int(sums[line, number]) for key, line in columns.items() if sums[line, number]}
                for sums in (ledger.node_capacity, ledger.node_used)
            ],
        }
        for name, number in ledger.index.items()
    }


def test_a_device_that_goes_and_comes_back_has_its_charges() -> None:
    """A driver that forgets a card for a minute must not make it free."""
    ledger = _ledger(fake_node("a", 2))
    ledger.add("a", {"fake-1": {MEMORY: 384}})
    before = _state(ledger)
    ledger.put(fake_node("a", 1))
    assert ledger.node_used.sum() == 0
    ledger.put(fake_node("a", 2))
    assert _state(ledger) == before


def test_a_node_that_goes_and_comes_back_has_its_charges() -> None:
    """And nothing is left of it meanwhile but that."""
    ledger = _ledger(fake_node("a", 2), fake_node("b"))
    ledger.add("a", {"fake-1": {MEMORY: 384}})
    before = _state(ledger)
    assert ledger.remove("a")
    assert set(ledger.index) == {"b"}
    assert not ledger.remove("a")
    ledger.put(fake_node("a", 2))
    assert _state(ledger) == before


def test_a_device_that_changes_keeps_its_charges() -> None:
    """Another driver, less memory, ill health: what programs hold of it they hold."""
    ledger = _ledger(fake_node("a"))
    ledger.add("a", {"fake-0": {MEMORY: 384}})
    ledger.put(Node(name="a", devices=(fake_device(0, memory=100, health=Health(ok=False, reason="lost")),)))
    assert ledger.left(0)[MEMORY] == 0
    ledger.put(Node(name="a", devices=(fake_device(0, memory=1000),)))
    assert ledger.left(0)[MEMORY] == 616


def test_a_node_that_is_the_same_changes_nothing() -> None:
    """A node is told of every few seconds, mostly with no news."""
    ledger = _ledger(fake_node("a", 2))
    version = ledger.version
    assert not ledger.put(fake_node("a", 2))
    assert ledger.version == version


def test_changes_are_stamped_on_their_node_alone() -> None:
    """So that whoever remembers something knows what to look at again."""
    ledger = _ledger(fake_node("a"), fake_node("b"))
    seen = ledger.version
    ledger.add("b", {"fake-0": {MEMORY: 1}})
    assert (ledger.changed[:2] > seen).tolist() == [False, True]
    assert (ledger.reshaped[:2] > seen).tolist() == [False, False]
    ledger.put(fake_node("a", 2))
    assert (ledger.reshaped[:2] > seen).tolist() == [True, False]


def test_a_cluster_that_shrinks_gives_its_rows_back() -> None:
    """Rows of nodes that are gone are used again, and moved together when most are idle."""
    ledger = _ledger(*(fake_node(f"n{index:04}", 4) for index in range(1000)))
    ledger.add("n0999", {"fake-3": {MEMORY: 7}})
    for index in range(900):
        ledger.remove(f"n{index:04}")
    assert ledger.extent < 2000
    assert ledger.left(ledger.rows(ledger.index["n0999"]).start + 3)[MEMORY] == 16377
    for index in range(100):
        ledger.put(fake_node(f"m{index:04}", 4))
    assert len(ledger.names) == 1000
    assert ledger.ranks[ledger.index["m0000"]] == 0


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (_special(slots=2**70), "is no capacity of slots; it is from 0 to"),
        (_special(slots=-1), "is no capacity of slots"),
        (fake_device(0, numa=2**70), "is no NUMA node"),
        (fake_device(0, numa=-2), "is no NUMA node"),
        (_special(**{f"ring-{index}": 1 for index in range(80)}), "are more than the 64"),
    ],
)
def test_a_node_with_a_number_that_cannot_be_is_refused_and_changes_nothing(device: Device, words: str) -> None:
    """An inventory is an annotation, which people can edit; the node stays what it was, and so do all others."""
    ledger = _ledger(fake_node("a"), fake_node("b"))
    before, version, models = _state(ledger), ledger.version, list(ledger.catalogue.models)
    for name in ("a", "new"):
        with pytest.raises(InvalidValue, match=words):
            ledger.put(Node(name=name, devices=(fake_device(7), device)))
    assert (_state(ledger), ledger.version, ledger.catalogue.models) == (before, version, models)
    assert ledger.put(fake_node("a", 2))


def test_a_cluster_has_so_many_models_and_no_more() -> None:
    """A node that claims another product at every turn must not fill the memory."""
    ledger, refused = _ledger(), 0
    for batch in range(9):
        devices = tuple(fake_device(index, model=f"m{batch}-{index}") for index in range(500))
        try:
            ledger.put(Node(name="a", devices=devices))
        except InvalidValue:
            refused += 1
    assert refused == 1
    assert len(ledger.catalogue.models) == 4000
