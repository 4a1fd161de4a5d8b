"""What passes for a device and for a sample: what a driver can mean, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.device import CORES, MEMORY, SLOTS, Device, Health, Link, LinkKind, Process, Sample
from hetero.testing import fake_device, fake_devices
from hetero.testing.fake import FakeSplitting
from hetero.testing.sound import MOST_MEMORY_MIB, device_faults, sample_faults

SPLITTING = FakeSplitting("fake")
HUGE = msgspec.structs.replace(fake_device().model, capacity={SLOTS: 10, MEMORY: 1 << 40, CORES: 100})
ODD = msgspec.structs.replace(fake_device().model, capacity={SLOTS: 99, MEMORY: 16384, CORES: 100})
MODELESS = msgspec.structs.replace(fake_device().model, mode="none such")
NAMELESS = msgspec.structs.replace(fake_device().model, name="\x00\x01")


def faults(*devices: Device) -> list[str]:
    """Of these devices."""
    return list(device_faults(devices, SPLITTING))


def test_devices_of_a_sound_driver_pass() -> None:
    """Also ill ones, of which not all is known, and those with links to each other."""
    assert faults(*fake_devices(3)) == []
    assert faults(fake_device(health=Health(ok=False, reason="lost")), fake_device(1)) == []
    linked = [
        msgspec.structs.replace(one, links=(Link(peer=f"fake-{1 - one.index}", kind=LinkKind.SWITCH),))
        for one in fake_devices(2)
    ]
    assert faults(*linked) == []
    unknown = msgspec.structs.replace(fake_device(health=Health(ok=False, reason="garbled")), model=NAMELESS)
    assert faults(unknown) == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"uuid": ""}, "its identity is no word"),
        ({"uuid": "card\x07"}, "its identity is no word"),
        ({"uuid": "card\ufffd"}, "its identity is no word"),
        ({"index": 3}, "indices are no places in the list"),
        ({"numa": -2}, "there is no NUMA node -2"),
        ({"numa": 1 << 31}, "there is no NUMA node 2147483648"),
        ({"health": Health(ok=False)}, "but not both and not neither"),
        ({"health": Health(ok=True, reason="fine")}, "but not both and not neither"),
        ({"health": Health(ok=False, reason="a\nb")}, "the reason cannot be read"),
        ({"links": (Link(peer="fake-7", kind=LinkKind.DIRECT),)}, "links to no other device of this node: ['fake-7']"),
        ({"links": (Link(peer="fake-0", kind=LinkKind.DIRECT),)}, "links to no other device of this node: ['fake-0']"),
        ({"paths": ["/dev/fake0"]}, "another one after it was stored"),
        ({"model": HUGE}, "it has 1099511627776 MiB"),
        ({"model": ODD}, "splitting describes its model as"),
        ({"model": MODELESS}, "splitting does not know its model: mode: 'none such'"),
        ({"model": NAMELESS}, "its model has no name"),
    ],
)
def test_nonsense_about_a_device_is_told(fields: dict[str, Any], says: str) -> None:
    """In one sentence that names it."""
    [fault] = faults(msgspec.structs.replace(fake_device(), **fields))
    assert says in fault


def test_two_devices_are_two() -> None:
    """An identity that is read for two of them is of none."""
    twice = faults(fake_device(0), msgspec.structs.replace(fake_device(1), uuid="fake-0"))
    assert twice == ["two devices have one identity: ['fake-0', 'fake-0']"]


@given(
    st.builds(
        Sample,
        uuid=st.just("fake-0"),
        memory_used=st.integers(0, MOST_MEMORY_MIB),
        utilization=st.integers(-1, 100),
        temperature=st.none() | st.integers(-100, 250),
        power=st.none() | st.floats(0, 10_000),
        processes=st.lists(
            st.builds(
                Process, pid=st.integers(0, 1 << 22), memory=st.integers(-1, 1 << 20), utilization=st.integers(-1, 100)
            ),
            max_size=3,
        ).map(tuple),
    )
)
def test_whatever_a_device_can_do_passes(sample: Sample) -> None:
    """Idle, busy, cold, hot, and used by processes of which little is known."""
    assert list(sample_faults([sample])) == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"memory_used": -1}, "-1 MiB are in use"),
        ({"memory_used": MOST_MEMORY_MIB + 1}, "MiB are in use"),
        ({"utilization": 101}, "busy to 101 percent"),
        ({"temperature": 65535}, "at 65535 degrees"),
        ({"power": -1.0}, "takes -1.0 W"),
        ({"power": math.nan}, "takes nan W"),
        ({"health": Health(ok=False)}, "but not both and not neither"),
        ({"processes": (Process(pid=-1),)}, "a process cannot be"),
        ({"processes": (Process(pid=1, memory=-2),)}, "a process cannot be"),
        ({"processes": (Process(pid=1, utilization=-2),)}, "busy to -2 percent"),
    ],
)
def test_nonsense_about_what_a_device_does_is_told(fields: dict[str, Any], says: str) -> None:
    """In one sentence that names it."""
    [fault] = sample_faults([msgspec.structs.replace(Sample(uuid="fake-0", memory_used=0), **fields)])
    assert says in fault
