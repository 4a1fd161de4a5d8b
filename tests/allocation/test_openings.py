"""Who waits for a file to be opened is told of that file alone, by a queue that was another's before."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hetero.allocation import openings as module
from hetero.allocation.inotify import Inotify
from hetero.allocation.openings import Openings


def queues() -> int:
    """How many of the kernel's queues this process has."""
    numbers = Path("/proc/self/fd").iterdir()
    return sum(str(one.readlink()) == "anon_inode:inotify" for one in numbers if os.path.lexists(one))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is there."""
    (tmp_path / "a").touch()
    return tmp_path / "a"


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[Inotify]:
    """The queues that were closed since the test began."""
    found: list[Inotify] = []
    close = Inotify.close

    def told(self: Inotify) -> None:
        found.append(self)
        close(self)

    monkeypatch.setattr(Inotify, "close", told)
    return found


def test_a_queue_is_used_again_and_none_is_closed(file: Path, closed: list[Inotify]) -> None:
    """Closing takes the kernel longer than all the rest, and a container would wait for it."""
    openings, before = Openings(), queues()
    for _ in range(5):
        with openings.expected() as opened:
            opened.expect(file)
            file.read_text()
            assert opened.wait(10)
    assert (queues() - before, closed) == (1, [])


def test_what_happened_to_the_file_of_the_one_before_is_nothing_to_the_next(file: Path, tmp_path: Path) -> None:
    """Neither an opening that nobody has read of, nor one that comes later; so for the same file."""
    openings, other = Openings(), tmp_path / "b"
    other.touch()
    with openings.expected() as opened:
        opened.expect(file)
        file.read_text()
    for mine in (other, file):
        with openings.expected() as opened:
            opened.expect(mine)
            (other if mine is file else file).read_text()
            assert not opened.wait(0.01)
            mine.read_text()
            assert opened.wait(10)


def test_a_file_that_is_gone_at_the_end_leaves_the_queue_usable(file: Path, tmp_path: Path) -> None:
    """The kernel has forgotten it already."""
    openings = Openings()
    with openings.expected() as opened:
        opened.expect(file)
        file.unlink()
        assert opened.wait(10)
    (tmp_path / "b").touch()
    with openings.expected() as opened:
        opened.expect(tmp_path / "b")
        assert not opened.wait(0.0)
        (tmp_path / "b").read_text()
        assert opened.wait(10)


def test_whoever_fails_gives_the_queue_back(file: Path) -> None:
    """It can be used by the next one."""
    openings, before = Openings(), queues()
    with pytest.raises(FileNotFoundError), openings.expected() as opened:
        opened.expect(file.with_name("missing"))
    with openings.expected() as opened:
        opened.expect(file)
    assert queues() - before == 1


def burst(openings: Openings, file: Path, count: int) -> None:
    """So many containers that start at once."""
    together = threading.Barrier(count)

    def wait(number: int) -> bool:
        own = file.with_name(str(number))
        own.touch()
        with openings.expected() as opened:
            opened.expect(own)
            together.wait(20)
            own.read_text()
            return opened.wait(20)

    with ThreadPoolExecutor(count) as pool:
        assert all(pool.map(wait, range(count)))


def test_each_of_a_burst_has_a_queue_and_what_is_left_of_it_is_closed(file: Path, closed: list[Inotify]) -> None:
    """At the next sweep; one is kept for the next container."""
    openings = Openings()
    burst(openings, file, 10)
    assert closed == []
    openings.trim()
    assert len(closed) == 9
    openings.trim()
    assert len(closed) == 9


def test_a_large_burst_leaves_the_machine_its_queues(
    file: Path, closed: list[Inotify], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user has 128, and whoever is root on the machine takes of the same."""
    monkeypatch.setattr(module, "_IDLE", 3)
    openings, before = Openings(), queues()
    burst(openings, file, 10)
    assert (queues() - before, len(closed)) == (3, 7)


def test_who_closes_gives_all_back_and_may_go_on(file: Path) -> None:
    """An agent that ends in a process that does not."""
    openings, before = Openings(), queues()
    burst(openings, file, 5)
    openings.close()
    assert queues() == before
    with openings.expected() as opened:
        opened.expect(file)
        file.read_text()
        assert opened.wait(10)
