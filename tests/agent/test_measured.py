"""A container can write any number into its region: what is shown of it is possible, and true where the region is."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.agent import measured
from hetero.agent.measured import Drawn, Given
from hetero.agent.records import PodSlice
from hetero.enforcement.reading import DeviceUse
from hetero.model.allocation import Grant, Slice
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.quantity import MIB
from hetero.model.share import Share
from hetero.testing.fake import MEMORY_MIB, fake_device

SECOND = 10**9
U64, U32 = st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 32) - 1)


def record(*shares: dict[str, int], priority: int | None = 0) -> PodSlice:
    """The slice of a container with a share of each device, or of one."""
    given_ = shares or ({SLOTS: 1, MEMORY: 2048, CORES: 30},)
    grants = tuple(Grant(device=fake_device(index), share=Share(quantities=one)) for index, one in enumerate(given_))
    held = Slice(id="fake-1", grants=grants, directory="/x", region="/y", priority=priority, policy="conserve")
    return PodSlice(vendor="fake", held=held, pod_uid="7f1c", namespace="lab", pod="train", container="main")


def use(**figures: Any) -> DeviceUse:
    """A device of a region that nothing has happened on, but for what is said."""
    nothing = DeviceUse(
        uuid="x", memory_limit=0, memory_used=0, core_limit=0, busy_ns=0, throttled_ns=0, launches=0, refused=0
    )
    return msgspec.structs.replace(nothing, **figures)


ANY_USE = st.builds(
    DeviceUse,
    uuid=st.text(max_size=4),
    memory_limit=U64,
    memory_used=U64,
    core_limit=U32,
    busy_ns=U64,
    throttled_ns=U64,
    launches=U64,
    refused=U64,
    lent=U32,
    unmeasured=U64,
    exhausted=U64,
    yielding=st.booleans(),
    context=U64,
    module=U64,
)


def test_a_slice_is_what_its_record_says() -> None:
    """Names, limits, priority and policy are root's words; the region's are the container's own."""
    [one] = measured.given(record())
    report = one.report
    assert (report.id, report.namespace, report.pod, report.pod_uid) == ("fake-1", "lab", "train", "7f1c")
    assert (report.container, report.vendor, report.device, report.position) == ("main", "fake", "fake-0", 0)
    assert (report.memory_limit, report.compute_limit) == (2048 * MIB, 0.3)
    assert (report.priority, report.policy) == (0, "conserve")
    assert (one.ceiling, one.memory, one.slots) == (MEMORY_MIB * MIB, 2048 * MIB, 1)
    lying = use(memory_limit=1, core_limit=99, priority=7, policy="cap")
    assert measured.used(one, lying, Drawn(at=1, busy=0, throttled=0), 1).compute_limit == 0.3


def test_each_device_of_a_slice_has_its_own_position() -> None:
    """Also where the same amounts are given of several; without a limit there is none."""
    found = list(measured.given(record({SLOTS: 1}, {SLOTS: 2, MEMORY: 1, CORES: 100}, priority=None)))
    assert [(one.report.device, one.report.position) for one in found] == [("fake-0", 0), ("fake-1", 1)]
    assert [(one.report.memory_limit, one.report.compute_limit, one.slots) for one in found] == [
        (0, 0.0, 1),
        (MIB, 1.0, 2),
    ]
    assert {one.report.priority for one in found} == {1}


def test_what_is_used_is_shown_in_base_units() -> None:
    """Bytes, seconds and ratios; of memory by kind the rest is data."""
    [one] = measured.given(record())
    before = Drawn(at=10.0, busy=1.0, throttled=0.0)
    said = use(
        memory_used=300, context=100, module=50, busy_ns=2 * SECOND, throttled_ns=SECOND, lent=20, yielding=True,
        launches=5, unmeasured=1, refused=2, exhausted=3,
    )  # fmt: skip
    found = measured.used(one, said, measured.drawn(said, 14.0, before, 10.0), 2)
    assert (found.memory_used, found.memory_context, found.memory_module) == (300, 100, 50)
    assert (found.compute_used, found.compute_lent, found.yielding) == (0.25, 0.2, True)
    assert (found.busy_seconds, found.throttled_seconds, found.processes) == (2.0, 1.0, 2)
    assert (found.launches, found.unmeasured, found.refused, found.exhausted) == (5, 1, 2, 3)


