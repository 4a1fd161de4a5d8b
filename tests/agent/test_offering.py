"""A plugin for each resource, with as many slots as its devices have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hetero.agent.offering import Offering
from hetero.allocation.held import Held, Slot
from hetero.errors import WireError
from hetero.model.device import Health
from hetero.testing.fake import fake_device, fake_vendor

VENDORS = {name: fake_vendor(name) for name in ("fake", "other")}
ILL = Health(ok=False, reason="too hot")


class Plugin:
    """Remembers what it was told."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.registered = False
        self.said: list[str] = []

    def offer(self, slots: Sequence[Slot]) -> None:
        self.slots = {slot.id: slot.healthy for slot in slots}
        self.said.append(f"offer {sum(self.slots.values())}/{len(slots)}")

    def start(self) -> None:
        self.said.append("start")

    def stop(self) -> None:
        self.said.append("stop")


class Made:
    """An offering, its plugins, and who holds what."""

    def __init__(self) -> None:
        self.plugins: dict[str, Plugin] = {}
        self.held: list[Held] | None = []
        self.offering = Offering(VENDORS, self._make, self._held)

    def _make(self, resource: str) -> Any:
        self.plugins[resource] = Plugin(resource)
        return self.plugins[resource]

    def _held(self) -> list[Held]:
        if self.held is None:
            raise WireError("no checkpoint")
        return self.held


@pytest.fixture
def made() -> Made:
    """Nothing offered yet."""
    return Made()


def test_each_resource_has_a_plugin_that_offers_before_it_starts(made: Made) -> None:
    """An empty list in between would let the kubelet refuse pods for good."""
    made.offering.offer([fake_device(0), fake_device(1), fake_device(0, vendor="other")])
    assert {name: plugin.said for name, plugin in made.plugins.items()} == {
        "fake.example/npu": ["offer 20/20", "start"],
        "other.example/npu": ["offer 10/10", "start"],
    }
    assert len(made.offering) == 2


def test_slots_of_a_device_that_is_not_well_are_withdrawn(made: Made) -> None:
    """Those that nobody holds first: a pod that runs is not shown as failing."""
    made.held = [Held(pod_uid="u", container="c", resource="fake.example/npu", ids=("slot-0019",), cdi_names=())]
    made.offering.offer([fake_device(0), fake_device(1, health=ILL)])
    [plugin] = made.plugins.values()
    assert plugin.said[0] == "offer 10/20"
    assert plugin.slots["slot-0019"]


def test_where_the_checkpoint_cannot_be_read_any_slot_may_go(made: Made) -> None:
    """The number is right, and that is what the kubelet counts."""
    made.held = None
    made.offering.offer([fake_device(0), fake_device(1, health=ILL)])
    assert made.plugins["fake.example/npu"].said[0] == "offer 10/20"


def test_a_resource_whose_devices_are_gone_is_offered_with_none(made: Made) -> None:
    """Its plugin stays: pods that hold its slots may still be asked about."""
    made.offering.offer([fake_device(0)])
    made.offering.offer([])
    made.offering.offer([fake_device(0)])
    assert made.plugins["fake.example/npu"].said == ["offer 10/10", "start", "offer 0/0", "offer 10/10"]


def test_what_the_kubelet_does_not_follow_is_told(made: Made) -> None:
    """For who waits until the node is ready."""
    made.offering.offer([fake_device(0), fake_device(0, vendor="other")])
    made.plugins["fake.example/npu"].registered = True
    assert made.offering.unregistered() == ["other.example/npu"]


def test_stopped_it_may_begin_again(made: Made) -> None:
    """With plugins that are new: on a runtime that was replaced by one that serves."""
    made.offering.offer([fake_device(0)])
    first = made.plugins["fake.example/npu"]
    made.offering.stop()
    made.offering.stop()
    assert first.said[-1] == "stop"
    assert first.said.count("stop") == 1
    made.offering.offer([fake_device(0)])
    assert made.plugins["fake.example/npu"] is not first


def test_a_node_without_devices_has_no_plugin(made: Made) -> None:
    """And nobody is asked who holds what."""
    made.held = None
    made.offering.offer([])
    assert made.plugins == {}
