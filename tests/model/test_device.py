"""Devices: the words under which amounts are stored, what a reader may conclude from a default, and equality."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hetero.model import wire
from hetero.model.device import (
    CORES,
    MEMORY,
    SLOTS,
    Device,
    DeviceModel,
    Health,
    Inventory,
    Link,
    LinkKind,
    Node,
    Process,
    Sample,
)

MODEL = DeviceModel(vendor="acme", name="Acme A1", capacity={SLOTS: 4, MEMORY: 8192, CORES: 100})
DEVICE = Device(uuid="acme-0", index=0, model=MODEL)


def test_amounts_are_stored_under_these_words() -> None:
    """Annotations of running pods have them: another word would lose what those pods hold."""
    assert (SLOTS, MEMORY, CORES) == ("slots", "memory", "cores")


def test_links_come_from_nearest_to_farthest() -> None:
    """Their order is what a vendor ranks by, and their words are what a stored inventory has."""
    assert [*LinkKind] == ["direct", "switch", "board", "bridge", "numa", "system"]


def test_what_is_not_known_is_told_apart_from_nothing() -> None:
    """-1 stands for "does not say", so that 0 can stand for 0."""
    assert (DEVICE.numa, Sample(uuid="acme-0", memory_used=0).utilization) == (-1, -1)
    assert (Process(pid=1).memory, Process(pid=1).utilization) == (-1, -1)


def test_a_plain_device_is_usable_and_alone() -> None:
    """A device of which nothing else is said: healthy, without links, files or a place on the bus."""
    assert DEVICE.health == Health(ok=True, reason="")
    assert (DEVICE.links, DEVICE.paths, DEVICE.bus) == ((), (), "")
    assert (MODEL.family, MODEL.mode) == ("", "")
    assert Link(peer="acme-1", kind=LinkKind.SYSTEM).lanes == 0
    assert (Node(name="n").devices, Inventory().nodes) == ((), ())


@pytest.mark.parametrize(
    "other",
    [
        {"vendor": "other"},
        {"name": "acme a1"},
        {"capacity": {SLOTS: 4, MEMORY: 8191, CORES: 100}},
        {"capacity": {SLOTS: 4, MEMORY: 8192}},
        {"family": "small"},
        {"mode": "split"},
    ],
    ids=str,
)
def test_models_differ_by_all_that_splitting_sees(other: dict[str, object]) -> None:
    """What is decided for one model holds for equal ones only; names are compared exactly."""
    assert replace(MODEL, **other) != MODEL
    assert replace(MODEL) == MODEL


@given(st.permutations([SLOTS, MEMORY, CORES]))
def test_the_order_of_quantities_is_no_part_of_a_model(order: list[str]) -> None:
    """Two drivers' ways of filling the same capacity are one model and one stored text."""
    turned = replace(MODEL, capacity={name: MODEL.capacity[name] for name in order})
    assert turned == MODEL
    assert wire.encode(turned) == wire.encode(MODEL)


def test_a_device_is_stored_so() -> None:
    """Fields of version 1 are never renamed or removed: this text was written by releases that are out there."""
    text = (
        '{"device":{"uuid":"acme-0","index":2,"model":{"vendor":"acme","name":"Acme A1",'
        '"capacity":{"cores":100,"memory":8192,"slots":4},"family":"small","mode":"split"},"numa":1,'
        '"links":[{"peer":"acme-1","kind":"direct","lanes":2}],"health":{"ok":false,"reason":"too hot"},'
        '"paths":["/dev/acme0"],"bus":"0000:3b:00.0"},"v":1}'
    )
    device = Device(
        uuid="acme-0",
        index=2,
        model=replace(MODEL, family="small", mode="split"),
        numa=1,
        links=(Link(peer="acme-1", kind=LinkKind.DIRECT, lanes=2),),
        health=Health(ok=False, reason="too hot"),
        paths=("/dev/acme0",),
        bus="0000:3b:00.0",
    )
    assert wire.decode(text, Device) == device
    assert wire.encode(device) == text


def test_a_sample_is_stored_so() -> None:
    """The same for what a device does, with its processes."""
    text = (
        '{"sample":{"uuid":"acme-0","memory_used":512,"utilization":7,"health":{"ok":true,"reason":""},'
        '"processes":[{"pid":42,"memory":512,"utilization":-1}],"temperature":null,"power":null},"v":1}'
    )
    sample = Sample(uuid="acme-0", memory_used=512, utilization=7, processes=(Process(pid=42, memory=512),))
    assert wire.decode(text, Sample) == sample
    assert wire.encode(sample) == text


def test_an_inventory_is_stored_so() -> None:
    """Nodes in their order, each with its devices in the driver's."""
    inventory = Inventory(nodes=(Node(name="b"), Node(name="a", devices=(DEVICE,))))
    read = wire.decode(wire.encode(inventory), Inventory)
    assert [node.name for node in read.nodes] == ["b", "a"]
    assert read.nodes[1].devices == (DEVICE,)
