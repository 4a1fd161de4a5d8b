"""Precedence on one machine: slices that come, go, change and damage their regions, and who sees to it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from hetero.enforcement import layout, pulse, region
from hetero.enforcement.limits import limits_of
from hetero.enforcement.slices import LocalSlice
from hetero.model import wire
from hetero.model.allocation import Grant, Slice
from hetero.model.device import Device
from hetero.model.share import Share
from hetero.monitoring import arena
from hetero.monitoring import watcher as module
from hetero.monitoring.contender import LIVES_NS, PERIOD_NS, YIELD_NS
from hetero.monitoring.watcher import REST, Watcher
from hetero.testing.fake import fake_device


class Store:
    """Slices of a runtime directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def make(self, name: str, priority: int | None, *devices: str) -> Path:
        """A slice of devices, and its region."""
        directory = self.directory / "slices" / name
        directory.mkdir(parents=True, exist_ok=True)
        share = Share(quantities={"memory": 0, "cores": 0})
        grants = tuple(Grant(device=_device(uuid), share=share) for uuid in devices or ("chip",))
        held = Slice(
            id=name, grants=grants, directory=str(directory), region=str(directory / "region"), priority=priority
        )
        region.create(directory / "region", limits_of(held))
        partial = directory / "partial"
        partial.write_text(wire.encode(LocalSlice(vendor="fake", held=held, command=(), created_ns=0)))
        partial.rename(directory / "slice.json")
        return directory / "region"


def _device(uuid: str) -> Device:
    return msgspec.structs.replace(fake_device(), uuid=uuid)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Nothing yet."""
    return Store(tmp_path)


Watch = Callable[..., Watcher]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Makes watchers, which end with the test."""
    made: list[Watcher] = []

    def make(precedence: str = "conserve") -> Watcher:
        made.append(Watcher(tmp_path, lambda data: wire.decode(data, LocalSlice).held, precedence))
        return made[-1]

    yield make
    for one in made:
        one.close()


def run(path: Path, position: int = 0) -> None:
    """The slice launches something now, and for most of a second."""
    _put(path, "wanted_ns", time.monotonic_ns() + 900_000_000, position)


def _put(path: Path, name: str, value: int, position: int = 0) -> None:
    field = layout.DEVICE.fields[name]
    with path.open("r+b") as file:
        file.seek(layout.DEVICE.start + position * layout.DEVICE.size + field.offset)
        file.write(value.to_bytes(field.size, "little"))


def held(path: Path, position: int = 0) -> bool:
    """True when the slice makes way at the moment, as its programs see it."""
    percent, until_ns = told(path, position)
    now_ns = arena.time.monotonic_ns()
    return percent == 1 and now_ns < until_ns <= now_ns + YIELD_NS


def told(path: Path, position: int = 0) -> tuple[int, int]:
    """What the slice is held to, and until when."""
    data = path.read_bytes()
    percent, until_ns = (layout.DEVICE.get(data, name, position) for name in ("yield_percent", "yield_until_ns"))
    return percent, until_ns


def asked(path: Path) -> int:
    """How often the slice's programs were asked whether they launch."""
    return int.from_bytes(path.read_bytes()[48:52], "little") // pulse._STEP


def test_the_lower_priority_makes_way_while_the_higher_one_runs(store: Store, watch: Watch) -> None:
    """And is free again as soon as it does not; its programs are told of both."""
    first, second = store.make("first", 0), store.make("second", None)
    looker = watch()
    run(first)
    run(second)
    assert looker.look() == PERIOD_NS / 1e9
    assert held(second)
    assert not held(first)
    assert (looker.yields, asked(second)) == (1, 1)
    _put(first, "wanted_ns", 1)
    looker.close()
    assert not held(second)
    assert asked(second) == 2


def test_those_who_go_before_others_are_asked_until_they_answer(store: Store, watch: Watch) -> None:
    """Once: the question stands. Then anew; the last ones never, since nobody makes way for them."""
    first, second = store.make("first", 0), store.make("second", 1)
    looker = watch()
    for answers in range(3):
        for _ in range(2):
            looker.look()
            assert (asked(first), asked(second)) == (1 + answers, 0)
        _put(first, "wanted_ns", 1 + answers)


