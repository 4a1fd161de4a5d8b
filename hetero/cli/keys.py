"""Keys that are pressed while something is shown, read one by one."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self

_NAMES = {
    b"\x1b[6~": "next", b"\x1b[B": "next", b"\x1b[C": "next", b" ": "next", b"n": "next", b"j": "next", b"f": "next",
    b"\x1b[5~": "back", b"\x1b[A": "back", b"\x1b[D": "back", b"p": "back", b"k": "back", b"b": "back",
    b"\x1b[H": "first", b"\x1b[1~": "first", b"g": "first",
    b"q": "quit", b"Q": "quit",
}  # fmt: skip
"""What a terminal sends. Source: ECMA-48 and xterm's control sequences, "VT220-Style Function Keys"."""


class Keys:
    """The keyboard, without waiting for the end of a line; the terminal is as before when it is left.

    Where standard input is no terminal there are no keys, and waiting is all that :meth:`wait` does.
    """

    def __init__(self) -> None:
        self._terminal = sys.stdin.fileno() if sys.stdin.isatty() else -1
        self._before: list[object] = []

    def __enter__(self) -> Self:
        if self._terminal >= 0:
            self._before = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._terminal >= 0:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]

    def wait(self, seconds: float) -> str:
        """Wait until a key is pressed: ``next``, ``back``, ``first`` or ``quit``; empty for others, and when none was.

        Args:
            seconds: At most.
        """
        watched = [self._terminal] if self._terminal >= 0 else []
        ready, _, _ = select.select(watched, [], [], seconds)
        if not ready:
            return ""
        pressed = os.read(self._terminal, 16)
        return "quit" if not pressed else _NAMES.get(pressed, "")
