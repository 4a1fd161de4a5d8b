"""Regions of a node stay as large as they were made, and whoever makes one grow is told of."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from growing import FAR, GROW, lengthen, make, taken

from hetero import metrics
from hetero.agent import bounds as module
from hetero.agent.bounds import Bounds
from hetero.agent.records import REGION, Records
from hetero.allocation.inotify import OVERFLOW, Inotify
from hetero.enforcement.layout import SIZE

LONG = 20.0


class Kept:
    """Regions of a node that are kept in bounds, and the slices that somebody was told of."""

    def __init__(self, place: Path) -> None:
        self.records = Records(place)
        self.told: list[str] = []
        self.changed = threading.Condition()
        self.bounds = Bounds(self.records, {"fake"}, self._note)

    def _note(self, name: str) -> None:
        with self.changed:
            self.told.append(name)
            self.changed.notify_all()

    def until(self, *names: str) -> None:
        """Wait until these were told."""
        with self.changed:
            assert self.changed.wait_for(lambda: set(names) <= set(self.told), LONG), self.told

    def make(self, name: str) -> Path:
        """A new slice."""
        return make(self.records.make(name) / REGION)


@pytest.fixture
def kept(shared: Path) -> Iterator[Kept]:
    """Not started."""
    made = Kept(shared)
    yield made
    made.bounds.stop()


@pytest.fixture
def _seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the kernel's word nobody would look within this test."""
    monkeypatch.setattr(module, "REST", 1000.0)


@pytest.mark.usefixtures("_seldom")
@pytest.mark.parametrize("grow", GROW, ids=lambda one: one.__name__)
def test_growth_is_seen_as_it_happens(kept: Kept, grow: Callable[[Path], None]) -> None:
    """By the kernel's word, through whatever mount it came; of slices that were there and of those made since."""
    before = kept.make("fake-0001")
    kept.bounds.start()
    grow(before)
    kept.until("fake-0001")
    after = kept.make("fake-0002")
    kept.bounds.wake()
    grow(after)
    kept.until("fake-0002")
    assert taken(before) <= SIZE
    assert taken(after) <= SIZE


@pytest.mark.usefixtures("_seldom")
def test_a_region_that_was_made_anew_is_followed_too(kept: Kept) -> None:
    """As at each start of a container: the file is another one, of the same name."""
    path = kept.make("fake-0001")
    kept.bounds.start()
    lengthen(path)
    kept.until("fake-0001")
    cuts = metrics.cut_regions.value()
    fresh = make(path.with_name(".region.new"))
    fresh.rename(path)
    kept.bounds.wake()
    _wait(lambda: kept.bounds._regions["fake-0001"]._file[1] == path.stat().st_ino)
    lengthen(path)
    _wait(lambda: metrics.cut_regions.value() > cuts)
    assert path.stat().st_size == SIZE
    assert kept.told == ["fake-0001"]


def test_who_does_it_again_and_again_is_told_of_once(kept: Kept) -> None:
    """And cut each time: events are for people, who come to know it by the first."""
    path = kept.make("fake-0001")
    kept.bounds.start()
    cuts = metrics.cut_regions.value()
    for number in range(1, 6):
        lengthen(path)
        _wait(lambda number=number: metrics.cut_regions.value() >= cuts + number)
    assert kept.told == ["fake-0001"]


@pytest.mark.usefixtures("_seldom")
def test_a_slice_that_was_made_again_under_its_name_is_followed(kept: Kept) -> None:
    """Its directory is another one, though a pod's container always has the same slice."""
    path = kept.make("fake-0001")
    kept.bounds.start()
    lengthen(path)
    kept.until("fake-0001")
    kept.records.remove("fake-0001")
    kept.bounds.wake()
    again = kept.make("fake-0001")
    kept.bounds.wake()
    lengthen(again)
    _wait(lambda: again.stat().st_size == SIZE)


