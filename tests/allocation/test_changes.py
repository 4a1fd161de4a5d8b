"""A wait ends when something happens in the folder, and the folder may come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hetero.allocation import changes, inotify
from hetero.allocation.changes import Changes

LONG = 60.0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that is there."""
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
def waiting(place: Path) -> Iterator[Changes]:
    """Somebody who waits for it."""
    one = Changes(place)
    yield one
    one.close()


def ended_by(waiting: Changes, act: Callable[[], object]) -> bool:
    """True when a wait that nothing else ends is ended by this."""
    ended = threading.Event()

    def wait() -> None:
        waiting.wait(LONG)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    act()
    thread.join(LONG / 2)
    return ended.is_set()


@pytest.mark.parametrize("act", ["touch", "unlink", "rename"])
def test_files_that_come_or_go_end_the_wait(place: Path, waiting: Changes, act: str) -> None:
    """By whatever way."""
    (place / "there").touch()
    waiting.wait(0)
    acts = {
        "touch": (place / "new").touch,
        "unlink": (place / "there").unlink,
        "rename": lambda: (place / "there").rename(place / "other"),
    }
    assert ended_by(waiting, acts[act])


def test_anybody_may_wake(waiting: Changes) -> None:
    """Also before the wait: it is not lost."""
    assert ended_by(waiting, waiting.wake)
    waiting.wake()
    assert ended_by(waiting, lambda: None)


def test_a_wait_is_over_in_time(waiting: Changes) -> None:
    """When nothing happens; a change is told once."""
    began = time.monotonic()
    waiting.wait(0.05)
    assert time.monotonic() - began >= 0.04


def test_a_folder_that_goes_and_comes_is_seen(place: Path, waiting: Changes) -> None:
    """What happens in the new one ends a wait as before."""
    assert ended_by(waiting, place.rmdir)
    place.mkdir()
    waiting.wait(0)
    assert ended_by(waiting, (place / "new").touch)


@pytest.mark.parametrize("missing", ["folder", "inotify"])
def test_without_word_from_the_kernel_waits_are_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """There is no folder yet, or no inotify left: who waits looks for itself now and then, and can be woken."""
    monkeypatch.setattr(changes, "WITHOUT", 0.02)
    if missing == "inotify":

        def spent() -> None:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(inotify, "Inotify", spent)
    waiting = Changes(tmp_path / "none" if missing == "folder" else tmp_path)
    try:
        assert ended_by(waiting, lambda: None)
        monkeypatch.setattr(changes, "WITHOUT", LONG)
        assert ended_by(waiting, waiting.wake)
    finally:
        waiting.close()


def test_a_kernel_that_cannot_tell_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each time that it begins, with the folder and the reason; a folder that is not there yet is no reason."""
    monkeypatch.setattr(changes, "WITHOUT", 0.0)
    made, spent = inotify.Inotify.__init__, [True]

    def begin(self: inotify.Inotify) -> None:
        if spent[0]:
            raise OSError(24, "Too many open files")
        made(self)

    monkeypatch.setattr(inotify.Inotify, "__init__", begin)
    waiting = Changes(tmp_path)
    for now in (True, False, True):
        spent[0] = now
        waiting._unwatch()
        waiting.wait(0)
        waiting.wait(0)
    spent[0] = False
    waiting.close()
    Changes(tmp_path / "none").close()
    told = "".join(capsys.readouterr())
    assert told.count("once a second") == 2
    assert str(tmp_path) in told
    assert "Too many open files" in told


def test_waking_nobody_does_nothing(place: Path) -> None:
    """A follower may leave after all has stopped."""
    one = Changes(place)
    one.close()
    one.wake()
