"""A region that is looked at many times a second: what is read, what is written, and what its programs may do to it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from hetero.enforcement import layout, pulse, region
from hetero.enforcement.limits import DeviceLimit, Limits
from hetero.enforcement.pulse import Watched
from hetero.errors import RegionError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A region of two devices."""
    devices = tuple(DeviceLimit(uuid=f"chip-{index}", cores=30, priority=index) for index in range(2))
    region.create(tmp_path / "region", Limits(slice_id="s", devices=devices))
    return tmp_path / "region"


def put(path: Path, record: layout.Record, name: str, value: int, *, index: int = 0) -> None:
    """Write a field as a program would."""
    field = record.fields[name]
    with path.open("r+b") as file:
        file.seek(record.start + index * record.size + field.offset)
        file.write(struct.pack("<" + field.format, value))


def test_a_pulse_reads_the_fields_of_its_device(path: Path) -> None:
    """Each field where the layout has it, of the device that is asked for; by the piece that the kernel copies too."""
    names = ("busy_ns", "launches", "wanted_ns")
    for number, name in enumerate(names, 7):
        put(path, layout.DEVICE, name, number, index=1)
    watched = Watched(path)
    seen = pulse.pulse(watched.read(1), 6)
    assert [getattr(seen, name) for name in ("read_ns", *names)] == [6, 7, 8, 9]
    assert pulse.pulse(watched.read(0), 6).busy_ns == 0
    assert watched.pulse(1) == watched.read(1)
    watched.close()


def test_what_is_held_is_seen_by_programs(path: Path) -> None:
    """The pieces are of the device's percent and until when; no percent and no time end it."""
    watched = Watched(path)
    watched.percent(1)[:] = pulse.percent_word(1)
    watched.until(1)[:] = pulse.until_word(99)
    assert held(path, 1) == (1, 99)
    assert held(path, 0) == (0, 0)
    watched.free(1)
    assert held(path, 1) == (0, 0)
    watched.close()


def held(path: Path, index: int) -> tuple[int, ...]:
    """What a device is held to and until when, as programs see it."""
    data = path.read_bytes()
    return tuple(layout.DEVICE.get(data, name, index) for name in ("yield_percent", "yield_until_ns"))


def count(path: Path) -> int:
    """Changes, as programs see them."""
    seen: int = layout.REGION.get(path.read_bytes(), "limits_changed")
    return seen


@pytest.mark.parametrize("before", [4, (1 << 32) - 1])
def test_asking_counts_a_change(path: Path, before: int) -> None:
    """Round at the end; each time to a number that was not there before."""
    put(path, layout.REGION, "limits_changed", before)
    watched = Watched(path)
    seen = [before]
    for _ in range(3):
        watched.ask()
        seen.append(count(path))
    watched.close()
    assert len(set(seen)) == 4


def test_a_question_is_none_of_the_numbers_that_changes_count_to(path: Path) -> None:
    """A program that has seen a change would take the same number for nothing new, and never tell that it launches."""
    watched = Watched(path)
    for _ in range(3):
        watched.ask()
        changes = []
        for percent in (10, 20, 30):
            region.change(path, 0, cores=percent)
            changes.append(count(path))
        watched.ask()
        assert count(path) not in changes
    watched.close()


def test_a_question_may_be_written_by_somebody_else(path: Path) -> None:
    """It is what asking would have written, and the next one is another."""
    watched = Watched(path)
    questions = [watched.question() for _ in range(2)]
    watched.changed()[:] = questions[1]
    assert count(path) == int.from_bytes(questions[1], "little")
    watched.ask()
    assert len({count(path), *(int.from_bytes(word, "little") for word in questions)}) == 3
    watched.close()


@pytest.mark.parametrize(
    ("word", "state", "lives"),
    [(77, 1, True), (77 | 0x80000000, 1, True), (77 | 0x40000000, 1, False), (0, 1, False), (77, 0, False)],
)
def test_who_lives_is_told_by_the_kernel(path: Path, word: int, state: int, lives: bool) -> None:
    """A claim with a thread whose death the kernel has not marked, in a slot that is taken."""
    put(path, layout.REGION, "slots_used", 3)
    put(path, layout.SLOT, "state", state, index=2)
    with path.open("r+b") as file:
        file.seek(layout.SLOT.start + 2 * layout.SLOT.size)
        file.write(struct.pack("<I", word))
    watched = Watched(path)
    assert watched.lives() is lives
    watched.close()


def claim(path: Path, slot: int, word: int = 77) -> None:
    """A process takes a slot, or ends."""
    put(path, layout.SLOT, "state", layout.TAKEN, index=slot)
    with path.open("r+b") as file:
        file.seek(layout.SLOT.start + slot * layout.SLOT.size)
        file.write(struct.pack("<I", word))


ENDED = 77 | 0x40000000


