"""Who uses what: two readings of the regions become rows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hetero.enforcement import region
from hetero.enforcement.limits import limits_of
from hetero.enforcement.reading import DeviceUse, ProcessUse, RegionState
from hetero.enforcement.slices import LocalSlice
from hetero.model.allocation import Grant, Slice
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.quantity import MIB
from hetero.model.share import Share
from hetero.monitoring.usage import ProcessRow, Reading, SliceRow, allocated, readings, rows
from hetero.testing.fake import fake_device

SECOND = 10**9


@pytest.fixture(autouse=True)
def everybody_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process ids in literals are nobody's."""
    monkeypatch.setattr(region, "alive", lambda process: process.pid > 0)


def _slice(name: str = "s", *shares: dict[str, int], path: str = "", vendor: str = "fake") -> LocalSlice:
    """A slice with a grant of each share, on the devices in order; 2 GiB and 30 percent when none is given."""
    grants = tuple(
        Grant(device=fake_device(index), share=Share(quantities=share))
        for index, share in enumerate(shares or ({SLOTS: 1, MEMORY: 2048, CORES: 30},))
    )
    held = Slice(id=name, grants=grants, directory="/nowhere", region=path)
    return LocalSlice(vendor=vendor, held=held, command=("python", "train.py"), created_ns=0)


def _device(memory: int = 0, busy: float = 0, refused: int = 0) -> DeviceUse:
    """A device with so many bytes in use and so many seconds of work done."""
    return DeviceUse(
        uuid="fake-0",
        memory_limit=2048 * MIB,
        memory_used=memory,
        core_limit=30,
        busy_ns=round(busy * SECOND),
        throttled_ns=0,
        launches=0,
        refused=refused,
    )


def _process(pid: int, memory: int = 0, busy: float = 0, name: str = "python") -> ProcessUse:
    return ProcessUse(pid=pid, name=name, memory=(memory,), busy_ns=(round(busy * SECOND),))


def _state(at: float, device: DeviceUse, *processes: ProcessUse) -> RegionState:
    """What a region says ``at`` a second."""
    return RegionState(slice_id="s", read_ns=round(at * SECOND), devices=(device,), processes=processes)


def _rows(before: RegionState | None, after: RegionState | None) -> list[SliceRow]:
    held = _slice()
    return rows([Reading(slice=held, state=before)], [Reading(slice=held, state=after)])


def test_a_row_has_what_the_slice_is_and_uses() -> None:
    """Everything that ``top`` shows, from literals: rows are pure."""
    before = _state(10, _device(MIB, busy=1), _process(7, MIB, busy=1))
    after = _state(12, _device(512 * MIB, busy=1.5, refused=3), _process(7, 512 * MIB, busy=1.5))
    assert _rows(before, after) == [
        SliceRow(
            id="s",
            vendor="fake",
            device="fake-0",
            command=("python", "train.py"),
            memory_limit=2048,
            memory_used=512,
            compute_limit=30,
            compute_used=25.0,
            refused=3,
            processes=(ProcessRow(pid=7, name="python", memory=512, compute=25.0),),
        )
    ]


def test_the_same_readings_give_the_same_rows() -> None:
    """Nothing is kept between two calls, and nothing is changed."""
    before, after = _state(0, _device(), _process(7)), _state(1, _device(busy=0.5), _process(7, busy=0.5))
    assert _rows(before, after) == _rows(before, after)


@given(
    start=st.floats(0, 1e6),
    seconds=st.floats(0.01, 100),
    done=st.floats(0, 1e6),
    share=st.floats(0, 1),
)
def test_compute_is_the_share_of_the_time_between_the_readings(
    start: float, seconds: float, done: float, share: float
) -> None:
    """Whenever the first reading was, and whatever was used before it."""
    [row] = _rows(_state(start, _device(busy=done)), _state(start + seconds, _device(busy=done + share * seconds)))
    assert row.compute_used == pytest.approx(100 * share, abs=0.01)


