"""Hollow nodes: an inventory that the scheduler reads, and totals that kube-scheduler counts."""

from __future__ import annotations

from hetero.model import wire
from hetero.model.annotations import INVENTORY
from hetero.model.device import Node
from hetero.testing.fake import fake_device, fake_vendor
from hetero.testing.hollow import hollow_node, totals

VENDORS = {name: fake_vendor(name) for name in ("fake", "other")}
MIXED = Node(name="desk", devices=(fake_device(0), fake_device(1), fake_device(2, vendor="other", memory=4096)))


def test_totals_are_sums_by_the_names_of_each_vendor() -> None:
    """Slots, MiB and percent over all devices of a family."""
    assert totals(MIXED, VENDORS) == {
        "fake.example/npu": "20",
        "fake.example/npumem": "32768",
        "fake.example/npucores": "200",
        "other.example/npu": "10",
        "other.example/npumem": "4096",
        "other.example/npucores": "100",
    }


def test_a_node_carries_its_inventory_and_its_totals() -> None:
    """The annotation is the record itself; capacity and allocatable agree; labels and spec are the caller's."""
    made = hollow_node(MIXED, VENDORS, labels={"zone": "a"}, unschedulable=True)
    assert wire.decode(made["metadata"]["annotations"][INVENTORY], Node) == MIXED
    assert made["metadata"]["labels"] == {"kubernetes.io/hostname": "desk", "zone": "a"}
    assert made["spec"] == {"unschedulable": True}
    assert made["status"]["capacity"] == made["status"]["allocatable"]
    assert made["status"]["capacity"]["fake.example/npumem"] == "32768"
    assert made["status"]["capacity"]["pods"] == "250"


def test_a_machine_without_devices_has_no_totals() -> None:
    """A resource of amount 0 would say that the node once had it."""
    assert totals(Node(name="bare"), VENDORS) == {}