def test_who_takes_over_is_found_among_few_slots_at_once(path: Path) -> None:
    """Whichever of them it is: there is no look at which a slice of a few processes is taken for dead."""
    put(path, layout.REGION, "slots_used", pulse.PART)
    watched = Watched(path)
    for slot in (pulse.PART - 1, 0, 5, 4):
        claim(path, slot)
        assert watched.lives()
        claim(path, slot, ENDED)
        assert not watched.lives()
    watched.close()


def test_many_slots_are_looked_at_part_by_part(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice may claim a thousand dead ones: no look reads more than a part, and after all parts it is known dead."""
    put(path, layout.REGION, "slots_used", layout.SLOTS)
    claim(path, layout.SLOTS - 1)
    sizes = []
    read = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return read(descriptor, size, offset)

    monkeypatch.setattr(pulse.os, "pread", counted)
    watched = Watched(path)
    parts = layout.SLOTS // pulse.PART
    assert [watched.lives() for _ in range(parts)] == [False] * (parts - 1) + [True]
    sizes.clear()
    assert watched.lives()  # the one that lived last is looked at first
    assert sum(sizes) <= 2 * layout.SLOT.size
    claim(path, layout.SLOTS - 1, ENDED)
    assert [watched.lives() for _ in range(parts)] == [True] * (parts - 1) + [False]
    assert max(sizes) <= pulse.PART * layout.SLOT.size
    watched.close()


@pytest.mark.parametrize("used", [0, 1, 70])
def test_fewer_slots_than_before_are_all_that_there_are(path: Path, used: int) -> None:
    """A program may write any number, another one at each look."""
    put(path, layout.REGION, "slots_used", 1000)
    claim(path, 2)
    claim(path, 900)
    watched = Watched(path)
    assert watched.lives()
    claim(path, 2, ENDED)
    while watched._living != 900:
        watched.lives()
    put(path, layout.REGION, "slots_used", used)
    looks = [watched.lives() for _ in range(3)]
    assert not looks[-1]
    watched.close()


def test_no_slot_is_read_that_there_is_not(path: Path) -> None:
    """A program may write any number of used ones."""
    put(path, layout.REGION, "slots_used", (1 << 32) - 1)
    watched = Watched(path)
    assert not watched.lives()
    watched.close()


def test_a_file_that_was_cut_short_is_told(path: Path) -> None:
    """At every reading, and nobody is killed for it."""
    watched = Watched(path)
    put(path, layout.REGION, "slots_used", 1)
    os.truncate(path, layout.DEVICE.start)
    for read in (lambda: watched.read(0), watched.lives):
        with pytest.raises(RegionError, match="ends before"):
            read()
    watched.close()


def test_a_file_that_is_cut_short_while_it_is_opened_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to map where its end was; no descriptor is kept of it."""
    checked = Watched._checked

    def cut(watched: Watched) -> tuple[int, int]:
        identity = checked(watched)
        os.truncate(path, layout.DEVICE.start)
        return identity

    monkeypatch.setattr(Watched, "_checked", cut)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(RegionError, match="cannot be mapped"):
        Watched(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


@pytest.mark.parametrize("name", ["magic", "layout_version", "state"])
def test_a_file_that_is_no_finished_region_is_refused(path: Path, name: str) -> None:
    """Of another version or not finished yet, too; no descriptor is kept of it."""
    put(path, layout.REGION, name, 0)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(RegionError, match=name):
        Watched(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_only_a_file_of_the_right_size_is_opened(path: Path, tmp_path: Path) -> None:
    """No pipe, which would block, no link, which leads elsewhere, and nothing of another size."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "short").write_bytes(b"x")
    for name in ("pipe", "link", "short", "missing"):
        with pytest.raises(RegionError):
            Watched(tmp_path / name)


def test_a_region_in_another_ones_place_is_noticed(path: Path) -> None:
    """A container that starts anew has a new one; the old one stays what it was."""
    watched = Watched(path)
    assert watched.current()
    path.rename(path.with_name("old"))
    assert not watched.current()
    region.create(path, Limits(slice_id="s", devices=()))
    assert not watched.current()
    watched.close()


def test_a_closed_one_touches_no_other_file(path: Path, tmp_path: Path) -> None:
    """Its descriptor's number may be another file's by then, and its pieces' addresses too."""
    watched = Watched(path)
    piece = watched.pulse(0)
    watched.close()
    watched.close()
    with pytest.raises(ValueError, match="released"):
        bytes(piece)
    with (tmp_path / "other").open("w+b"):
        calls = (lambda: watched.read(0), watched.ask, lambda: watched.free(0), lambda: watched.pulse(0))
        for call in calls:
            with pytest.raises(RegionError, match="cannot be watched"):
                call()
    assert (tmp_path / "other").read_bytes() == b""