def test_the_first_reading_knows_no_compute() -> None:
    """A share needs two readings: unknown is -1, not 0."""
    after = _state(1, _device(MIB, busy=1), _process(7, MIB, busy=1))
    [row] = rows([], [Reading(slice=_slice(), state=after)])
    assert (row.memory_used, row.compute_used) == (1, -1.0)
    assert [one.compute for one in row.processes] == [-1.0]


@pytest.mark.parametrize("later", [5.0, 4.0])
def test_readings_at_one_moment_know_no_compute(later: float) -> None:
    """No time has passed, or the clock is of another machine: nothing is divided by it."""
    [row] = _rows(_state(5, _device()), _state(later, _device(busy=1)))
    assert row.compute_used == -1.0


def test_a_slice_that_was_made_anew_shows_no_negative_use() -> None:
    """Its counter begins at 0 again; a share below 0 would be nonsense."""
    [row] = _rows(_state(0, _device(busy=50), _process(7, busy=50)), _state(1, _device(busy=1), _process(7, busy=1)))
    assert row.compute_used == 0.0
    assert row.processes[0].compute == 0.0


def test_a_process_that_came_between_counts_from_its_start() -> None:
    """All that it used was used since the first reading."""
    [row] = _rows(_state(0, _device()), _state(2, _device(busy=1), _process(9, busy=1)))
    assert row.processes[0].compute == 50.0


def test_processes_are_sorted_by_id() -> None:
    """Slots are taken in no order; a table that jumps cannot be read."""
    processes = [_process(pid) for pid in (30, 4, 200, 11)]
    [row] = _rows(None, _state(1, _device(), *processes))
    assert [one.pid for one in row.processes] == [4, 11, 30, 200]


