"""Idle compute is lent on a node while somebody may have it, and nobody looks otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hetero.agent import lending as module
from hetero.agent.lending import Lending
from hetero.agent.records import PodSlice, Records
from hetero.model.allocation import Grant, Slice
from hetero.model.share import Share
from hetero.testing.fake import fake_device


class Lender:
    """Counts its looks."""

    looks: threading.Semaphore
    made: list[Path]

    def __init__(self, directory: Path) -> None:
        self.made.append(directory)

    def look(self) -> None:
        self.looks.release()

    def close(self) -> None:
        self.made.append(Path("closed"))


@pytest.fixture
def lender(monkeypatch: pytest.MonkeyPatch) -> type[Lender]:
    """In the place of the real one."""
    Lender.looks, Lender.made = threading.Semaphore(0), []
    monkeypatch.setattr(module, "Lender", Lender)
    monkeypatch.setattr(module, "PERIOD_NS", 1_000_000)
    monkeypatch.setattr(module, "AGAIN", 0.0)
    return Lender


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Of a node without slices."""
    return Records(tmp_path)


@pytest.fixture
def lending(records: Records, lender: Any, tmp_path: Path) -> Iterator[Lending]:
    """It runs."""
    made = Lending(records, tmp_path)
    made.start()
    yield made
    made.stop()


def _slice(records: Records, policy: str) -> PodSlice:
    grant = Grant(device=fake_device(), share=Share(quantities={"memory": 1024, "cores": 30}))
    held = Slice(id=f"fake-{policy}", grants=(grant,), directory="/nowhere", region="/run/hetero/region", policy=policy)
    record = PodSlice(vendor="fake", held=held, pod_uid="u", namespace="n", pod="p", container="c")
    records.make(held.id)
    records.write(record)
    return record


def test_a_slice_that_may_be_lent_something_is_looked_after(records: Records, lending: Lending, lender: Any) -> None:
    """From the moment that it is made; the node's directory is the lender's."""
    _slice(records, "conserve")
    lending.wake("conserve")
    for _ in range(3):
        assert lender.looks.acquire(timeout=120)
    assert lender.made == [records.path("x").parents[1]]


def test_slices_that_keep_to_their_share_need_no_looks(records: Records, lending: Lending, lender: Any) -> None:
    """Neither does one without a region, which nobody could lend to."""
    _slice(records, "cap")
    without = _slice(records, "conserve")
    records.write(msgspec.structs.replace(without, held=msgspec.structs.replace(without.held, region="")))
    lending.wake("cap")
    lending.wake("conserve")
    lending.stop()
    assert lender.made == []


def test_it_ends_with_the_last_slice(records: Records, lending: Lending, lender: Any) -> None:
    """And begins again with the next one."""
    record = _slice(records, "conserve")
    lending.wake("conserve")
    assert lender.looks.acquire(timeout=120)
    records.remove(record.held.id)
    for _ in range(2000):
        if lender.made[-1] == Path("closed"):
            break
        lender.looks.acquire(timeout=0.01)
    assert lender.made[-1] == Path("closed")
    while lender.looks.acquire(blocking=False):
        pass
    _slice(records, "conserve")
    lending.wake("conserve")
    assert lender.looks.acquire(timeout=120)


def test_an_agent_that_starts_lends_to_those_who_run(records: Records, lender: Any, tmp_path: Path) -> None:
    """Nobody tells it of them."""
    _slice(records, "conserve")
    made = Lending(records, tmp_path)
    made.start()
    try:
        assert lender.looks.acquire(timeout=120)
    finally:
        made.stop()
