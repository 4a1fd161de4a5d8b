"""The portable library on an older C library, and on the other architecture under an emulator: it loads, and it limits.

The oldest glibc at hand is 2.31 (:mod:`older` says where it is from). That nothing newer than 2.17 is asked for is
what ``test_portable.py`` reads from the file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import older
import pytest
from simulated import BUILD, Machine
from test_compute import busy
from test_processes import kill

LIMIT = {"CUDA_DEVICE_MEMORY_LIMIT": "2g"}


@dataclass
class Bench:
    """A simulated machine whose programs, drivers and C library are those of an older system."""

    system: older.System
    build: Path
    machine: Machine

    def command(self, program: str, *arguments: str) -> list[str]:
        """What runs a program there."""
        return [*self.system.prefix, str(self.build / program), *arguments]

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        return self.machine.run(*self.command(program, *arguments), **variables)


def bench_of(architecture: str, machine: Machine) -> Bench:
    """The bench of an architecture, or a skipped test that says what is missing."""
    build = BUILD.parent / "portable" / architecture
    if not (build / "libvgpu.so").exists() and "CI" not in os.environ:
        pytest.skip("make portable has not been run")
    try:
        system = older.system(architecture)
    except older.Unavailable as reason:
        pytest.skip(f"no older C library for {architecture}: {reason}")
    libraries = [*system.root.glob("lib/*-linux-gnu"), build / "sim"]
    machine.variables["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
    machine.variables["LD_PRELOAD"] = str(build / "libvgpu.so")
    return Bench(system, build, machine)


@pytest.fixture(params=["x86_64", "aarch64"])
def bench(request: pytest.FixtureRequest, machine: Machine) -> Bench:
    """Each architecture."""
    return bench_of(request.param, machine)


@pytest.fixture
def native(machine: Machine) -> Bench:
    """This machine's architecture, without an emulator, which lacks the kernel's robust locks."""
    return bench_of(os.uname().machine, machine)


def test_the_c_library_is_older_than_ours_and_split(bench: Bench) -> None:
    """The tests below say something: libdl and libpthread are libraries of their own, as they were until 2.34."""
    (name,) = [path.name for path in bench.system.root.glob("lib/*/libdl-*.so")]
    version = re.fullmatch(r"libdl-2\.(\d+)\.so", name)
    assert version
    assert int(version[1]) < 34


def test_it_loads_and_limits(bench: Bench, granted: Callable[[str], int]) -> None:
    """A program gets what the limit says, to the byte, and without the library the whole card."""
    answer = bench.run("bin/fill", **LIMIT)
    assert not answer.stderr
    assert granted(answer.stdout) == 2048
    bench.machine.variables["LD_PRELOAD"] = ""
    assert granted(bench.run("bin/fill", **LIMIT).stdout) == 12288


def test_every_query_tells_the_slice(bench: Bench) -> None:
    """The driver's two totals and the management library's, in a process with CUDA and in one without."""
    answer = bench.run("bin/cardinfo", **LIMIT)
    totals = re.findall(r"(cuDeviceTotalMem|cuMemGetInfo total|nvml total) +(\d+) MiB", answer.stdout)
    assert dict(totals) == dict.fromkeys(("cuDeviceTotalMem", "cuMemGetInfo total", "nvml total"), "2048"), answer
    assert bench.run("bin/smi", **LIMIT).stdout.count("0MiB / 2048MiB") == 2


def test_it_leaves_to_the_c_library_by_a_jump(bench: Bench) -> None:
    """RTLD_NEXT is answered relative to the program."""
    answer = bench.run("tests/test_next")
    assert answer.returncode == 0, answer


def test_on_a_root_file_system_of_its_own(native: Bench, granted: Callable[[str], int], tmp_path: Path) -> None:
    """An image of the older C library and a program alone. Without /tmp no memory is given, and it is said."""
    root = tmp_path / "root"
    shutil.copytree(native.system.root, root, symlinks=True)
    for file in ("libvgpu.so", "bin/fill", "sim/libcuda.so.1"):
        shutil.copy(native.build / file, root)
    shutil.copy(native.machine.directory / "cards.conf", root)
    loader = f"/{older.LOADER[native.system.machine]}"
    command = ["unshare", "--map-root-user", "chroot", str(root), loader, "--library-path", "/", "--preload"]
    if Machine(root, {"PATH": os.environ["PATH"]}).run(*command[:3], "/", "true").returncode:
        pytest.skip("a process may not change its root here, not even in a user namespace of its own")
    inside = Machine(root, {"PATH": os.environ["PATH"], "HETERO_SIM_DIR": "/"})
    refused = inside.run(*command, "/libvgpu.so", "/fill", **LIMIT)
    assert "hetero: /tmp/hetero-0 cannot be made: No such file or directory\n" in refused.stderr
    assert "CUDA_ERROR_OUT_OF_MEMORY" in refused.stderr
    (root / "tmp").mkdir()
    assert granted(inside.run(*command, "/libvgpu.so", "/fill", **LIMIT).stdout) == 2048


def test_a_killed_process_gives_back(native: Bench, granted: Callable[[str], int]) -> None:
    """The robust locks of the older library do what ours do."""
    process = native.machine.start(*native.command("bin/hold", "--mib", "2048"), **LIMIT)
    assert process.stdout
    assert process.stdout.readline() == "holding\n"
    assert "CUDA_ERROR_OUT_OF_MEMORY" in native.run("bin/hold", "--mib", "1", **LIMIT).stderr
    kill(process)
    assert granted(native.run("bin/fill", **LIMIT).stdout) == 2048


def test_compute_is_limited(native: Bench) -> None:
    """Time is measured and waited for as on this machine's C library."""
    answer = native.run("bin/burn", "--seconds", "1", CUDA_DEVICE_SM_LIMIT="30")
    assert busy(answer.stdout) == pytest.approx(30, abs=12)