def test_kinds_of_memory_are_known_where_it_is_limited() -> None:
    """The runtime measures them only there: 0 would say that there are no contexts."""
    [one] = measured.given(record({SLOTS: 1}))
    found = measured.used(one, use(memory_used=5), Drawn(at=1, busy=0, throttled=0), 1)
    assert (found.memory_used, found.memory_context, found.memory_module) == (5, None, None)


@settings(max_examples=60)
@given(ANY_USE, st.lists(ANY_USE, max_size=3), st.sampled_from([{}, {SLOTS: 1}, {SLOTS: 1, MEMORY: 64, CORES: 30}]))
def test_whatever_a_region_says_is_shown_as_what_can_be(
    first: DeviceUse, more: list[DeviceUse], share: dict[str, int]
) -> None:
    """No figure is negative, no number, or more than the device has; no counter grows faster than time passes."""
    [one] = measured.given(record({SLOTS: 1, **share}))
    shown, now = measured.drawn(first, 5.0, None, None), 5.0
    for said in (first, *more):
        before, now = shown, now + 2.0
        shown = measured.drawn(said, now, before, now - 2.0)
        found = measured.used(one, said, shown, 1)
        _check_possible(found, one)
        grown = shown.busy - before.busy if shown.busy >= before.busy else shown.busy
        assert -1e-9 <= grown <= 2.0 + 1e-6


def _check_possible(found: Any, one: Given) -> None:
    figures = [value for value in msgspec.structs.asdict(found).values() if isinstance(value, int | float)]
    assert all(value >= 0 and math.isfinite(value) for value in figures)
    assert found.memory_used <= one.ceiling
    assert (found.memory_context or 0) + (found.memory_module or 0) <= found.memory_used
    assert found.compute_used is None or found.compute_used <= 1.0
    assert found.compute_limit + found.compute_lent <= 1.0 + 1e-9
    assert max(found.launches, found.refused, found.exhausted, found.unmeasured) <= 1 << 53


@given(st.lists(st.integers(0, SECOND), min_size=1, max_size=6))
def test_true_figures_are_shown_as_they_are(steps: list[int]) -> None:
    """A program that works at most all of the time is shown to the nanosecond, at each reading."""
    busy, shown, now = 0, measured.drawn(use(), 100.0, None, None), 100.0
    for step in steps:
        busy, now = busy + step, now + 1.0
        shown = measured.drawn(use(busy_ns=busy), now, shown, now - 1.0)
        assert shown.busy == pytest.approx(busy / SECOND)
        assert shown.ratio == pytest.approx(step / SECOND, abs=1e-9)


def test_after_a_restart_of_the_agent_counters_go_on() -> None:
    """They are the region's: the first reading shows what was used since the slice was made, and no ratio yet."""
    found = measured.drawn(use(busy_ns=40 * SECOND, throttled_ns=7 * SECOND), 100.0, None, None)
    assert (found.busy, found.throttled, found.ratio) == (40.0, 7.0, None)


def test_of_a_slice_that_was_not_there_a_moment_ago_all_is_new() -> None:
    """So its share is known at its first reading."""
    assert measured.drawn(use(busy_ns=SECOND), 14.0, None, 10.0).ratio == 0.25


def test_a_container_that_was_started_again_begins_anew() -> None:
    """Its region is another one; a counter that falls is what Prometheus takes for that."""
    found = measured.drawn(use(busy_ns=SECOND // 2), 12.0, Drawn(at=10.0, busy=40.0, throttled=3.0), 10.0)
    assert (found.busy, found.throttled, found.ratio) == (0.5, 0.0, 0.25)


def test_two_readings_of_one_moment_have_no_ratio() -> None:
    """Nothing is divided by nothing."""
    assert measured.drawn(use(busy_ns=SECOND), 10.0, Drawn(at=10.0, busy=0, throttled=0), 10.0).ratio is None
