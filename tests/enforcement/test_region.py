"""The region from Python: written whole or not at all, read without trust, and the same file that the runtime knows."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated import Machine, uuid

from hetero.enforcement import layout, region
from hetero.enforcement.limits import DeviceLimit, Limits
from hetero.enforcement.reading import ProcessUse
from hetero.enforcement.region import Loan
from hetero.errors import RegionError

GIB = 1 << 30
LIMITS = Limits(slice_id="slice-1", devices=(DeviceLimit(uuid="fake-0", memory=GIB, cores=30, physical=16 * GIB),))

BYTES = st.integers(0, (1 << 64) - 1)
NAMES = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=63).filter(
    lambda text: len(text.encode()) < 64
)
DEVICES = st.builds(
    DeviceLimit,
    uuid=NAMES.filter(bool),
    memory=BYTES,
    cores=st.integers(0, (1 << 32) - 1),
    physical=BYTES,
    policy=st.sampled_from(layout.POLICIES),
    priority=st.integers(0, (1 << 32) - 1),
)
ANY_LIMITS = st.builds(Limits, slice_id=NAMES, devices=st.lists(DEVICES, max_size=layout.DEVICES).map(tuple))

same_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a region will be."""
    return tmp_path / "region"


@pytest.fixture
def made(path: Path) -> Path:
    """A sound region."""
    region.create(path, LIMITS)
    return path


def _damage(path: Path, record: layout.Record, name: str, value: object, index: int = 0) -> None:
    data = bytearray(path.read_bytes())
    field = record.fields[name]
    struct.pack_into("<" + field.format, data, record.start + index * record.size + field.offset, value)
    path.write_bytes(data)


def _take(path: Path, slot: int) -> None:
    """A slot is taken, as the runtime does it: first it is one that was ever taken."""
    _damage(path, layout.REGION, "slots_used", slot + 1)
    _damage(path, layout.SLOT, "state", layout.TAKEN, slot)


# Creating


@same_directory
@given(limits=ANY_LIMITS)
def test_what_was_written_is_read(tmp_path: Path, limits: Limits) -> None:
    """Identity and limits of each device survive, in their order; nothing is in use and nobody is there."""
    path = tmp_path / "region"
    path.unlink(missing_ok=True)
    region.create(path, limits)
    state = region.read(path)
    assert state.slice_id == limits.slice_id
    assert [(one.uuid, one.memory_limit, one.core_limit, one.policy, one.priority) for one in state.devices] == [
        (one.uuid, one.memory, one.cores, one.policy, one.priority) for one in limits.devices
    ]
    assert not any(
        (one.memory_used, one.busy_ns, one.throttled_ns, one.launches, one.refused) != (0,) * 5 for one in state.devices
    )
    assert state.processes == ()


def test_the_physical_memory_is_written(made: Path) -> None:
    """The runtime needs it to tell a limit beyond the device."""
    field = layout.DEVICE.fields["physical_memory"]
    assert struct.unpack_from("<Q", made.read_bytes(), layout.DEVICE.start + field.offset) == (16 * GIB,)


def test_every_field_of_a_new_header_is_as_the_runtime_wants_it(made: Path) -> None:
    """A region is whole: magic, version, size and counts of this release, and ready."""
    data = made.read_bytes()
    header = {
        name: struct.unpack_from("<" + field.format, data, field.offset)[0]
        for name, field in layout.REGION.fields.items()
    }
    assert header.pop("created_ns") > 0
    assert header == {
        "magic": layout.MAGIC,
        "layout_version": layout.VERSION,
        "size": layout.SIZE,
        "device_count": layout.DEVICES,
        "slot_capacity": layout.SLOTS,
        "state": layout.READY,
        "flags": 0,  # the runtime makes its own mutexes
        "kernel": 0,
        "limits_changed": 0,
        "slots_used": 0,
        "slice_id": b"slice-1".ljust(64, b"\0"),
    }


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_region_is_the_owners_alone(path: Path, umask: int) -> None:
    """Whoever can write it can lift the limits, so the umask has no say."""
    before = os.umask(umask)
    try:
        region.create(path, LIMITS)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_region_that_is_there_is_left_as_it_is(made: Path) -> None:
    """Programs may be using it: asked again, e.g. after a restart, nothing changes and nothing fails."""
    before = made.read_bytes()
    region.create(made, Limits(slice_id="other", devices=(DeviceLimit(uuid="other"),)))
    assert made.read_bytes() == before


