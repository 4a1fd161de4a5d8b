"""Limits are changed from outside in a file that programs may do anything to: none of them reaches who changes it."""

from __future__ import annotations

import mmap
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hetero.enforcement import layout, region
from hetero.enforcement.limits import DeviceLimit, Limits
from hetero.errors import RegionError

CUT = """
import os, sys
from pathlib import Path
from hetero.enforcement import region

path = Path(sys.argv[1])
store = region._store

def late(*arguments):
    os.truncate(path, 0)
    store(*arguments)

region._store = late
region.change(path, 0, cores=60)
"""
"""Changes a limit; the file is cut after it was found sound, before the limit is written."""

HOLD = """
import fcntl, sys

with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
"""Holds a region's lock until its input ends."""

LIMIT = DeviceLimit(uuid="GPU-1", memory=1 << 30, cores=30, policy="conserve")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A sound region."""
    path = tmp_path / "region"
    region.create(path, Limits(slice_id="hostile", devices=(LIMIT,)))
    return path


def test_who_changes_a_region_that_is_cut_meanwhile_is_not_killed(made: Path) -> None:
    """A container that ends its node's agent by SIGBUS would disturb all others."""
    ended = subprocess.run([sys.executable, "-c", CUT, str(made)], check=False, capture_output=True)
    assert ended.returncode != -signal.SIGBUS
    assert ended.returncode == 0, ended.stderr.decode()
    with pytest.raises(RegionError):
        region.read(made)


def test_a_lock_that_a_program_never_lets_go_keeps_nobody_waiting(made: Path) -> None:
    """Whoever lends looks at all slices of a node, one after the other."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(made)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        refused: list[RegionError] = []

        def change() -> None:
            try:
                region.change(made, 0, cores=60)
            except RegionError as error:
                refused.append(error)

        changing = threading.Thread(target=change, daemon=True)
        changing.start()
        changing.join(120)
        waits = changing.is_alive()
        holder.communicate(b"")
    assert not waits
    [error] = refused
    assert "cannot be changed" in str(error)
    region.change(made, 0, cores=60)
    assert region.read(made).devices[0].core_limit == 60


def test_who_reads_a_region_ends_no_change_of_it(made: Path) -> None:
    """An agent reads in one thread and lends in another: to read must not let a second one change meanwhile."""
    with region._changing(made):
        region.read(made)
        with pytest.raises(RegionError, match="cannot be changed"):
            region.change(made, 0, cores=60)
    region.change(made, 0, cores=60)


def test_who_reads_a_limit_never_sees_half_of_it(made: Path) -> None:
    """Programs read it at any moment, by one load of the processor."""
    place = layout.DEVICE.start + layout.DEVICE.fields["memory_limit"].offset
    whole = (0x0101_0101_0101_0101, 0x7E7E_7E7E_7E7E_7E7E)
    over = threading.Event()

    def write() -> None:
        for turn in range(2000):
            region.change(made, 0, memory=whole[turn % 2])
        over.set()

    region.change(made, 0, memory=whole[1])
    with made.open("r+b") as file, mmap.mmap(file.fileno(), layout.SIZE) as memory:
        words = memoryview(memory).cast("Q")
        writer = threading.Thread(target=write)
        writer.start()
        seen = set()
        while not over.is_set():
            seen.add(words[place // struct.calcsize("Q")])
        writer.join()
        words.release()
    assert seen <= set(whole)
