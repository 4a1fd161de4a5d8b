"""No way of looking for a function leads round the library, and each answers as the loader would."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from simulated import BUILD, Machine

LOOKUPS = str(BUILD / "tests/lookups")
LIMIT = {"CUDA_DEVICE_MEMORY_LIMIT": "1g"}


LATE = str(BUILD / "tests/liblateasker.so")


def homes(machine: Machine, *names: str, asked: tuple[str, ...] = ("next",), **limits: str) -> dict[str, list[str]]:
    """Of each name: the library that answers RTLD_NEXT, whether it does so again, and the answer with a version."""
    answer = machine.run(LOOKUPS, *asked, *names, **limits)
    assert answer.returncode == 0, answer.stderr
    lines = [line.split() for line in answer.stdout.splitlines()]
    return {name: found for name, *found in lines}


@pytest.mark.parametrize("name", ["cuMemAlloc_v2", "cuGetProcAddress_v2", "cuLaunchKernel_ptsz"])
def test_the_next_definition_of_a_hooked_name_is_ours(machine: Machine, name: str) -> None:
    """A library behind ours asks for what comes after it: that is the driver's, so it gets the wrapper."""
    assert homes(machine, name, **LIMIT)[name] == ["libvgpu.so", "same", "libvgpu.so"]


@pytest.mark.parametrize("name", ["dlmopen", "dlopen", "dlsym", "dlvsym"])
def test_looking_for_the_lookup_itself_gives_ours(machine: Machine, name: str) -> None:
    """With and without a symbol version: the C library's own would lead round us."""
    assert homes(machine, name, **LIMIT)[name] == ["libvgpu.so", "same", "libvgpu.so"]


@pytest.mark.parametrize("name", ["cuMemAlloc_v2", "cuLaunchKernel_ptsz", "dlsym", "dlvsym"])
def test_a_library_opened_later_gets_ours_too(machine: Machine, name: str) -> None:
    """What it needs was loaded before it, so nothing comes after it; without us it finds the driver all the same."""
    bare = homes(machine.bare(), name, asked=("later", LATE))[name]
    assert bare[:2] == ["libc.so.6" if name.startswith("dl") else "libcuda.so.1", "same"]
    assert homes(machine, name, asked=("later", LATE), **LIMIT)[name] == ["libvgpu.so", "same", "libvgpu.so"]


def test_a_library_opened_later_finds_nothing_that_is_not_there(machine: Machine) -> None:
    """A name of a driver that is not in the process stays unknown; other names are answered as without us."""
    names = ("nvmlInit_v2", "cuDeviceGetName", "malloc", "cuNoSuchFunction")
    inside = homes(machine, *names, asked=("later", LATE), **LIMIT)
    assert inside == homes(machine.bare(), *names, asked=("later", LATE))
    assert inside["nvmlInit_v2"][0] == "none"


def test_a_namespace_of_its_own_does_not_hide_the_driver(machine: Machine) -> None:
    """The driver opened by dlmopen is the one of the process; without a slice it is a second one, as asked."""
    names = ("cuMemAlloc_v2", "cuDeviceGetName")
    found = homes(machine, *names, asked=("apart", "libcuda.so.1"), **LIMIT)
    assert found == {"cuMemAlloc_v2": ["libvgpu.so"], "cuDeviceGetName": ["libcuda.so.1"]}
    bare = homes(machine.bare(), *names, asked=("apart", "libcuda.so.1"))
    assert bare == {"cuMemAlloc_v2": ["libcuda.so.1"], "cuDeviceGetName": ["libcuda.so.1"]}


def test_other_names_are_answered_as_without_the_library(machine: Machine) -> None:
    """What is not hooked comes from where it did, the same at every time, and an unknown name from nowhere."""
    names = ("malloc", "pthread_create", "cuDeviceGetName", "cuNoSuchFunction")
    inside = homes(machine, *names, **LIMIT)
    assert inside == homes(machine.bare(), *names)
    assert inside["malloc"][:2] == ["libc.so.6", "same"]
    assert inside["cuNoSuchFunction"][0] == "none"


def test_without_a_slice_nothing_is_ours(machine: Machine) -> None:
    """A process in no slice gets the driver's and the C library's own functions."""
    del machine.variables["CUDA_DEVICE_MEMORY_SHARED_CACHE"]
    found = homes(machine, "cuMemAlloc_v2", "dlsym")
    assert found["cuMemAlloc_v2"][0] == "libcuda.so.1"
    assert found["dlsym"][0] == "libc.so.6"


@pytest.mark.parametrize("binding", ["lazy", "now"])
@pytest.mark.parametrize("mode", ["lazy", "now"])
@pytest.mark.parametrize("function", ["granted_by_call", "granted_by_name"])
@pytest.mark.parametrize("found", ["by path", "by the program's search path"])
def test_a_deeply_bound_library_is_limited(
    machine: Machine, binding: str, mode: str, function: str, found: str
) -> None:
    """RTLD_DEEPBIND lets a library find the driver before us: 16 times 64 MiB are granted all the same, not 64."""
    name = f"libdeepbound_{binding}.so"
    path = str(BUILD / "tests" / name) if found == "by path" else name
    inside = machine.run(LOOKUPS, "deepbind", path, mode, function, **LIMIT)
    assert (inside.stdout, inside.stderr) == ("16\n", "")
    assert machine.bare().run(LOOKUPS, "deepbind", path, mode, function).stdout == "64\n"


def unsealed(library: Path, copy: Path) -> None:
    """A copy whose sealed range ends 8 bytes before its page does, as where pages are larger than the linker knew."""
    data = bytearray(library.read_bytes())
    (headers,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for header in range(headers, headers + size * count, size):
        if struct.unpack_from("<I", data, header) == (0x6474E552,):  # PT_GNU_RELRO
            (memory,) = struct.unpack_from("<Q", data, header + 40)
            struct.pack_into("<QQ", data, header + 32, memory - 8, memory - 8)
    copy.write_bytes(data)


def test_a_page_that_was_not_sealed_stays_writable(machine: Machine, tmp_path: Path) -> None:
    """The loader seals whole pages; a library may keep variables in the last part of one."""
    copy = tmp_path / "libunsealed.so"
    unsealed(BUILD / "tests/libdeepbound_now.so", copy)
    for where in (machine.bare(), machine):
        answer = where.run(LOOKUPS, "deepbind", str(copy), "now", "written_beside", **LIMIT)
        assert (answer.returncode, answer.stdout) == (0, "2\n")


def test_a_library_that_is_not_there_is_told_as_without_us(machine: Machine) -> None:
    """The loader's own words."""
    inside = machine.run(LOOKUPS, "deepbind", "/nowhere/libnone.so", "now", "granted_by_call", **LIMIT)
    assert inside.returncode == 1
    assert "/nowhere/libnone.so" in inside.stderr
    assert inside.stderr == machine.bare().run(LOOKUPS, "deepbind", "/nowhere/libnone.so", "now", "f").stderr