def test_nothing_but_the_region_is_left_behind(made: Path) -> None:
    """The half written file is gone, also when the region was there before."""
    region.create(made, LIMITS)
    assert [one.name for one in made.parent.iterdir()] == ["region"]


def test_what_a_dead_process_left_half_written_is_not_the_region(path: Path) -> None:
    """Process ids come again: a partial file of the same id must not be taken for a region that is there."""
    path.with_name(f"region.{os.getpid()}.partial").write_bytes(b"half")
    region.create(path, LIMITS)
    assert region.read(path).slice_id == "slice-1"


def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    """Somebody else's file is never written through a link."""
    target = tmp_path / "target"
    path.symlink_to(target)
    region.create(path, LIMITS)
    assert not target.exists()


def test_of_many_that_create_at_once_one_wins_whole(path: Path) -> None:
    """Each offers other limits; the file is one of the offers, not a mixture."""
    code = (
        "import sys; from pathlib import Path; from hetero.enforcement import region\n"
        "from hetero.enforcement.limits import DeviceLimit, Limits\n"
        "own = sys.argv[2]; sys.stdin.readline()\n"
        "devices = tuple(DeviceLimit(uuid=own, memory=int(own)) for _ in range(16))\n"
        "region.create(Path(sys.argv[1]), Limits(slice_id=own, devices=devices))\n"
    )
    makers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(own)], stdin=subprocess.PIPE, text=True)
        for own in range(1, 5)
    ]
    assert [(one.communicate("\n", timeout=600), one.returncode)[1] for one in makers] == [0] * 4
    state = region.read(path)
    assert {(one.uuid, str(one.memory_limit)) for one in state.devices} == {(state.slice_id, state.slice_id)}


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x"),) * 17), "at most 16 devices, not 17"),
        (Limits(slice_id="a" * 64, devices=()), "63 bytes"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x" * 64),)), "63 bytes"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="ä" * 32),)), "63 bytes"),
        (Limits(slice_id="a\0b", devices=()), r"'a\\x00b' is no text"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x\0"),)), r"'x\\x00' is no text"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="\udcff"),)), r"'\\udcff' is no text"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", memory=1 << 64),)), "memory 18446744073709551616 of x"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", memory=-1),)), "memory -1 of x"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", cores=1 << 32),)), "cores 4294967296 of x"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", physical=-1),)), "physical -1 of x"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", priority=-1),)), "priority -1 of x"),
        (Limits(slice_id="a", devices=(DeviceLimit(uuid="x", policy="best"),)), "policy 'best' of x"),
    ],
)
def test_limits_that_do_not_fit_are_refused(path: Path, limits: Limits, says: str) -> None:
    """Cut or wrapped round they would name another device or allow what was forbidden; no file is left."""
    with pytest.raises(RegionError, match=says):
        region.create(path, limits)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("place", ["missing/region", "file/region"])
