"""Keys are read one by one, without waiting for the end of a line."""

from __future__ import annotations

import os
import pty
import sys
import termios
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from hetero.cli.keys import Keys


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is written here is pressed."""
    ours, theirs = pty.openpty()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True, fileno=lambda: theirs))
    yield ours
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("pressed", "key"),
    [(b" ", "next"), (b"\x1b[6~", "next"), (b"\x1b[5~", "back"), (b"b", "back"), (b"g", "first"), (b"q", "quit")],
)
def test_a_key_has_a_meaning(keyboard: int, pressed: bytes, key: str) -> None:
    """At once; what has none is nothing."""
    with Keys() as keys:
        os.write(keyboard, pressed)
        assert keys.wait(10) == key
        os.write(keyboard, b"z")
        assert keys.wait(10) == ""


def test_nothing_pressed_is_nothing(keyboard: int) -> None:
    """After the time that was given."""
    with Keys() as keys:
        assert keys.wait(0.01) == ""


def test_the_terminal_is_as_before(keyboard: int) -> None:
    """Also when it was left by an error."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    during = []

    def left() -> None:
        with Keys():
            during.append(termios.tcgetattr(terminal))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        left()
    assert during[0] != before
    assert termios.tcgetattr(terminal) == before


def test_without_a_keyboard_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """And reads nothing of what a pipe may hold."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    with Keys() as keys:
        assert keys.wait(0.01) == ""
