"""What the shares of a slice come to as limits: bytes and percent, device by device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.enforcement.limits import DeviceLimit, Limits, limits_of
from hetero.model.allocation import Grant, Slice
from hetero.model.device import Device, DeviceModel, Quantities
from hetero.model.quantity import MIB
from hetero.model.share import Share
from hetero.testing.fake import fake_device

AMOUNTS = st.integers(min_value=0, max_value=1 << 24)


def _slice(*grants: tuple[Device, Quantities]) -> Slice:
    made = tuple(Grant(device=device, share=Share(quantities=amounts)) for device, amounts in grants)
    return Slice(id="slice-1", grants=made, directory="/nowhere")


def _limit(device: Device, amounts: Quantities) -> DeviceLimit:
    [limit] = limits_of(_slice((device, amounts))).devices
    return limit


def test_mebibytes_become_bytes_and_percent_stay() -> None:
    """A share is in MiB and percent; a region is in bytes and percent."""
    assert _limit(fake_device(memory=16384), {"slots": 1, "memory": 2048, "cores": 30}) == DeviceLimit(
        uuid="fake-0", memory=2048 * MIB, cores=30, physical=16384 * MIB
    )


def test_devices_stay_in_the_order_of_the_slice() -> None:
    """A program's device 0 is the first grant, whatever its number on the machine."""
    limits = limits_of(_slice((fake_device(3), {"memory": 1}), (fake_device(0), {"memory": 2})))
    assert limits.slice_id == "slice-1"
    assert [(one.uuid, one.memory // MIB) for one in limits.devices] == [("fake-3", 1), ("fake-0", 2)]


@pytest.mark.parametrize("amounts", [{}, {"slots": 1}, {"memory": 0, "cores": 0}])
def test_a_share_without_memory_and_compute_limits_neither(amounts: Quantities) -> None:
    """0 is the region's word for no limit."""
    limit = _limit(fake_device(), amounts)
    assert (limit.memory, limit.cores) == (0, 0)


def test_a_share_is_never_more_than_the_device_has() -> None:
    """A device that came back smaller after a restart cannot give what it has not."""
    assert _limit(fake_device(memory=1024), {"memory": 4096}).memory == 1024 * MIB


def test_a_device_of_unknown_memory_takes_the_share_at_its_word() -> None:
    """Unknown is 0, and must not turn the limit into none."""
    device = Device(uuid="x", index=0, model=DeviceModel(vendor="fake", name="F1", capacity={"slots": 4}))
    limit = _limit(device, {"memory": 512})
    assert (limit.memory, limit.physical) == (512 * MIB, 0)


@given(memory=AMOUNTS, asked=AMOUNTS, cores=st.integers(0, 100))
def test_a_share_with_memory_always_has_a_limit(memory: int, asked: int, cores: int) -> None:
    """Whatever the numbers: asked memory is limited, to no more than was asked and no more than there is."""
    model = DeviceModel(vendor="fake", name="F1", capacity={"memory": memory})
    limit = _limit(Device(uuid="x", index=0, model=model), {"memory": asked, "cores": cores})
    assert (limit.memory > 0) == (asked > 0)
    assert limit.memory <= asked * MIB
    assert limit.memory <= limit.physical or not limit.physical
    assert (limit.cores, limit.physical) == (cores, memory * MIB)


def test_limits_are_equal_when_they_say_the_same() -> None:
    """Records: compared by what they say, and without a limit unless one is given."""
    assert DeviceLimit(uuid="x") == DeviceLimit(uuid="x", memory=0, cores=0, physical=0)
    assert Limits(slice_id="a", devices=()) != Limits(slice_id="b", devices=())