def test_a_place_that_cannot_be_written_is_a_region_error(tmp_path: Path, place: str) -> None:
    """The sentence names the file and the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(RegionError, match="cannot be written: No") as caught:
        region.create(tmp_path / place, LIMITS)
    assert caught.value.path == str(tmp_path / place)


# Changing


def test_only_what_is_named_is_changed(made: Path) -> None:
    """Each limit by itself, and every change is counted, since programs look at the count alone."""
    field = layout.REGION.fields["limits_changed"]
    expected = {"memory_limit": GIB, "core_limit": 30, "policy": "cap", "priority": 1, "lent": 0, "yielding": False}
    steps: list[tuple[dict[str, object], dict[str, object]]] = [
        ({"memory": 5}, {"memory_limit": 5}),
        ({"cores": 60}, {"core_limit": 60}),
        ({"policy": "conserve"}, {"policy": "conserve"}),
        ({"priority": 0}, {"priority": 0}),
        ({"lent": Loan(percent=20, until_ns=1 << 63)}, {"lent": 20}),
        ({"yielding": Loan(percent=1, until_ns=1 << 63)}, {"yielding": True}),
        ({"yielding": Loan(percent=0, until_ns=0)}, {"yielding": False}),
        ({"memory": 0, "cores": 0}, {"memory_limit": 0, "core_limit": 0}),
    ]
    for count, (changes, comes) in enumerate(steps, start=1):
        region.change(made, 0, **changes)  # type: ignore[arg-type]
        expected |= comes
        [device] = region.read(made).devices
        assert {name: getattr(device, name) for name in expected} == expected
        assert struct.unpack_from("<I", made.read_bytes(), field.offset) == (count,)


@pytest.mark.parametrize(
    ("device", "changes", "says"),
    [
        (16, {"memory": 1}, "no device 16"),
        (-1, {"memory": 1}, "no device -1"),
        (0, {"memory": -1}, "memory -1"),
        (0, {"cores": 1 << 32}, "does not fit into 32 bits"),
        (0, {"policy": "best"}, "policy 'best'"),
        (0, {"lent": Loan(percent=101, until_ns=1)}, "is no loan"),
        (0, {"lent": Loan(percent=1, until_ns=-1)}, "is no loan"),
        (0, {"yielding": Loan(percent=101, until_ns=1)}, "is no loan"),
    ],
)
def test_a_change_that_does_not_fit_changes_nothing(
    made: Path, device: int, changes: dict[str, object], says: str
) -> None:
    """Half a change would be a limit that nobody asked for."""
    before = made.read_bytes()
    with pytest.raises(RegionError, match=says):
        region.change(made, device, **changes)  # type: ignore[arg-type]
    assert made.read_bytes() == before


def test_a_file_that_is_no_region_is_not_changed(path: Path) -> None:
    """Somebody's file is left as it is."""
    path.write_bytes(b"x" * layout.SIZE)
    with pytest.raises(RegionError, match="is no region"):
        region.change(path, 0, memory=1)
    assert path.read_bytes() == b"x" * layout.SIZE


# Reading what cannot be trusted


def test_a_missing_region_is_a_region_error(path: Path) -> None:
    """The slice may be over already."""
    with pytest.raises(RegionError, match="cannot be read: No such file"):
        region.read(path)


def test_a_directory_is_no_region(tmp_path: Path) -> None:
    """Nor is anything else that cannot be read as a file."""
    with pytest.raises(RegionError, match="cannot be read: Is a directory"):
        region.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("magic", 0, "is no region"),
        ("magic", layout.MAGIC + 1, "is no region"),
        ("layout_version", 0, "is of version 0; this release reads version 2"),
        ("layout_version", 1, "is of version 1; this release reads version 2"),
        ("size", layout.SIZE - 1, f"it claims {layout.SIZE - 1} bytes instead of {layout.SIZE}"),
        ("size", 0, f"it claims 0 bytes instead of {layout.SIZE}"),
        ("device_count", layout.DEVICES + 1, "it counts 17 devices"),
        ("slot_capacity", layout.SLOTS - 1, "and 1023 slots"),
        ("slot_capacity", 0, "and 0 slots"),
        ("state", 0, "was never finished"),
        ("state", 2, "was never finished"),
    ],
)
def test_damage_in_the_header_is_refused(made: Path, name: str, value: int, says: str) -> None:
    """What the runtime would not map is not read here either, and the sentence says why."""
    _damage(made, layout.REGION, name, value)
    with pytest.raises(RegionError, match=says) as caught:
        region.read(made)
    assert str(made) in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, layout.SIZE - 1])
def test_a_cut_region_is_refused(made: Path, size: int) -> None:
    """A full disk leaves the beginning of a file."""
    made.write_bytes(made.read_bytes()[:size])
    with pytest.raises(
        RegionError, match="is no region" if size < layout.REGION.size else "is shorter than 2109440 bytes"
    ):
        region.read(made)


def test_a_region_that_a_program_blew_up_is_not_loaded(made: Path) -> None:
    """A program of the slice can make its file a tebibyte long; whoever looks must not run out of memory."""
    os.truncate(made, 1 << 40)
    with pytest.raises(RegionError, match="is longer than"):
        region.read(made)