def test_slices_of_another_agents_vendors_are_that_ones(kept: Kept) -> None:
    """Two who cut one file would both tell of it."""
    other, own = kept.make("other-0001"), kept.make("fake-0001")
    lengthen(other)
    lengthen(own)
    kept.bounds.start()
    kept.until("fake-0001")
    assert (other.stat().st_size, own.stat().st_size) == (FAR, SIZE)


@pytest.mark.usefixtures("_seldom")
@pytest.mark.parametrize("call", ["__init__", "watch"])
def test_where_the_kernel_cannot_tell_regions_are_looked_at(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Now and then; watches and queues are limited for each user, and others take them too."""

    def spent(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Inotify, call, spent)
    monkeypatch.setattr(module, "BLIND", 0.01)
    path = kept.make("fake-0001")
    kept.bounds.start()
    lengthen(path)
    kept.until("fake-0001")
    assert path.stat().st_size == SIZE


@pytest.mark.usefixtures("_seldom")
def test_a_queue_that_the_kernel_refused_is_asked_for_again(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A container whose user is root takes of the same 128, and may have had all when the agent came."""
    made, tries = Inotify.__init__, iter([False] * 3)

    def spent(self: Inotify) -> None:
        if not next(tries, True):
            raise OSError(errno.EMFILE, "Too many open files")
        made(self)

    monkeypatch.setattr(Inotify, "__init__", spent)
    monkeypatch.setattr(module, "BLIND", 0.01)
    path = kept.make("fake-0001")
    kept.bounds.start()
    _wait(lambda: kept.bounds._rest == 1000.0)
    lengthen(path)
    kept.until("fake-0001")
    assert "".join(capsys.readouterr()).count("once a second") == 1


def test_who_wakes_it_when_it_has_ended_does_no_harm(kept: Kept) -> None:
    """A container may be starting while the agent ends."""
    kept.bounds.start()
    kept.bounds.stop()
    kept.bounds.wake()
    assert not kept.bounds._thread.is_alive()


@pytest.mark.usefixtures("_seldom")
def test_what_the_kernel_could_not_keep_is_looked_for(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that writes often enough has the kernel forget what others did."""
    monkeypatch.setattr(Inotify, "touched", lambda _: frozenset([OVERFLOW]))
    paths = [kept.make(f"fake-{number:04}") for number in range(3)]
    kept.bounds.start()
    for path in paths:
        lengthen(path)
    kept.until("fake-0000", "fake-0001", "fake-0002")


@pytest.mark.usefixtures("_seldom")
def test_a_defect_of_who_is_told_ends_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions are cut for as long as the agent lives."""
    path = kept.make("fake-0001")
    monkeypatch.setattr(kept.bounds, "_grown", lambda _: 1 / 0)
    kept.bounds.start()
    lengthen(path)
    _wait(lambda: path.stat().st_size == SIZE)
    lengthen(path)
    _wait(lambda: path.stat().st_size == SIZE)


@pytest.mark.usefixtures("_seldom")
def test_a_region_that_cannot_be_opened_yet_is_tried_again(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its programs may keep it for a while; the kernel tells nothing when they end that."""
    path = kept.make("fake-0001")
    lengthen(path)
    real, tries = os.open, iter([True])

    def refusing(name: str, *arguments: int, **further: int) -> int:
        if str(name) == str(path) and next(tries, False):
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return real(name, *arguments, **further)

    monkeypatch.setattr(os, "open", refusing)
    monkeypatch.setattr(module, "BLIND", 0.01)
    kept.bounds.start()
    kept.until("fake-0001")
    assert path.stat().st_size == SIZE


def test_slices_without_a_region_are_no_reason_to_look_oftener(kept: Kept) -> None:
    """Where the hardware keeps the limits, there is none."""
    kept.records.make("fake-0001")
    kept.make("fake-0002")
    kept.bounds.start()
    _wait(lambda: len(kept.bounds._regions) == 2 and len(kept.bounds._watched) == 1)
    assert kept.bounds._rest == module.REST


def _wait(condition: Callable[[], bool]) -> None:
    for _ in range(int(LONG / 0.01)):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come to pass")
