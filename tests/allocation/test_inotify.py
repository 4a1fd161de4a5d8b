"""The kernel's words about files are read as it writes them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hetero.allocation import inotify
from hetero.allocation.inotify import Inotify


def test_what_happens_in_a_folder_is_told(tmp_path: Path) -> None:
    """With the file's name, in order, several events in one read."""
    with Inotify() as queue:
        watch = queue.watch(tmp_path, inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO)
        (tmp_path / "a").touch()
        (tmp_path / "a").rename(tmp_path / "a longer nämé")
        (tmp_path / "a longer nämé").unlink()
        seen = [(event.mask, event.name) for event in queue.wait(10) if event.watch == watch]
    assert seen == [
        (inotify.CREATE, "a"),
        (inotify.MOVED_FROM, "a"),
        (inotify.MOVED_TO, "a longer nämé"),
        (inotify.DELETE, "a longer nämé"),
    ]


def test_a_file_is_followed_through_its_names(tmp_path: Path) -> None:
    """An opening of it is told whatever it is called by then."""
    with Inotify() as queue:
        (tmp_path / "a").touch()
        watch = queue.watch(tmp_path / "a", inotify.OPEN)
        (tmp_path / "a").rename(tmp_path / "b")
        assert queue.wait(0) == []
        (tmp_path / "b").read_text()
        assert [(event.watch, event.mask, event.name) for event in queue.wait(10)] == [(watch, inotify.OPEN, "")]


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """When nothing happens, and when it is late already."""
    with Inotify() as queue:
        queue.watch(tmp_path, inotify.CREATE)
        assert queue.wait(0.01) == []
        assert queue.wait(-1) == []
        assert list(queue.until(time.monotonic() + 0.03)) == []
        (tmp_path / "a").touch()
        assert list(queue.until(time.monotonic() - 1)) == []


def test_files_that_were_written_are_told_apart_in_one_step(tmp_path: Path) -> None:
    """However often each was; then nothing is left of it."""
    with Inotify() as queue:
        files = [tmp_path / name for name in "abc"]
        for file in files:
            file.touch()
        watches = [queue.watch(file, inotify.MODIFY) for file in files]
        for _ in range(100):
            files[0].write_text("a")
            files[2].write_text("c")
        assert queue.touched() == {watches[0], watches[2]}
        assert queue.touched() == frozenset()


def test_what_is_not_there_is_not_followed(tmp_path: Path) -> None:
    """The error has the path."""
    with Inotify() as queue, pytest.raises(FileNotFoundError, match="missing"):
        queue.watch(tmp_path / "missing", inotify.OPEN)


def test_queues_are_given_back() -> None:
    """A user has 128 of them by default."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(300):
        with Inotify() as queue:
            queue.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_queue_that_nobody_has_any_more_is_closed() -> None:
    """As a file is; to close it twice is nothing, whoever has its number by then."""
    queue = Inotify()
    link = Path(f"/proc/self/fd/{queue.fileno()}")
    assert str(link.readlink()) == "anon_inode:inotify"
    del queue
    assert not link.is_symlink() or str(link.readlink()) != "anon_inode:inotify"
    queue = Inotify()
    queue.close()
    with Path(os.devnull).open("rb") as other:
        queue.close()
        assert os.fstat(other.fileno())