@pytest.mark.parametrize("writer", [False, True], ids=["alone", "with a silent writer"])
def test_a_pipe_in_its_place_keeps_nobody_waiting(path: Path, writer: bool) -> None:
    """``top`` shows the other slices; one program's trick does not stop it."""
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR) if writer else None
    try:
        with pytest.raises(RegionError, match="is no region"):
            region.read(path)
    finally:
        if held is not None:
            os.close(held)


def test_a_link_to_a_region_is_not_followed(made: Path) -> None:
    """The runtime refuses it too: what a slice shows is its own file, not one that somebody points at."""
    made.rename(made.with_name("elsewhere"))
    made.symlink_to("elsewhere")
    with pytest.raises(RegionError, match="cannot be read: Too many levels of symbolic links"):
        region.read(made)


@pytest.mark.parametrize("kind", ["file", "directory", "link", "pipe"])
def test_a_reading_leaves_no_descriptor_open(made: Path, kind: str) -> None:
    """The metrics read every region every few seconds for months, also the broken ones."""
    place = made.with_name("place")
    {
        "file": lambda: os.link(made, place),
        "directory": place.mkdir,
        "link": lambda: place.symlink_to(made),
        "pipe": lambda: os.mkfifo(place),
    }[kind]()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with contextlib.suppress(RegionError):
        region.read(place)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_region_with_something_behind_it_is_refused(made: Path) -> None:
    """Another layout may begin alike."""
    made.write_bytes(made.read_bytes() + b"\0")
    with pytest.raises(RegionError, match=f"is longer than {layout.SIZE} bytes"):
        region.read(made)


@same_directory
@given(data=st.binary(max_size=9000))
def test_any_bytes_are_refused_in_one_way(tmp_path: Path, data: bytes) -> None:
    """Nothing that is no region gets past, and none raises anything else."""
    path = tmp_path / "region"
    path.write_bytes(data)
    with pytest.raises(RegionError):
        region.read(path)


@same_directory
@given(
    damage=st.lists(
        st.tuples(st.integers(0, layout.SLOT.start + layout.SLOT.size), st.binary(min_size=1, max_size=64)), max_size=8
    )
)
def test_damage_anywhere_is_a_state_or_a_region_error(tmp_path: Path, damage: list[tuple[int, bytes]]) -> None:
    """Programs can write the whole file: whatever they leave there, a reader gets numbers or this one error."""
    path = tmp_path / "region"
    path.unlink(missing_ok=True)
    region.create(path, LIMITS)
    data = bytearray(path.read_bytes())
    for place, wrong in damage:
        data[place : place + len(wrong)] = wrong
    path.write_bytes(data)
    try:
        state = region.read(path)
    except RegionError:
        return
    assert len(state.devices) <= layout.DEVICES
    assert all(len(one.memory) == len(state.devices) for one in state.processes)


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(made: Path) -> None:
    """A program may call itself anything; the table still appears."""
    _damage(made, layout.SLOT, "name", b"\xff\xfeabc", 5)
    _take(made, 5)
    [process] = region.read(made).processes
    assert process.name.endswith("abc")


# What a region says


def test_a_process_is_read_from_the_slot_that_it_took(made: Path) -> None:
    """A slot never moves, so there may be free ones before it; figures are per device of the slice."""
    _take(made, 1023)
    _damage(made, layout.SLOT, "pid", 4711, 1023)
    _damage(made, layout.SLOT, "name", b"train", 1023)
    used = layout.ENTRY.start + 1023 * layout.SLOT.size
    busy = layout.SLOT.start + 1023 * layout.SLOT.size + layout.SLOT.fields["busy_ns"].offset
    data = bytearray(made.read_bytes())
    struct.pack_into("<8Q5Q", data, used, 0, 0, 0, 7, 1, 0, 0, 0, 0, 0, 0, 8, 1)
    struct.pack_into("<2Q", data, busy, 70, 80)
    made.write_bytes(data)
    assert region.read(made).processes == (ProcessUse(pid=4711, name="train", memory=(7,), busy_ns=(70,)),)


def test_who_wants_to_know_only_how_many_processes_there_are_is_told(made: Path) -> None:
    """A scrape looks at a hundred slices and at none of their processes."""
    _take(made, 2)
    state = region.read(made, processes=False)
    assert (state.taken, state.processes) == (1, ())
    assert region.read(str(made)).devices == state.devices