class Program:
    """One that launches all the time, and tells so whenever it is asked, as the native library has it."""

    def __init__(self, path: Path) -> None:
        self.path, self.seen, self.runs = path, asked(path), True

    def launch(self, now_ns: int) -> None:
        """Go on."""
        if self.runs and asked(self.path) != self.seen:
            self.seen = asked(self.path)
            _put(self.path, "wanted_ns", now_ns)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time of looks, in ns."""
    now = [time.monotonic_ns()]
    monkeypatch.setattr(arena.time, "monotonic_ns", lambda: now[0])
    return now


def test_while_one_of_several_equals_runs_the_others_are_not_asked(
    store: Store, watch: Watch, clock: list[int]
) -> None:
    """One of them is enough for those behind to make way."""
    programs = [Program(store.make(name, 0)) for name in ("a", "b", "c")]
    last = store.make("last", 1)
    looker = watch()
    for _ in range(40):
        looker.look()
        clock[0] += PERIOD_NS
        for one in programs:
            one.launch(clock[0])
    assert held(last)
    assert sum(asked(one.path) for one in programs) < 50


@pytest.mark.parametrize("late_ns", range(0, PERIOD_NS, PERIOD_NS // 10))
def test_whoever_makes_way_does_so_while_equals_take_turns(
    store: Store, watch: Watch, clock: list[int], late_ns: int
) -> None:
    """One ends and its equal goes on: nobody behind them gets the device in between, whenever in a period it ended."""
    ends, stays = Program(store.make("a", 0)), Program(store.make("b", 0))
    last = store.make("last", 1)
    looker = watch()
    for turn in range(60):
        looker.look()
        assert turn < 2 or looker.yields == 1
        for one in (ends, stays):
            one.launch(clock[0] + late_ns)
        ends.runs = turn < 30
        clock[0] += PERIOD_NS
    assert held(last)


def test_what_was_counted_long_before_is_no_launch_now(store: Store, watch: Watch, clock: list[int]) -> None:
    """A slice that nobody had to look at meanwhile: what it did then keeps nobody away now."""
    first, second, third = store.make("first", 0), store.make("second", 1), store.make("third", 2)
    looker = watch()
    looker.look()
    for _ in range(10):
        clock[0] += PERIOD_NS
        _put(first, "wanted_ns", clock[0])
        looker.look()
    _put(second, "launches", 99)
    clock[0] += 4 * PERIOD_NS
    looker.look()
    assert not held(third)
    _put(second, "launches", 100)
    clock[0] += PERIOD_NS
    looker.look()
    assert looker.yields == 1


def test_what_is_yielded_is_renewed_before_it_ends(store: Store, watch: Watch, clock: list[int]) -> None:
    """Not at each look, but well before."""
    first, second = store.make("first", 0), store.make("second", 1)
    looker = watch()
    ends = []
    for _ in range(2 * YIELD_NS // PERIOD_NS):
        _put(first, "wanted_ns", clock[0])
        looker.look()
        ends.append(told(second)[1] - clock[0])
        clock[0] += PERIOD_NS
    assert len(set(ends)) > 1
    assert min(ends) >= 2 * PERIOD_NS
    assert max(ends) == YIELD_NS


@pytest.mark.parametrize("name", ["yield_percent", "yield_until_ns"])
def test_what_a_program_writes_over_is_there_again(store: Store, watch: Watch, clock: list[int], name: str) -> None:
    """Within a second, for as long as it has to make way."""
    first, second = store.make("first", 0), store.make("second", 1)
    looker = watch()
    for look in range(24):
        _put(first, "wanted_ns", clock[0])
        looker.look()
        clock[0] += PERIOD_NS
        if look == 4:
            _put(second, name, 0)
            assert not held(second)
    assert held(second)


def test_only_slices_of_one_device_make_way_for_each_other(store: Store, watch: Watch) -> None:
    """A slice of two devices does on the one that it shares, whatever its position there."""
    first, second = store.make("first", 0, "one"), store.make("second", 1, "two", "one")
    third = store.make("third", 1, "three")
    looker = watch()
    run(first)
    looker.look()
    assert held(second, 1)
    assert not held(second, 0)
    assert not held(third)


def test_equals_are_left_alone(store: Store, watch: Watch) -> None:
    """Nobody looks at them, nor takes the lead for them: 1 is what slices have that say nothing."""
    first, second = store.make("first", 1), store.make("second", None)
    looker = watch()
    run(first)
    assert looker.look() == REST
    assert looker.looks == 0
    assert (asked(first), asked(second)) == (0, 0)
    assert not (store.directory / "precedence.lock").exists()


def test_a_slice_that_comes_or_changes_counts_from_the_next_refresh(store: Store, watch: Watch) -> None:
    """By its record: what its programs write into the region changes nothing."""
    first, second = store.make("first", 1), store.make("second", 1)
    looker = watch()
    _put(first, "priority", 0)
    run(first)
    looker.look()
    assert not held(second)
    store.make("first", 0)
    looker.refresh()
    looker.look()
    assert held(second)
    store.make("first", 1)
    looker.refresh()
    assert looker.look() == REST
    assert not held(second)
    assert looker.slices == 2


def test_a_region_that_is_replaced_is_the_one_looked_at(store: Store, watch: Watch) -> None:
    """The old one is let go of, whoever may still have it mounted."""
    first, second = store.make("first", 0), store.make("second", 1)
    looker = watch()
    run(first)
    looker.look()
    old = second.rename(second.with_name("old"))
    store.make("second", 1)
    looker.refresh()
    run(first)
    looker.look()
    assert held(second)
    assert not held(old)


def settle(store: Store) -> None:
    """All slices were made long ago."""
    for directory in (store.directory / "slices").iterdir():
        os.utime(directory, ns=(0, 0))


@pytest.mark.usefixtures("clock")  # nothing ends while the test waits for a processor
@pytest.mark.parametrize("change", ["record", "region", "gone", "new"])
def test_what_changes_in_a_directory_that_had_settled_is_seen(store: Store, watch: Watch, change: str) -> None:
    """Though no more than its time is looked at: files in it are replaced, and never written over."""
    first, second = store.make("first", 0), store.make("second", 1)
    settle(store)
    looker = watch()
    for _ in range(2):
        run(first)
        looker.refresh()
        looker.look()
    assert held(second)
    if change == "region":
        second.rename(second.with_name("old"))
    elif change == "gone":
        (first.parent / "slice.json").unlink()
    store.make(*{"new": ("third", 2), "record": ("first", 1)}.get(change, ("second", 1)))
    run(first)
    looker.refresh()
    looker.look()
    assert held(second) == (change in ("region", "new"))
    assert looker.yields == {"region": 1, "new": 2}.get(change, 0)


@pytest.mark.usefixtures("clock")
def test_where_everything_has_settled_nothing_is_read_again(
    store: Store, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither records nor regions, once all regions are open; before that, they are tried again each time."""
    first, second = store.make("first", 0), store.make("second", 1)
    second.rename(second.with_name("away"))
    settle(store)
    looker = watch()
    tries: list[object] = []
    know = module.Arena.know
    monkeypatch.setattr(module.Arena, "know", lambda *words: tries.append(words) or know(*words))
    for times in range(1, 3):
        looker.refresh()
        looker.look()
        assert len(tries) == times
    second.with_name("away").rename(second)
    settle(store)
    for _ in range(3):
        run(first)
        looker.refresh()
        looker.look()
    assert len(tries) == 3
    assert held(second)


