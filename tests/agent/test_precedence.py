"""On a node somebody looks who goes first only while slices of different priorities share a device."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hetero import metrics
from hetero.agent import precedence as module
from hetero.agent.precedence import Precedence
from hetero.agent.records import REGION, PodSlice, Records
from hetero.enforcement import layout, region
from hetero.enforcement.limits import limits_of
from hetero.model.allocation import Grant, Slice
from hetero.model.share import Share
from hetero.monitoring.watcher import Watcher
from hetero.testing.fake import fake_device

Maker = Callable[[str, int], Path]


class Counting(Watcher):
    """Tells of each look."""

    seen: threading.Semaphore
    last: Counting

    def look(self) -> float:
        Counting.last = self
        pause = super().look()
        self.seen.release()
        return min(pause, 0.01)


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    """In the place of the real one."""
    Counting.seen = threading.Semaphore(0)
    monkeypatch.setattr(module, "Watcher", Counting)
    return Counting


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """Makes a container's slice of the one device, as the agent keeps it; returns its region."""
    records = Records(tmp_path)

    def made(name: str, priority: int) -> Path:
        grant = Grant(device=fake_device(), share=Share(quantities={"memory": 1024, "cores": 30}))
        held = Slice(id=name, grants=(grant,), directory=str(tmp_path), region="/run/hetero/region", priority=priority)
        path = records.make(name) / REGION
        region.create(path, limits_of(held))
        records.write(PodSlice(vendor="fake", held=held, pod_uid="u", namespace="n", pod="p", container="c"))
        return path

    return made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Precedence]]:
    """Starts one; it ends with the test."""
    made: list[Precedence] = []

    def started(precedence: str = "conserve") -> Precedence:
        made.append(Precedence(tmp_path, precedence))
        made[-1].start()
        return made[-1]

    yield started
    for one in made:
        one.stop()


def run(path: Path) -> None:
    """The slice has launched something an instant ago, and will have for the next minute."""
    with path.open("r+b") as file:
        file.seek(4096 + 352)
        file.write((time.monotonic_ns() + 900_000_000).to_bytes(8, "little"))


def yields(path: Path) -> bool:
    """It makes way."""
    return bool(layout.DEVICE.get(path.read_bytes(), "yield_until_ns") > time.monotonic_ns())


def until(condition: Callable[[], bool]) -> None:
    """Looks are made until it is so."""
    for _ in range(500):
        if condition():
            return
        assert Counting.seen.acquire(timeout=120)
    pytest.fail("it never was")


def test_a_pod_of_a_higher_priority_goes_first(make: Maker, start: Callable[..., Precedence]) -> None:
    """By the records of the node's slices; and nobody makes way any more when the agent ends."""
    first, second = make("fake-a", 0), make("fake-b", 1)
    run(first)
    looks = metrics.looks.value()
    precedence = start()
    until(lambda: yields(second))
    precedence.measure()
    assert metrics.yielding.value() == 1
    precedence.stop()
    assert not yields(second)
    assert metrics.looks.value() > looks


def test_a_slice_that_is_made_is_seen_at_once(make: Maker, start: Callable[..., Precedence]) -> None:
    """A node without slices is not looked at: a look comes when one is made, and the next when another is."""
    precedence = start()
    assert Counting.seen.acquire(timeout=120)
    assert not Counting.seen.acquire(timeout=0.05)
    first, second = make("fake-a", 0), make("fake-b", 1)
    run(first)
    precedence.wake()
    until(lambda: yields(second))


def test_equals_are_not_looked_at(make: Maker, start: Callable[..., Precedence]) -> None:
    """However many: only their records are, now and then."""
    make("fake-a", 1)
    make("fake-b", 1)
    start()
    for _ in range(3):
        assert Counting.seen.acquire(timeout=120)
    assert Counting.last.looks == 0


def test_where_it_is_off_nobody_looks(make: Maker, start: Callable[..., Precedence]) -> None:
    """Not even once; and ending it is nothing."""
    first, second = make("fake-a", 0), make("fake-b", 1)
    run(first)
    start("off").stop()
    assert not Counting.seen.acquire(blocking=False)
    assert not yields(second)