def test_a_free_slot_is_no_process(made: Path) -> None:
    """What the last owner left in a slot means nothing."""
    _damage(made, layout.SLOT, "pid", 4711, 0)
    assert region.read(made).processes == ()


def test_every_figure_of_a_device_is_its_own(made: Path) -> None:
    """Each counter is read from its place."""
    named = ("busy_ns", "throttled_ns", "launches", "refused", "priority", "unmeasured", "exhausted")
    figures = {name: value for value, name in enumerate(named, start=2)}
    for name, value in {**figures, "memory.bytes": 1, "policy": 1}.items():
        _damage(made, layout.DEVICE, name, value)
    [device] = region.read(made).devices
    assert {name: getattr(device, name) for name in figures} == figures
    assert (device.memory_used, device.policy) == (1, "conserve")


@pytest.mark.parametrize(("until", "lent"), [(0, 0), (1 << 63, 25)], ids=["over", "lasting"])
def test_what_is_lent_counts_until_its_time_is_over(made: Path, until: int, lent: int) -> None:
    """A lender that died must not lend for ever."""
    _damage(made, layout.DEVICE, "lent_percent", 25)
    _damage(made, layout.DEVICE, "lent_until_ns", until)
    assert region.read(made).devices[0].lent == lent


@pytest.mark.parametrize(
    ("until", "percent", "yielding"), [(0, 5, False), (1 << 63, 5, True), (1 << 63, 0, False), (1 << 63, 100, False)]
)
def test_a_slice_yields_until_its_time_is_over(made: Path, until: int, percent: int, yielding: bool) -> None:
    """By less than all and more than nothing; else nobody told it to."""
    _damage(made, layout.DEVICE, "yield_percent", percent)
    _damage(made, layout.DEVICE, "yield_until_ns", until)
    assert region.read(made).devices[0].yielding is yielding


def test_memory_by_kind_is_that_of_the_slots_that_are_taken(made: Path) -> None:
    """Each device has its own; a slot that is free, and one beyond those that were ever taken, has nothing."""
    _damage(made, layout.DEVICE, "core_limit", 30, 1)
    _take(made, 2)
    _take(made, 1)
    _damage(made, layout.REGION, "slots_used", 3)
    data = bytearray(made.read_bytes())
    for slot, figure in ((0, 1), (1, 10), (2, 100), (3, 1000)):
        for name, more in (("context_bytes", 0), ("module_bytes", 5)):
            place = layout.SLOT.start + slot * layout.SLOT.size + layout.SLOT.fields[name].offset
            struct.pack_into("<2Q", data, place, figure + more, 3 * figure)
    made.write_bytes(data)
    found = region.read(made).devices
    assert [(one.context, one.module) for one in found] == [(110, 120), (330, 330)]


def test_a_program_that_claims_everything_is_added_up(made: Path) -> None:
    """All slots, all devices, the greatest numbers: sums beyond a word are what they are."""
    data = bytearray(made.read_bytes()[: layout.SLOT.start] + b"\xff" * (layout.SLOTS * layout.SLOT.size))
    data[layout.DEVICE.start : layout.SLOT.start] = b"\xff" * (layout.SLOT.start - layout.DEVICE.start)
    made.write_bytes(data)
    _damage(made, layout.REGION, "slots_used", layout.SLOTS)
    found = region.read(made, processes=False)
    assert (found.taken, len(found.devices)) == (layout.SLOTS, layout.DEVICES)
    assert {(one.context, one.module) for one in found.devices} == {(layout.SLOTS * ((1 << 64) - 1),) * 2}


@pytest.mark.parametrize("slot", [0, 3, 4, 5, 700])
def test_a_process_is_found_however_many_slots_there_were_before(made: Path, slot: int) -> None:
    """The first few are read with the head, the others after it; of each the figures are its own."""
    _damage(made, layout.SLOT, "pid", 4711, slot)
    data = bytearray(made.read_bytes())
    struct.pack_into("<Q", data, layout.SLOT.place("module_bytes", slot), 7)
    made.write_bytes(data)
    _take(made, slot)
    state = region.read(made)
    assert ([one.pid for one in state.processes], state.taken, state.devices[0].module) == ([4711], 1, 7)


