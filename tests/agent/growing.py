"""Regions, and the ways in which a program can make one take more."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from hetero.agent.bounded import SLACK
from hetero.enforcement.layout import SIZE

KEEP_SIZE = 1
"""Source: Linux, include/uapi/linux/falloc.h, ``FALLOC_FL_KEEP_SIZE``."""

FAR = 3 * SIZE + SLACK


def make(path: Path) -> Path:
    """A region, whose bytes can be told."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"head")
    os.truncate(path, SIZE)
    return path


def set_aside(path: Path) -> None:
    """Take room behind the end of a file, whose length stays."""
    with path.open("r+b") as file:
        libc = ctypes.CDLL(None, use_errno=True)
        result = libc.fallocate(file.fileno(), KEEP_SIZE, ctypes.c_long(SIZE), ctypes.c_long(FAR))
        assert result == 0, os.strerror(ctypes.get_errno())


def append(path: Path) -> None:
    """Write behind its end."""
    with path.open("r+b") as file:
        file.seek(FAR)
        file.write(b"more")


def lengthen(path: Path) -> None:
    """Say that it is longer."""
    os.truncate(path, FAR)


GROW: list[Callable[[Path], None]] = [append, lengthen, set_aside]


def taken(path: Path) -> int:
    """What a file takes of its file system, at least and at most."""
    found = path.stat()
    return max(found.st_size, found.st_blocks * 512)
