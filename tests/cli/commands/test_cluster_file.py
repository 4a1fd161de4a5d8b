"""A cluster described in a file: checked field by field, and described as discovery would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.cli.cluster_file import MOST, inventory
from hetero.errors import InvalidConfiguration
from hetero.model.device import CORES, MEMORY, SLOTS, Inventory
from hetero.testing.fake import fake_vendor

FILE = Path("cluster.yaml")
VENDORS = {"fake": fake_vendor(), "other": fake_vendor("other")}
DEVICE = {"vendor": "fake", "model": "Fake F1", "memory": 1024}


def _read(*nodes: Any) -> Inventory:
    return inventory({"nodes": list(nodes)}, FILE, VENDORS)


def test_a_device_is_described_as_its_vendor_would_find_it() -> None:
    """The model comes from the vendor's own splitting, so that shares are the same as on a real machine."""
    [node] = _read({"name": "a", "devices": [{**DEVICE, "numa": 1}]}).nodes
    [device] = node.devices
    assert device.model == VENDORS["fake"].splitting.model("Fake F1", 1024)
    assert device.model.capacity == {SLOTS: 10, MEMORY: 1024, CORES: 100}
    assert (device.uuid, device.index, device.numa) == ("a-fake-0", 0, 1)


def test_devices_are_counted_over_all_entries_of_a_node() -> None:
    """Identities are unique on a node whatever its entries are; positions are those of each vendor's driver."""
    [node] = _read({"name": "a", "devices": [{**DEVICE, "count": 2}, {**DEVICE, "vendor": "other"}, DEVICE]}).nodes
    assert [device.uuid for device in node.devices] == ["a-fake-0", "a-fake-1", "a-other-2", "a-fake-3"]
    assert [device.index for device in node.devices] == [0, 1, 0, 2]


def test_a_count_of_nodes_makes_nodes_alike() -> None:
    """Their names get numbers, and their devices identities of their own."""
    nodes = _read({"name": "rack", "count": 3, "devices": [DEVICE]}, {"name": "desk"}).nodes
    assert [node.name for node in nodes] == ["rack-0", "rack-1", "rack-2", "desk"]
    assert [device.uuid for node in nodes for device in node.devices] == [f"rack-{index}-fake-0" for index in range(3)]


def test_a_count_of_one_still_numbers_the_name() -> None:
    """Raising the count later renames nothing."""
    assert [node.name for node in _read({"name": "rack", "count": 1}).nodes] == ["rack-0"]


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({}, "name"),
        ({"name": ""}, "nodes[0].name: '' is no name of a node"),
        ({"name": "A b"}, "nodes[0].name: 'A b' is no name of a node"),
        ({"name": "a\n"}, "nodes[0].name: 'a\\n' is no name of a node"),
        ({"name": 5}, "nodes[0].name"),
        ({"name": "a", "count": 0}, "nodes[0].count"),
        ({"name": "a", "count": 1.5}, "nodes[0].count"),
        ({"name": "a", "size": 3}, "size"),
        ({"name": "a", "devices": {}}, "nodes[0].devices"),
        ({"name": "a", "devices": [{"vendor": "fake"}]}, "model"),
        ({"name": "a", "devices": [{**DEVICE, "count": -1}]}, "nodes[0].devices[0].count"),
        ({"name": "a", "devices": [{**DEVICE, "numa": -2}]}, "nodes[0].devices[0].numa"),
        ({"name": "a", "devices": [{**DEVICE, "memory": "1Gi"}]}, "nodes[0].devices[0].memory"),
        ({"name": "a", "devices": [{**DEVICE, "memory": 2**70}]}, "nodes[0].devices[0].memory"),
        ({"name": "a", "devices": [{**DEVICE, "memory": 0}]}, "nodes[0].devices[0].memory: 0 is no size"),
        ({"name": "a", "devices": [DEVICE, {**DEVICE, "mode": "odd"}]}, "nodes[0].devices[1].mode: 'odd' is no mode"),
        (
            {"name": "a", "devices": [{**DEVICE, "vendor": "acme"}]},
            "nodes[0].devices[0].vendor: 'acme' is no installed vendor (installed: fake, other)",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_place(node: dict[str, Any], says: str) -> None:
    """File, field, and what is wrong, in one line."""
    with pytest.raises(InvalidConfiguration) as caught:
        _read(node)
    assert str(caught.value).startswith("cluster.yaml: ")
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("document", [None, {}, {"nodes": []}, {"nodes": None}, [], "nodes", {"node": []}, {1: 2}])
def test_a_file_without_nodes_is_refused(document: Any) -> None:
    """An empty file would place nothing and give no reason for it."""
    with pytest.raises(InvalidConfiguration, match=r"^cluster\.yaml: "):
        inventory(document, FILE, VENDORS)


@pytest.mark.parametrize(
    "nodes", [({"name": "a"}, {"name": "a"}), ({"name": "a", "count": 2}, {"name": "a-1"})], ids=["twice", "numbered"]
)
def test_two_nodes_of_one_name_are_refused(nodes: tuple[dict[str, Any], ...]) -> None:
    """What is placed on one would be charged to the other."""
    with pytest.raises(InvalidConfiguration, match="is the name of 2 nodes"):
        _read(*nodes)


def test_a_slip_of_the_keyboard_does_not_take_the_memory_of_this_machine() -> None:
    """A count of counts is bounded before anything is made of it."""
    with pytest.raises(InvalidConfiguration, match=f"describe at most {MOST}"):
        _read({"name": "a", "count": 1000, "devices": [{**DEVICE, "count": 1000}]})


def test_the_file_of_a_machine_is_told_from_that_of_a_cluster() -> None:
    """They lie side by side among the examples; the sentence says what each is for."""
    with pytest.raises(InvalidConfiguration) as caught:
        inventory({"name": "desk", "cards": []}, FILE, VENDORS)
    assert str(caught.value) == (
        "cluster.yaml: cards is no key of a cluster; it has nodes (the file of a machine is for 'hetero sim run')"
    )


def test_without_vendors_the_sentence_says_so() -> None:
    """The cluster file is right; what is missing is a package."""
    with pytest.raises(InvalidConfiguration, match=r"installed: none"):
        inventory({"nodes": [{"name": "a", "devices": [DEVICE]}]}, FILE, {})


@given(data=st.data())
def test_a_malformed_cluster_gives_a_sentence_and_nothing_else(
    mutated: Callable[[Any], st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    """One place of a good file holds any value of YAML: an inventory, or the one typed error."""
    good = {"nodes": [{"name": "a", "count": 2, "devices": [{**DEVICE, "count": 2, "numa": 0, "mode": ""}]}]}
    try:
        outcome = f"cluster.yaml: {inventory(data.draw(mutated(good)), FILE, VENDORS).nodes[0].name}"
    except InvalidConfiguration as error:
        outcome = str(error)
    assert outcome.startswith("cluster.yaml: ")