def test_a_slice_that_is_gone_is_closed(store: Store, watch: Watch) -> None:
    """With all descriptors; who made way for it is free."""
    first, second = store.make("first", 0), store.make("second", 1)
    looker = watch()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 — names are enough
    run(first)
    looker.look()
    for path in (first.parent / "slice.json", first):
        path.unlink()
    looker.refresh()
    assert looker.look() == REST
    assert not held(second)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "record"])
def test_a_damaged_slice_stops_nobody(store: Store, watch: Watch, damage: str) -> None:
    """It goes before nobody; the others are seen to as before."""
    first, second, third = store.make("first", 0), store.make("second", 1), store.make("third", 2)
    looker = watch()
    looker.look()
    damaged = {"cut": (first, layout.DEVICE.start), "empty": (first, 0)}.get(damage)
    if damaged:
        os.truncate(*damaged)
    elif damage == "garbage":
        first.write_bytes(b"\xff" * layout.SIZE)
    else:
        (first.parent / "slice.json").write_text("{")
    run(second)
    for _ in range(2):
        looker.refresh()
        assert looker.look() == PERIOD_NS / 1e9
    assert held(third)
    assert damage == "garbage" or not held(second)  # new numbers look like launches, once


def test_strict_precedence_asks_who_lives(store: Store, watch: Watch, clock: list[int]) -> None:
    """Not who launches: a process that rests is enough, and programs are not asked."""
    first, second = store.make("first", 0), store.make("second", 1)
    looker = watch("strict")
    run(first)
    looker.look()
    assert not held(second)
    with first.open("r+b") as file:
        file.seek(52)
        file.write((1).to_bytes(4, "little"))
        file.seek(layout.SLOT.start)
        file.write((77).to_bytes(4, "little"))
        file.seek(layout.SLOT.start + 64)
        file.write((1).to_bytes(4, "little"))
    for _ in range(4):
        clock[0] += PERIOD_NS
        looker.look()
    assert held(second)
    assert asked(first) == 0
    os.truncate(first, layout.DEVICE.start)
    clock[0] += LIVES_NS
    looker.look()
    assert not held(second)


def test_one_leads_and_the_next_takes_over(store: Store, watch: Watch) -> None:
    """By a file lock, as soon as the first ends."""
    first, _ = store.make("first", 0), store.make("second", 1)
    leader, other = watch(), watch()
    run(first)
    leader.look()
    assert other.look() == REST
    leader.close()
    other.refresh()
    assert other.look() == PERIOD_NS / 1e9
    assert (leader.looks, other.looks) == (1, 1)


def test_a_look_never_raises(store: Store, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks is somebody's agent or somebody's launcher."""
    store.make("first", 0)
    store.make("second", 1)

    def defect(*_: object) -> None:
        raise ValueError("a defect")

    looker = watch()
    monkeypatch.setattr(module.Arena, "look", defect)
    assert looker.look() == REST


def test_without_slices_there_is_nothing_to_do(watch: Watch) -> None:
    """Not even a directory."""
    looker = watch()
    assert looker.look() == REST
    assert looker.slices == 0
