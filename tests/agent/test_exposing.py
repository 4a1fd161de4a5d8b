"""From a reading to samples: each figure in its family, under the labels of its device or slice."""

from __future__ import annotations

import msgspec
import pytest

from hetero import metrics
from hetero.agent import exposing
from hetero.instruments import Family
from hetero.monitoring.report import DeviceReport, NodeReport, SliceReport

DEVICE = DeviceReport(uuid="fake-0", vendor="fake", model="Fake F1", index=3, memory_capacity=100, slots=10)
SLICE = SliceReport(id="x", vendor="fake", device="fake-0", position=1, namespace="lab", pod="train", container="main")
FULL = msgspec.structs.replace(
    SLICE, memory_limit=50, memory_used=30, memory_context=10, memory_module=5, compute_limit=0.3, compute_used=0.2,
    compute_lent=0.1, yielding=True, busy_seconds=4.5, throttled_seconds=1.5, launches=7, unmeasured=1, refused=2,
    exhausted=3, processes=2,
)  # fmt: skip
OF_DEVICE = 'node="desk",vendor="fake",device="fake-0",model="Fake F1"'
OF_SLICE = 'node="desk",namespace="lab",pod="train",container="main",vendor="fake",device="fake-0",position="1"'


def lines(*parts: DeviceReport | SliceReport, ages: dict[str, float] | None = None) -> set[str]:
    """All samples of families that a report comes to."""
    report = NodeReport(
        node="desk",
        time=0.0,
        devices=tuple(one for one in parts if isinstance(one, DeviceReport)),
        slices=tuple(one for one in parts if isinstance(one, SliceReport)),
    )
    found = exposing.samples(report, ages or {})
    families = [one for one in metrics.of("agent") if isinstance(one, Family)]
    return {line for family in families for line in found.lines(family)}


def test_a_device_has_what_is_known_of_it() -> None:
    """No sample, no use; what another program gives out has nothing given out here."""
    assert lines(DEVICE) == {
        f'hetero_device_info{{{OF_DEVICE},index="3"}} 1',
        f"hetero_device_healthy{{{OF_DEVICE}}} 1",
        f"hetero_device_memory_capacity_bytes{{{OF_DEVICE}}} 100",
        f"hetero_device_slots_capacity{{{OF_DEVICE}}} 10",
    }


def test_every_figure_of_a_device_has_its_family() -> None:
    """With its value as it is."""
    full = msgspec.structs.replace(
        DEVICE, healthy=False, memory_used=40, utilization=0.5, temperature=61, power=72.5, memory_allocated=50,
        compute_allocated=0.3, slots_allocated=1,
    )  # fmt: skip
    assert lines(full) - lines(DEVICE) == {
        f"hetero_device_healthy{{{OF_DEVICE}}} 0",
        f"hetero_device_memory_used_bytes{{{OF_DEVICE}}} 40",
        f"hetero_device_utilization_ratio{{{OF_DEVICE}}} 0.5",
        f"hetero_device_temperature_celsius{{{OF_DEVICE}}} 61",
        f"hetero_device_power_watts{{{OF_DEVICE}}} 72.5",
        f"hetero_device_memory_allocated_bytes{{{OF_DEVICE}}} 50",
        f"hetero_device_compute_allocated_ratio{{{OF_DEVICE}}} 0.3",
        f"hetero_device_slots_allocated{{{OF_DEVICE}}} 1",
    }


def test_a_slice_without_a_region_has_its_limits_alone() -> None:
    """And where there is no limit, not even that: what is not known has no series."""
    assert lines(SLICE) == {f'hetero_slice_info{{{OF_SLICE},priority="1",policy="cap"}} 1'}
    limited = msgspec.structs.replace(SLICE, memory_limit=50, compute_limit=0.3)
    assert lines(limited) - lines(SLICE) == {
        f"hetero_slice_memory_limit_bytes{{{OF_SLICE}}} 50",
        f"hetero_slice_compute_limit_ratio{{{OF_SLICE}}} 0.3",
    }


def test_every_figure_of_a_slice_has_its_family() -> None:
    """Counters are counters; memory by kind comes to what is used."""
    assert lines(FULL) == lines(msgspec.structs.replace(SLICE, memory_limit=50, compute_limit=0.3)) | {
        f"hetero_slice_memory_used_bytes{{{OF_SLICE}}} 30",
        f'hetero_slice_memory_bytes{{{OF_SLICE},kind="context"}} 10',
        f'hetero_slice_memory_bytes{{{OF_SLICE},kind="module"}} 5',
        f'hetero_slice_memory_bytes{{{OF_SLICE},kind="data"}} 15',
        f"hetero_slice_compute_used_ratio{{{OF_SLICE}}} 0.2",
        f"hetero_slice_compute_lent_ratio{{{OF_SLICE}}} 0.1",
        f"hetero_slice_yielding{{{OF_SLICE}}} 1",
        f"hetero_slice_compute_seconds_total{{{OF_SLICE}}} 4.5",
        f"hetero_slice_throttled_seconds_total{{{OF_SLICE}}} 1.5",
        f"hetero_slice_launches_total{{{OF_SLICE}}} 7",
        f"hetero_slice_unmeasured_launches_total{{{OF_SLICE}}} 1",
        f"hetero_slice_refused_allocations_total{{{OF_SLICE}}} 2",
        f"hetero_slice_exhausted_allocations_total{{{OF_SLICE}}} 3",
        f"hetero_slice_processes{{{OF_SLICE}}} 2",
    }


def test_every_family_of_the_agent_is_filled() -> None:
    """One that is declared and never told would be a promise."""
    device = msgspec.structs.replace(
        DEVICE, memory_used=1, utilization=0.1, temperature=1, power=1.0, memory_allocated=1, compute_allocated=0.1,
        slots_allocated=1,
    )  # fmt: skip
    told = {line.split("{")[0] for line in lines(device, FULL, ages={"fake": 2.5})}
    assert told == {one.name for one in metrics.of("agent") if isinstance(one, Family)}


def test_of_two_slices_of_one_name_the_last_is_told() -> None:
    """Prometheus takes no series twice."""
    older, newer = (msgspec.structs.replace(FULL, id=name, launches=count) for name, count in (("a", 1), ("b", 2)))
    assert [line for line in lines(older, newer) if "launches_total{" in line and "unmeasured" not in line] == [
        f"hetero_slice_launches_total{{{OF_SLICE}}} 2"
    ]


@pytest.mark.parametrize("part", ["memory_used", "memory_context", "memory_module"])
def test_memory_by_kind_is_told_whole_or_not_at_all(part: str) -> None:
    """Parts of what is not known do not add up."""
    assert exposing.kinds(msgspec.structs.replace(FULL, **{part: None})) == {}
