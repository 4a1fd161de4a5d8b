"""The library that is shipped loads on glibc 2.17 and newer, on both architectures, and does nothing when it is loaded.

``make portable`` builds it; ``make test`` does so by itself.
"""

from __future__ import annotations

import os
import struct

import elf
import pytest
from simulated import BUILD
from test_transparency import rows

PORTABLE = BUILD.parent / "portable"

# What the C library of 2012 consists of; newer ones keep these names.
C_LIBRARY = {"libc.so.6", "libpthread.so.0", "libdl.so.2"}

# br xN, a jump to an address in a register, with the register masked out.
AARCH64_JUMP, AARCH64_REGISTER = 0xD61F0000, 0x1F << 5


@pytest.fixture(params=["x86_64", "aarch64"])
def library(request: pytest.FixtureRequest) -> elf.Library:
    """The library for one architecture."""
    path = PORTABLE / request.param / "libvgpu.so"
    if not path.exists() and "CI" not in os.environ:
        pytest.skip("make portable has not been run")
    found = elf.Library(path)
    assert elf.MACHINES[found.machine] == request.param
    return found


def test_needs_nothing_newer_than_glibc_2_17(library: elf.Library) -> None:
    """CentOS 7 has 2.17, Ubuntu 18.04 has 2.27; each refuses a library that names one version that it lacks."""
    versions = {tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in library.versions}
    assert versions
    assert max(versions) <= (2, 17)


def test_brings_no_library_along_but_the_c_library(library: elf.Library) -> None:
    """What an image may lack is not needed, the driver least of all."""
    assert "libc.so.6" in library.needed
    assert library.needed <= C_LIBRARY


def test_exports_the_hooked_rows_and_the_loaders_functions(library: elf.Library) -> None:
    """The portable library has the same symbols as the one of this machine, and these follow from the lists."""
    hooked = {row["symbol"] for name in ("cuda.list", "nvml.list") for row in rows(name) if row["hook"] != "-"}
    assert set(library.symbols) == hooked | {"dlmopen", "dlopen", "dlsym", "dlvsym"}
    assert set(library.symbols) == set(elf.Library(BUILD / "libvgpu.so").symbols)


def test_memory_is_never_writable_and_executable(library: elf.Library) -> None:
    """No executable stack, no text relocation, and what is written at load time only is read-only afterwards."""
    (stack,) = library.of_kind(elf.GNU_STACK)
    assert not stack.flags & elf.EXECUTABLE
    assert not any(s.flags & elf.WRITABLE and s.flags & elf.EXECUTABLE for s in library.of_kind(elf.LOAD))
    assert library.of_kind(elf.GNU_RELRO)
    flags = library.tag(elf.FLAGS)
    assert flags & elf.BIND_NOW
    assert flags & elf.SYMBOLIC
    assert not flags & elf.FLAG_TEXTREL
    assert elf.TEXTREL not in dict(library.dynamic)


def test_a_threads_variables_need_no_call(library: elf.Library) -> None:
    """Their place is fixed when the library is loaded: nothing is allocated in the middle of a program's launch."""
    if library.of_kind(elf.TLS):
        assert library.tag(elf.FLAGS) & elf.STATIC_TLS


def test_nothing_runs_when_it_is_loaded(library: elf.Library) -> None:
    """A process that opens no driver pays for mapping the file only: there is no constructor."""
    tags = dict(library.dynamic)
    assert elf.INIT not in tags
    assert not tags.get(elf.INIT_ARRAYSZ)


@pytest.mark.parametrize("name", ["dlmopen", "dlopen", "dlsym", "dlvsym"])
def test_leaves_to_the_c_library_by_a_jump(library: elf.Library, name: str) -> None:
    """RTLD_NEXT is answered relative to the return address, so no frame of ours may lie between."""
    code = library.code(name)
    if elf.MACHINES[library.machine] == "aarch64":
        words = [word for (word,) in struct.iter_unpack("<I", code)]
        jumps = sum(word & ~AARCH64_REGISTER == AARCH64_JUMP for word in words)
    else:
        # jmp *%rax to *%rdi (ff e0 to ff e7), or jmp *%r8 to *%r15 (41 before it).
        jumps = sum(code.count(bytes([0xFF, register])) for register in range(0xE0, 0xE8))
    assert jumps >= 1
