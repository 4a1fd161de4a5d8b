"""Turns of those who make what all slices of a machine share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hetero import turn
from hetero.errors import EnforcementError

HOLDER = """
import sys, time
from hetero import turn
with turn.taken("acme", "parts"):
    print("mine", flush=True)
    sys.stdin.read()
"""

Hold = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the turns of the vendor acme are taken."""
    monkeypatch.setenv("HETERO_HOST_ROOT_ACME", str(tmp_path))
    return tmp_path / "run/hetero/acme"


@pytest.fixture
def hold(directory: Path) -> Iterator[Hold]:
    """Start a process that has the turn until its input ends."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=pipe, stdout=pipe, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_place_is_made_for_its_user_alone(directory: Path) -> None:
    """Nobody else reads there whose instances are whose, and nothing else is made."""
    with turn.taken("acme", "parts") as place:
        assert place == directory
    assert directory.stat().st_mode & 0o777 == 0o700
    assert [(path.name, path.stat().st_mode & 0o777) for path in directory.iterdir()] == [("lock", 0o600)]


def test_one_that_hangs_does_not_make_others_hang(directory: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that keeps the turn is told with the file, so that people can look who it is."""
    hold()
    monkeypatch.setattr(turn, "PATIENCE", 0.1)
    with pytest.raises(EnforcementError) as found, turn.taken("acme", "parts"):
        pytest.fail("two at once")
    assert str(found.value) == (
        f"{directory}/lock has been held for 0.1 s: a process that makes or removes parts does not come back; "
        f"see which (fuser {directory}/lock) and what the driver tells (dmesg)"
    )


def test_whoever_waits_gets_it_when_it_is_free(directory: Path, hold: Hold) -> None:
    """A holder that is killed lets go by that."""
    process, mine = hold(), threading.Event()

    def take() -> None:
        with turn.taken("acme", "parts"):
            mine.set()

    waiting = threading.Thread(target=take)
    waiting.start()
    assert not mine.is_set()
    os.kill(process.pid, signal.SIGKILL)
    waiting.join(turn.PATIENCE)
    assert mine.is_set()


def test_a_failure_within_lets_go(directory: Path) -> None:
    """And comes through as it is: the next one has its turn."""
    with pytest.raises(ZeroDivisionError), turn.taken("acme", "parts"):
        _ = 1 // 0
    with turn.taken("acme", "parts") as place:
        assert place == directory


def test_vendors_do_not_wait_for_each_other(hold: Hold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that hangs is its own vendor's matter."""
    hold()
    monkeypatch.setenv("HETERO_HOST_ROOT", str(tmp_path))
    with turn.taken("other", "parts") as place:
        assert place == tmp_path / "run/hetero/other"


def test_a_place_that_cannot_be_used_says_who_may(directory: Path) -> None:
    """A file in the way, or a link that would have a stranger's file opened, ends in one sentence."""
    directory.parent.mkdir(parents=True)
    directory.write_text("")
    with pytest.raises(EnforcementError, match=r"acme cannot be used \(File exists\); parts are made by root"):
        turn.taken("acme", "parts").__enter__()
    directory.unlink()
    directory.mkdir()
    (directory / "lock").symlink_to("/dev/null")
    with pytest.raises(EnforcementError, match=r"acme cannot be used \(Too many levels of symbolic links\)"):
        turn.taken("acme", "parts").__enter__()


def test_a_directory_is_a_lock_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For turns of a slice alone its own directory will do; it is let go with the descriptor."""
    first, second = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    try:
        turn.wait(first, tmp_path, "parts")
        monkeypatch.setattr(turn, "PATIENCE", 0.0)
        with pytest.raises(EnforcementError, match="does not come back"):
            turn.wait(second, tmp_path, "parts")
        os.close(first)
        turn.wait(second, tmp_path, "parts")
    finally:
        os.close(second)
