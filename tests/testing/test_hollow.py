"""Hollow nodes: an inventory that the scheduler reads, and totals that kube-scheduler counts."""

from __future__ import annotations

from hetero.model import wire
from hetero.model.annotations import INVENTORY
from hetero.model.device import Node
from hetero.testing.fake import fake_device, fake_vendor
from hetero.testing.hollow import hollow_node

VENDORS = {name: fake_vendor(name) for name in ("fake", "other")}
MIXED = Node(name="desk", devices=(fake_device(0), fake_device(1), fake_device(2, vendor="other", memory=4096)))


def test_a_node_carries_its_inventory_and_its_totals() -> None:
    """The annotation is the record itself; capacity and allocatable agree; labels and spec are the caller's."""
    made = hollow_node(MIXED, VENDORS, labels={"zone": "a"}, unschedulable=True)
    assert wire.decode(made["metadata"]["annotations"][INVENTORY], Node) == MIXED
    assert made["metadata"]["labels"] == {"kubernetes.io/hostname": "desk", "zone": "a"}
    assert made["spec"] == {"unschedulable": True}
    assert made["status"]["capacity"] == made["status"]["allocatable"]
    assert made["status"]["capacity"]["fake.example/npumem"] == "32768"
    assert made["status"]["capacity"]["pods"] == "250"
