"""What the shares of a slice come to as limits: bytes and percent, device by device."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hetero.enforcement import layout, limits
from hetero.enforcement.limits import DeviceLimit, Limits, limits_of
from hetero.errors import RegionError
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


@pytest.mark.parametrize(("asked", "held"), [(None, 1), (0, 0), (7, 7), (100, 100), (1 << 40, 100)])
def test_a_priority_beyond_the_lowest_is_the_lowest(asked: int | None, held: int) -> None:
    """A pod may name any number; who names none is in between. The policy is that of the slice, on all its devices."""
    two = _slice((fake_device(0), {"slots": 1}), (fake_device(1), {"slots": 1}))
    asking = replace(two, priority=asked, policy="conserve")
    assert [(one.priority, one.policy) for one in limits_of(asking).devices] == [(held, "conserve")] * 2


def test_limits_are_equal_when_they_say_the_same() -> None:
    """Records: compared by what they say, and without a limit unless one is given."""
    assert DeviceLimit(uuid="x") == DeviceLimit(uuid="x", memory=0, cores=0, physical=0)
    assert Limits(slice_id="a", devices=()) != Limits(slice_id="b", devices=())


# The limits file

SHOWLIMITS = Path(__file__).parents[2] / "build/native/tests/showlimits"

TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=63).filter(
    lambda text: text == text.strip() and len(text.encode()) < 64
)
SAID = st.builds(
    DeviceLimit,
    uuid=TEXT,
    memory=st.integers(0, (1 << 40)),
    cores=st.integers(0, 100),
    policy=st.sampled_from(layout.POLICIES),
    priority=st.integers(0, 100),
    oversubscribe=st.booleans(),
)


def _shown(path: Path) -> list[str]:
    """What the native runtime makes of a limits file of this user."""
    answer = subprocess.run([SHOWLIMITS, path], capture_output=True, check=True, timeout=600)
    return answer.stdout.decode().split("\n")


def _as_shown(one: DeviceLimit) -> str:
    policy = layout.POLICIES.index(one.policy)
    return f"{one.memory} {one.cores} {policy} {one.priority} {int(one.oversubscribe)} {one.uuid}"


@pytest.mark.native
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(said=st.builds(Limits, slice_id=TEXT, devices=st.lists(SAID, max_size=layout.DEVICES).map(tuple)))
def test_what_is_written_here_is_what_the_runtime_reads(tmp_path: Path, said: Limits) -> None:
    """Every limit of every device, whatever the names are made of; what is not said is no limit."""
    limits.write(tmp_path / "limits", said, tmp_path / "region")
    first, second, *devices = _shown(tmp_path / "limits")
    assert (first, second) == (f"slice {said.slice_id}", f"region {tmp_path / 'region'}")
    unsaid = [DeviceLimit(uuid="")] * (layout.DEVICES - len(said.devices))
    assert devices == [*map(_as_shown, (*said.devices, *unsaid)), ""]


def test_a_limits_file_is_for_its_owner_alone_to_write(tmp_path: Path) -> None:
    """The runtime refuses any other; an earlier file is replaced, and nothing else is left behind."""
    path = tmp_path / "limits"
    before = os.umask(0)
    try:
        limits.write(path, Limits(slice_id="a", devices=()))
        limits.write(path, Limits(slice_id="b", devices=()))
    finally:
        os.umask(before)
    assert "slice = b" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("said", "region", "says"),
    [
        (Limits(slice_id="a\nmemory = 0", devices=()), None, "is no text"),
        (Limits(slice_id=" a", devices=()), None, "is no text"),
        (Limits(slice_id="a" * 64, devices=()), None, "63 bytes"),
        (Limits(slice_id="a", devices=()), Path("region"), "no absolute path"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x"),) * 17), None, "at most 16"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x\r"),)), None, "is no text"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", memory=-1),)), None, "is no size"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", cores=101),)), None, "0 to 100"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", priority=101),)), None, "0 to 100"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", policy="best"),)), None, "none of cap, conserve"),
    ],
)
def test_what_the_runtime_would_read_otherwise_is_not_written(
    tmp_path: Path, said: Limits, region: Path | None, says: str
) -> None:
    """A name with a line break could say a limit of its own."""
    with pytest.raises(RegionError, match=says):
        limits.write(tmp_path / "limits", said, region)
    assert list(tmp_path.iterdir()) == []


def test_a_limits_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The sentence names the file and the system's reason."""
    with pytest.raises(RegionError, match="cannot be written: No such file"):
        limits.write(tmp_path / "missing" / "limits", Limits(slice_id="a", devices=()))