def test_dead_processes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot of a process that was killed is swept by the next one that needs room; until then it is not shown."""
    monkeypatch.setattr(region, "alive", lambda process: process.pid != 5)
    [row] = _rows(None, _state(1, _device(), _process(5), _process(6)))
    assert [one.pid for one in row.processes] == [6]


@pytest.mark.parametrize(("used", "shown"), [(0, 0), (1, 1), (MIB - 1, 1), (MIB, 1), (MIB + 1, 2), (2048 * MIB, 2048)])
def test_memory_is_rounded_up_to_whole_mib(used: int, shown: int) -> None:
    """What is in use is never shown as nothing."""
    [row] = _rows(None, _state(1, _device(used), _process(7, used)))
    assert (row.memory_used, row.processes[0].memory) == (shown, shown)


def test_without_a_region_use_is_unknown_and_the_limits_are_shown() -> None:
    """Unknown is -1: the vendor keeps no region, or it cannot be read."""
    [row] = _rows(None, None)
    assert (row.memory_used, row.compute_used, row.processes) == (-1, -1.0, ())
    assert (row.memory_limit, row.compute_limit, row.refused) == (2048, 30, 0)


def test_a_region_that_was_unreadable_before_knows_memory_but_no_compute() -> None:
    """One good reading is enough for what is a level, not for what is a rate."""
    [row] = _rows(None, _state(1, _device(3 * MIB, busy=1)))
    assert (row.memory_used, row.compute_used) == (3, -1.0)


def test_a_region_that_became_unreadable_is_unknown() -> None:
    """Old figures are not shown as new ones."""
    [row] = _rows(_state(1, _device(3 * MIB)), None)
    assert (row.memory_used, row.compute_used) == (-1, -1.0)


def _two() -> tuple[LocalSlice, RegionState, RegionState]:
    held = _slice("s", {SLOTS: 1, MEMORY: 100}, {SLOTS: 1, MEMORY: 200, CORES: 50})
    first = _state(0, _device())
    process = ProcessUse(pid=7, name="x", memory=(MIB, 2 * MIB), busy_ns=(0, SECOND // 2))
    after = replace(_state(1, _device(MIB)), devices=(_device(MIB), _device(2 * MIB, busy=0.5)), processes=(process,))
    before = replace(
        first, devices=(_device(), _device()), processes=(replace(process, memory=(0, 0), busy_ns=(0, 0)),)
    )
    return held, before, after


def test_each_device_of_a_slice_is_a_row() -> None:
    """Limits hold for each device; figures are never those of its neighbour."""
    held, before, after = _two()
    found = rows([Reading(slice=held, state=before)], [Reading(slice=held, state=after)])
    assert [(row.device, row.memory_limit, row.memory_used) for row in found] == [
        ("fake-0", 100, 1),
        ("fake-1", 200, 2),
    ]
    assert [(row.compute_limit, row.compute_used) for row in found] == [(0, 0.0), (50, 50.0)]
    assert [[(one.memory, one.compute) for one in row.processes] for row in found] == [[(1, 0.0)], [(2, 50.0)]]


def test_a_region_with_fewer_devices_than_the_slice_leaves_the_rest_unknown() -> None:
    """A damaged file must not stop the table."""
    held, before, after = _two()
    short = replace(after, devices=after.devices[:1], processes=())
    found = rows([Reading(slice=held, state=before)], [Reading(slice=held, state=short)])
    assert [row.memory_used for row in found] == [1, -1]


def test_rows_are_of_the_slices_that_are_there_now() -> None:
    """One that ended vanishes, one that began appears, and each is compared with itself only."""
    old, kept, new = _slice("old"), _slice("kept"), _slice("new")
    before = [
        Reading(slice=old, state=_state(0, _device(busy=9))),
        Reading(slice=kept, state=_state(0, _device(busy=1))),
    ]
    after = [
        Reading(slice=kept, state=_state(1, _device(busy=1.1))),
        Reading(slice=new, state=_state(1, _device(busy=1))),
    ]
    assert [(row.id, row.compute_used) for row in rows(before, after)] == [("kept", pytest.approx(10)), ("new", -1.0)]


def test_allocated_sums_what_is_sliced_off_of_each_device() -> None:
    """In every dimension, and how many slices there are."""
    one = _slice("a", {SLOTS: 1, MEMORY: 1024, CORES: 30})
    two = _slice("b", {SLOTS: 1, MEMORY: 512, "rings": 2}, {SLOTS: 10, MEMORY: 16384, CORES: 100})
    assert allocated([one, two]) == {
        "fake-0": {"slices": 2, SLOTS: 2, MEMORY: 1536, CORES: 30, "rings": 2},
        "fake-1": {"slices": 1, SLOTS: 10, MEMORY: 16384, CORES: 100},
    }


def test_without_slices_nothing_is_allocated() -> None:
    """Devices that nobody uses are not named."""
    assert allocated([]) == {}


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_allocated_is_the_same_in_any_order(amounts: list[int]) -> None:
    """A sum, however the slices are listed."""
    slices = [_slice(str(index), {SLOTS: 1, MEMORY: amount}) for index, amount in enumerate(amounts)]
    assert allocated(slices) == allocated(reversed(slices))
    assert allocated(slices).get("fake-0", {}).get(MEMORY, 0) == sum(amounts)


def test_readings_read_the_regions_that_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A region that cannot be read is logged and unknown; a slice without one is unknown and no matter for the log."""
    path = tmp_path / "region"
    held = _slice("good", path=str(path))
    region.create(path, limits_of(held.held))
    missing = _slice("missing", path=str(tmp_path / "nowhere"))
    good, none, bad = readings([held, _slice("none"), missing])
    assert good.state is not None
    assert (good.state.slice_id, good.state.devices[0].memory_limit) == ("good", 2048 * MIB)
    assert (none.state, bad.state) == (None, None)
    [line] = [line for line in "".join(capsys.readouterr()).splitlines() if "region unreadable" in line]
    assert "slice=missing" in line


def test_this_process_is_alive_and_no_process_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows ask the system who lives: this process does, and an id of 0 is nobody."""
    monkeypatch.undo()
    [row] = _rows(None, _state(1, _device(), _process(os.getpid()), _process(0)))
    assert [one.pid for one in row.processes] == [os.getpid()]
