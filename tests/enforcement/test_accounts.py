"""The light reading of a region's compute accounts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hetero.enforcement import accounts, layout, region
from hetero.enforcement.limits import DeviceLimit, Limits
from hetero.errors import RegionError

TWO = Limits(
    slice_id="s",
    devices=(DeviceLimit(uuid="a", cores=30, policy="conserve", priority=0), DeviceLimit(uuid="b", memory=1)),
)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A region with two devices."""
    region.create(tmp_path / "region", TWO)
    return tmp_path / "region"


def _put(path: Path, name: str, value: bytes, position: int = 0) -> None:
    record = layout.DEVICE
    with path.open("r+b") as file:
        file.seek(record.start + position * record.size + record.fields[name].offset)
        file.write(value)


def test_both_readings_say_the_same(made: Path) -> None:
    """Of each device, what the whole reading says of it."""
    _put(made, "busy_ns", (7).to_bytes(8, "little"), 1)
    region.change(made, 0, lent=region.Loan(percent=40, until_ns=time.monotonic_ns() + 10**10))
    light, whole = accounts.read(made), region.read(made).devices
    assert [one.position for one in light] == [0, 1]
    for name in ("uuid", "core_limit", "policy", "priority", "busy_ns", "throttled_ns", "lent"):
        assert [getattr(one, name) for one in light] == [getattr(one, name) for one in whole], name
    assert [one.lent for one in light] == [40, 0]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.lists(st.tuples(st.integers(0, layout.SLOT.start), st.binary(min_size=1, max_size=80)), max_size=6),
    cut=st.none() | st.integers(0, layout.SLOT.start),
)
def test_whatever_programs_write_is_read_or_refused(
    tmp_path: Path, damage: list[tuple[int, bytes]], cut: int | None
) -> None:
    """Accounts, or the one error; and never others than those of the whole reading."""
    path = tmp_path / "region"
    path.unlink(missing_ok=True)
    region.create(path, TWO)
    with path.open("r+b") as file:
        for place, wrong in damage:
            file.seek(place)
            file.write(wrong)
        file.truncate(layout.SIZE if cut is None else cut)
    try:
        light = accounts.read(str(path))
        whole = region.read(path).devices
    except RegionError:
        return
    assert [(one.uuid, one.busy_ns, one.policy) for one in light] == [
        (one.uuid, one.busy_ns, one.policy) for one in whole if one.uuid
    ]


def test_the_budget_may_be_negative(made: Path) -> None:
    """That is how an account says that more was drawn than there was."""
    _put(made, "budget_ns", (-5).to_bytes(8, "little", signed=True))
    assert accounts.read(made)[0].budget_ns == -5


@pytest.mark.parametrize("name", ["wanted_ns", "refilled_ns"])
def test_a_wish_is_seen_by_a_draw_or_by_a_refill(made: Path, name: str) -> None:
    """Whoever waits for long only refills."""
    _put(made, name, (99).to_bytes(8, "little"), 1)
    assert [one.seen_ns for one in accounts.read(made)] == [0, 99]


def test_a_loan_that_has_expired_is_none(made: Path) -> None:
    """As the native runtime reads it."""
    region.change(made, 0, lent=region.Loan(percent=40, until_ns=time.monotonic_ns() - 1))
    assert accounts.read(made)[0].lent == 0


def test_a_device_that_the_region_does_not_name_is_left_out(tmp_path: Path) -> None:
    """Positions are kept: the second device stays the second."""
    region.create(tmp_path / "region", Limits(slice_id="", devices=(DeviceLimit(uuid=""), DeviceLimit(uuid="b"))))
    assert [(one.position, one.uuid) for one in accounts.read(tmp_path / "region")] == [(1, "b")]


def test_what_is_no_region_is_refused(tmp_path: Path, made: Path) -> None:
    """Missing, short, of other contents, of another version."""
    with pytest.raises(RegionError, match="cannot be read"):
        accounts.read(tmp_path / "none")
    (tmp_path / "short").write_bytes(made.read_bytes()[:100])
    (tmp_path / "other").write_bytes(b"x" * layout.SIZE)
    for name in ("short", "other"):
        with pytest.raises(RegionError, match="is no region"):
            accounts.read(tmp_path / name)
    data = bytearray(made.read_bytes())
    data[8] = 9
    made.write_bytes(data)
    with pytest.raises(RegionError, match="is of version 9"):
        accounts.read(made)


@pytest.mark.parametrize(("percent", "later_s", "held_to"), [(1, 10, 1), (1, -1, 0), (100, 10, 0), (2**32 - 1, 10, 0)])
def test_who_makes_way_is_held_to_it_until_then(made: Path, percent: int, later_s: int, held_to: int) -> None:
    """What has run out, or is no limit, holds nobody to anything."""
    _put(made, "yield_percent", percent.to_bytes(4, "little"))
    _put(made, "yield_until_ns", (time.monotonic_ns() + later_s * 10**9).to_bytes(8, "little"))
    assert [one.held_to for one in accounts.read(made)] == [held_to, 0]