@pytest.mark.parametrize("whole", [0, 1, 3, 4, 5, 6, 900])
def test_slots_that_are_cut_off_while_they_are_read_are_not_there(
    made: Path, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program can cut its file when its length was looked at already: half a slot is none, and nobody is killed."""
    for slot in range(6):
        _take(made, slot)
    _damage(made, layout.REGION, "slots_used", layout.SLOTS)
    look = os.fstat

    def late(descriptor: int) -> os.stat_result:
        found = look(descriptor)
        os.truncate(made, layout.SLOT.start + whole * layout.SLOT.size + layout.SLOT.size // 2)
        return found

    monkeypatch.setattr(region.os, "fstat", late)
    assert region.read(made).taken == min(whole, 6)
    with pytest.raises(RegionError, match="is shorter than"):
        region.read(made)


@pytest.mark.parametrize("size", [0, 4095, layout.SLOT.start - 1, layout.SLOT.start, layout.SLOT.start + 3000])
def test_a_region_that_is_cut_after_its_head_was_read_is_refused_or_has_fewer_slots(
    made: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a slice of many processes more is read, once it is known how much; nothing is put together of two states."""
    _take(made, 600)
    read = os.pread

    def late(descriptor: int, length: int, offset: int) -> bytes:
        data = read(descriptor, length, offset)
        os.truncate(made, size)
        return data

    monkeypatch.setattr(region.os, "pread", late)
    if size >= layout.SLOT.start:
        assert region.read(made).taken == 0
    else:
        with pytest.raises(RegionError, match=r"is no region|is shorter than"):
            region.read(made)


@pytest.mark.parametrize("claimed", [1 << 31, layout.SLOTS + 1, layout.SLOTS])
def test_more_slots_than_there_are_is_all_of_them(made: Path, claimed: int) -> None:
    """A program can write any number there; nobody reads beyond the file for it."""
    _take(made, 1023)
    _damage(made, layout.REGION, "slots_used", claimed)
    assert len(region.read(made).processes) == 1


def test_slots_that_were_never_taken_are_not_read(made: Path) -> None:
    """They are nearly all of the file, and a node has a hundred."""
    _damage(made, layout.SLOT, "state", layout.TAKEN, 0)
    assert region.read(made).processes == ()


@pytest.mark.parametrize(
    ("last", "done", "held"),
    [((3, 8), 7, 80), ((4, 8), 8, 80), ((3, 7), 7, 70), ((4, 8), 7, 70)],
    ids=["it changed the sum last", "others noted it", "announced, not exchanged", "another process' change"],
)
def test_a_change_counts_once_it_has_taken_effect(made: Path, last: tuple[int, int], done: int, held: int) -> None:
    """A process announces what it will hold before the sum is exchanged; it may die between the two."""
    _take(made, 3)
    data = bytearray(made.read_bytes())
    struct.pack_into("<5Q", data, layout.ENTRY.start + 3 * layout.SLOT.size, 0, 0, 80, 70, done)
    made.write_bytes(data)
    _damage(made, layout.DEVICE, "memory.last", last[0] << 48 | last[1])
    assert region.read(made).processes[0].memory == (held,)


def test_a_device_that_is_named_and_not_limited_counts(path: Path) -> None:
    """Who asked for neither memory nor compute still has the device, and ``top`` shows what is used of it."""
    region.create(path, Limits(slice_id="slice-1", devices=(DeviceLimit(uuid="x"), DeviceLimit(uuid="y"))))
    assert [one.uuid for one in region.read(path).devices] == ["x", "y"]


def test_a_device_without_a_limit_before_one_with_keeps_its_place(made: Path) -> None:
    """A region made from variables that limit the second device alone: its limit must not be lost or moved."""
    for name, value in (("uuid", b""), ("memory_limit", 0), ("core_limit", 0)):
        _damage(made, layout.DEVICE, name, value, 0)
    _damage(made, layout.DEVICE, "memory_limit", 3 * GIB, 1)
    assert [one.memory_limit for one in region.read(made).devices] == [0, 3 * GIB]


def test_readings_are_ordered_in_time(made: Path) -> None:
    """Rates are differences of two readings."""
    assert region.read(made).read_ns <= region.read(made).read_ns


@pytest.mark.parametrize(
    ("pid", "lives"), [(os.getpid(), True), (0, False), (-1, False), (1 << 30, False)], ids=["own", "0", "-1", "none"]
)
def test_a_process_lives_when_its_id_exists(pid: int, lives: bool) -> None:
    """0 and negative ids are nobody, never a group."""
    assert region.alive(ProcessUse(pid=pid, name="", memory=(), busy_ns=())) is lives


def test_a_process_that_ended_is_not_alive() -> None:
    """Until its slot is taken by another it is still in the region."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(timeout=600)
    assert not region.alive(ProcessUse(pid=process.pid, name="", memory=(), busy_ns=()))


# The same file on both sides


@pytest.mark.native
def test_the_runtime_keeps_to_a_region_made_here(machine: Machine) -> None:
    """No variable says a limit; the file alone does, and what the runtime does can be read."""
    path = machine.directory / "region"
    region.create(path, Limits(slice_id="slice-1", devices=(DeviceLimit(uuid=uuid(0), memory=2 * GIB),)))
    assert "granted 2048 MiB in 32 steps, then CUDA_ERROR_OUT_OF_MEMORY" in machine.run("fill").stdout
    [device] = region.read(path).devices
    assert (device.memory_limit, device.memory_used, device.refused) == (2 * GIB, 0, 1)


@pytest.mark.native
def test_a_change_holds_for_programs_that_run(machine: Machine) -> None:
    """One holds 512 MiB; the limit is raised, and another gets the difference; lowered, nobody gets anything more."""
    path = machine.directory / "region"
    region.create(path, Limits(slice_id="slice-1", devices=(DeviceLimit(uuid=uuid(0), memory=GIB),)))
    with machine.start("hold", "--mib", "512") as process:
        assert process.stdout
        assert process.stdout.readline() == "holding\n"
        region.change(path, 0, memory=2 * GIB)
        assert "granted 1536 MiB" in machine.run("fill").stdout
        region.change(path, 0, memory=GIB // 4)
        assert "granted 0 MiB" in machine.run("fill").stdout
        assert region.read(path).devices[0].memory_used == 512 << 20
        process.kill()


@pytest.mark.native
def test_a_region_that_the_runtime_made_is_read_here(machine: Machine) -> None:
    """Made from variables: no identity, but the limits, and the process with its memory while it lives."""
    limits = {"CUDA_DEVICE_MEMORY_LIMIT_0": "2g", "CUDA_DEVICE_SM_LIMIT": "40"}
    with machine.start("hold", "--mib", "512", **limits) as process:
        assert process.stdout
        assert process.stdout.readline() == "holding\n"
        state = region.read(machine.directory / "region")
        process.kill()
    first = state.devices[0]
    assert (state.slice_id, first.uuid) == ("", "")
    assert (first.memory_limit, first.core_limit, first.memory_used) == (2 * GIB, 40, 512 << 20)
    assert [(one.pid, one.name, one.memory[0]) for one in state.processes] == [(process.pid, "hold", 512 << 20)]


@pytest.mark.native
def test_a_limit_of_the_second_device_alone_is_read_as_such(machine: Machine) -> None:
    """The first device is there, without a limit."""
    machine.cards(12288, 12288)
    machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT_1="3g")
    assert [one.memory_limit for one in region.read(machine.directory / "region").devices] == [0, 3 * GIB]


@pytest.mark.native
@pytest.mark.parametrize(
    ("name", "value"),
    [("layout_version", 1), ("size", 1), ("device_count", 17), ("slot_capacity", 1), ("magic", 1)],
)
def test_both_sides_refuse_the_same_damage(machine: Machine, name: str, value: int) -> None:
    """A region that one side would use and the other not is worse than none; memory fails closed."""
    path = machine.directory / "region"
    region.create(path, Limits(slice_id="slice-1", devices=(DeviceLimit(uuid=uuid(0), memory=GIB),)))
    _damage(path, layout.REGION, name, value)
    with pytest.raises(RegionError):
        region.read(path)
    assert "granted" not in machine.run("fill").stdout
