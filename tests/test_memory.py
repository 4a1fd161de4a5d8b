"""A process does not keep for good what its threads and long texts took."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from hetero import memory

TEXTS = """
import ctypes
from hetero import memory

class Memory(ctypes.Structure):  # malloc.h, struct mallinfo2
    _fields_ = [("before", ctypes.c_size_t * 3), ("hblks", ctypes.c_size_t), ("after", ctypes.c_size_t * 6)]

look = ctypes.CDLL(None).mallinfo2
look.restype = Memory
assert memory.give_long_ones_back()
bytearray(4 << 20)
before = look().hblks
text = bytearray(400 << 10)
assert look().hblks == before + 1
del text
assert look().hblks == before
"""
"""Pieces of memory that are mapped by themselves go back to the kernel; a text of 400 KiB does after one of 4 MiB."""


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The C library, without anything in it."""
    made = SimpleNamespace()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: made)
    return made


def test_the_c_library_is_told(library: SimpleNamespace) -> None:
    """By the number of its header: M_ARENA_MAX is -8."""
    told: list[tuple[int, int]] = []
    library.mallopt = lambda *words: told.append(words) or 1
    assert memory.few_arenas()
    assert told == [(-8, memory.ARENAS)]


def test_a_refusal_is_seen(library: SimpleNamespace) -> None:
    """It answers 0 for a number that it does not know."""
    library.mallopt = lambda *_: 0
    assert not memory.few_arenas()


def test_a_library_without_it_is_left_alone(library: SimpleNamespace) -> None:
    """Such as musl's, which keeps nothing for each thread."""
    assert not hasattr(library, "mallopt")
    assert not memory.few_arenas()


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="not the GNU C library")
def test_the_gnu_library_takes_it() -> None:
    """The real one, and more than once."""
    assert memory.few_arenas()
    assert memory.few_arenas()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="this C library does not tell what it keeps")
def test_a_long_text_is_given_back_whatever_was_freed_before() -> None:
    """In a process of its own: in this one there is room between what other tests have left."""
    subprocess.run([sys.executable, "-c", TEXTS], check=True, timeout=600)
