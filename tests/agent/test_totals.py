"""Totals: what kube-scheduler and quotas see of a node's devices."""

from __future__ import annotations

from hetero.agent.totals import amounts, totals
from hetero.model.device import Health, Node
from hetero.testing.fake import fake_device, fake_vendor

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


def test_a_machine_without_devices_has_no_totals() -> None:
    """A resource of amount 0 would say that the node once had it."""
    assert totals(Node(name="bare"), VENDORS) == {}


def test_amounts_leave_out_what_the_kubelet_counts() -> None:
    """The count of devices is the device plugin's, and nobody else may write it."""
    assert amounts(MIXED.devices, VENDORS) == {
        "fake.example/npumem": 32768,
        "fake.example/npucores": 200,
        "other.example/npumem": 4096,
        "other.example/npucores": 100,
    }


def test_a_device_that_is_not_well_has_nothing_to_give() -> None:
    """Its amounts go; the name stays, with 0 where it was the last one."""
    ill = fake_device(0, health=Health(ok=False, reason="fell off the bus"))
    assert amounts([ill, fake_device(1, memory=1000)], VENDORS) == {
        "fake.example/npumem": 1000,
        "fake.example/npucores": 100,
    }
    assert amounts([ill], VENDORS) == {"fake.example/npumem": 0, "fake.example/npucores": 0}


def test_devices_of_a_vendor_that_is_not_installed_have_no_names() -> None:
    """A slice may remember a device whose package is gone."""
    assert totals(MIXED, {}) == {}
    assert amounts(MIXED.devices, {}) == {}
