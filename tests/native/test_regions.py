"""Regions that somebody else wrote: what they say is obeyed, and what the library writes can be read from outside."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import Machine, uuid

from hetero.enforcement import layout, region
from hetero.enforcement.limits import DeviceLimit, Limits

GIB = 1 << 30


def write(machine: Machine, *devices: DeviceLimit) -> Path:
    """The region of the machine's slice."""
    path = machine.directory / "region"
    region.create(path, Limits(slice_id="slice-1", devices=devices))
    return path


def test_a_region_is_obeyed_without_any_variable(machine: Machine, granted: Callable[[str], int]) -> None:
    """The file alone makes a slice; nobody has prepared its locks."""
    write(machine, DeviceLimit(uuid=uuid(0), memory=GIB))
    assert granted(machine.run("fill").stdout) == 1024


def test_a_region_wins_over_the_variables(machine: Machine, granted: Callable[[str], int]) -> None:
    """What a program's owner puts into the environment does not widen a slice that is already there."""
    write(machine, DeviceLimit(uuid=uuid(0), memory=GIB))
    assert granted(machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="8g").stdout) == 1024


def test_a_container_that_starts_anew_gets_its_new_limit(machine: Machine, granted: Callable[[str], int]) -> None:
    """A region made from the environment is the environment's, as long as nobody lives in it."""
    for mib in (1024, 3072, 2048):
        assert granted(machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT=f"{mib}m").stdout) == mib


def test_a_slice_in_which_somebody_lives_keeps_its_limit(machine: Machine, granted: Callable[[str], int]) -> None:
    """Who comes with another limit is told so, if it wants to know, and keeps to the slice's."""
    with machine.start("hold", "--mib", "512", CUDA_DEVICE_MEMORY_LIMIT="1g") as process:
        assert process.stdout
        assert process.stdout.readline() == "holding\n"
        answer = machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="8g", LIBCUDA_LOG_LEVEL="2")
        process.kill()
    assert granted(answer.stdout) == 512
    assert "keeps its limits, since processes live in it" in answer.stderr
    assert granted(machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="8g").stdout) == 8192


@pytest.mark.parametrize(("visible", "mib"), [("0", 1024), ("1", 3072), ("1,0", 3072), ("0,1", 1024)])
def test_a_device_is_known_by_its_identity(
    machine: Machine, granted: Callable[[str], int], visible: str, mib: int
) -> None:
    """Whatever order the program sees, each card has its own limit."""
    machine.cards(12288, 12288)
    write(machine, DeviceLimit(uuid=uuid(0), memory=GIB), DeviceLimit(uuid=uuid(1), memory=3 * GIB))
    assert granted(machine.run("fill", CUDA_VISIBLE_DEVICES=visible).stdout) == mib


def test_a_card_outside_the_slice_gives_nothing(machine: Machine) -> None:
    """Memory fails closed: a card that the region does not name is out of memory from the context on."""
    machine.cards(12288, 12288)
    write(machine, DeviceLimit(uuid=uuid(0), memory=GIB))
    answer = machine.run("fill", CUDA_VISIBLE_DEVICES="1")
    assert "CUDA_ERROR_OUT_OF_MEMORY" in answer.stderr
    assert "granted" not in answer.stdout


EARLY = """
import ctypes, struct
cuda = ctypes.CDLL("libcuda.so.1")
handle, context, pointer = ctypes.c_ulonglong(), ctypes.c_void_p(), ctypes.c_ulonglong()
device_memory = struct.pack("<IIIIQ8s", 1, 0, 1, 0, 0, b"")  # CUmemAllocationProp: pinned, on device 0
assert cuda.cuMemCreate(ctypes.byref(handle), ctypes.c_size_t(1 << 21), device_memory, ctypes.c_ulonglong(0)) != 0
assert cuda.cuInit(0) == 0
print(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), cuda.cuCtxSetCurrent(context),
      cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(1 << 21)))
"""


def test_who_asks_before_the_driver_has_started_is_served_afterwards(machine: Machine) -> None:
    """Until then no device tells its identity; that is no reason to refuse memory for ever."""
    write(machine, DeviceLimit(uuid=uuid(0), memory=GIB))
    answer = machine.run(sys.executable, "-c", EARLY)
    assert (answer.stdout, answer.stderr) == ("0 0 0\n", "")


def test_what_a_slice_holds_can_be_read_from_outside(machine: Machine) -> None:
    """The sum, the process with its name, and what was refused."""
    path = write(machine, DeviceLimit(uuid=uuid(0), memory=GIB))
    with machine.start("hold", "--mib", "512") as process:
        assert process.stdout
        assert process.stdout.readline() == "holding\n"
        assert machine.run("fill", "--step", "1g").returncode == 0
        state = region.read(path)
        process.kill()
    [device] = state.devices
    assert (device.uuid, device.memory_used, device.refused) == (uuid(0), 512 << 20, 1)
    assert [(one.name, one.memory) for one in state.processes if one.pid == process.pid] == [("hold", (512 << 20,))]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"x" * 100, "is no region of this release"),
        (b"x" * layout.SIZE, "this library reads version 2"),
        (
            struct.pack("<QI", layout.MAGIC, 1).ljust(532480, b"\0"),
            "is a region of version 1, this library reads version 2",
        ),
    ],
)
def test_a_file_that_is_no_region_gives_no_memory(machine: Machine, content: bytes, complaint: str) -> None:
    """It is left as it is, and one line says what to do."""
    path = machine.directory / "region"
    path.write_bytes(content)
    answer = machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="1g")
    assert answer.returncode == 1
    assert complaint in answer.stderr
    assert "granted" not in answer.stdout
    assert path.stat().st_size == len(content)


def test_a_region_that_was_never_finished_is_made_anew(machine: Machine, granted: Callable[[str], int]) -> None:
    """Its maker died between making the file and filling it."""
    (machine.directory / "region").write_bytes(bytes(layout.SIZE))
    assert granted(machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="2g").stdout) == 2048


def test_a_region_is_the_owners_alone(machine: Machine) -> None:
    """Neither readable nor writable by others, whatever the umask; a link in its place is not followed."""
    machine.run("sh", "-c", "umask 0; exec fill", CUDA_DEVICE_MEMORY_LIMIT="1g")
    path = machine.directory / "region"
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(machine.directory / "elsewhere")
    path.symlink_to(machine.directory / "elsewhere")
    assert "cannot be opened" in machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="1g").stderr


EIGHT = """
for i in 1 2 3 4 5 6 7 8; do hold --mib 256 >>"$0" 2>&1 & done
until [ $(grep -c -e holding -e OUT_OF_MEMORY "$0") -eq 8 ]; do sleep 0.01; done
kill $(jobs -p) 2>/dev/null; wait
"""
"""Eight that start at once, until each has said what it got."""


def test_many_first_processes_make_one_region(machine: Machine) -> None:
    """Those that come at the same moment share the slice: together they get the limit once."""
    said = machine.directory / "said"
    answer = subprocess.run(
        ["bash", "-c", EIGHT, said],
        env=machine.environment(CUDA_DEVICE_MEMORY_LIMIT="1g"),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert answer.returncode == 0, answer.stderr
    assert said.read_text().count("holding") == 4
    assert said.read_text().count("CUDA_ERROR_OUT_OF_MEMORY") == 4
