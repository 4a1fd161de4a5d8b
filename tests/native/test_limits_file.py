"""The limits file of the node's owner, before a program with the preload library: no variable widens it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import BUILD, Machine, uuid

from hetero.enforcement import limits
from hetero.enforcement.limits import DeviceLimit, Limits

GIB = 1 << 30

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """What programs will find as ``/etc/hetero``."""
    made = tmp_path / "etc/hetero"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def run(machine: Machine, etc: Path) -> Run:
    """Run a program that has ``etc`` in the place of ``/etc/hetero``, and is root as far as it can tell."""
    apart = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here, so no file system of the test's own")
    allowed = subprocess.run(
        [*apart, "mount", "--bind", etc.parent, "/etc"], capture_output=True, text=True, check=False
    )
    if allowed.returncode:
        pytest.skip(f"no file system of the test's own can be made here: {allowed.stderr.strip()}")
    # The library comes after the mount: mount itself would not find what it needs.
    inside = 'mount --bind "$1" /etc && shift && LD_PRELOAD="$1" && export LD_PRELOAD && shift && exec "$@"'

    def start(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        library = machine.variables["LD_PRELOAD"]
        words = [*apart, "sh", "-c", inside, "sh", str(etc.parent), library, *command]
        return machine.bare().run(*words, **variables)

    return start


def _limits(memory: int) -> Limits:
    return Limits(slice_id="slice-1", devices=(DeviceLimit(uuid=uuid(0), memory=memory),))


def test_the_file_wins_over_the_environment(run: Run, etc: Path, granted: Callable[[str], int], tmp_path: Path) -> None:
    """Neither a limit nor a region of the program's own choice matters, nor that none is chosen."""
    limits.write(etc / "limits", _limits(2 * GIB), tmp_path / "held")
    for variables in (
        {"CUDA_DEVICE_MEMORY_LIMIT": "8g"},
        {"CUDA_DEVICE_MEMORY_LIMIT": "1g"},
        {"CUDA_DEVICE_MEMORY_SHARED_CACHE": str(tmp_path / "own")},
        {"CUDA_DEVICE_MEMORY_LIMIT": "nonsense", "CUDA_DEVICE_MEMORY_SHARED_CACHE": ""},
    ):
        assert granted(run("fill", **variables).stdout) == 2048
    assert (tmp_path / "held").exists()
    assert not (tmp_path / "own").exists()


def test_the_file_wins_over_what_a_region_says(
    run: Run, etc: Path, granted: Callable[[str], int], tmp_path: Path
) -> None:
    """Also when it says something else than before."""
    for memory in (1, 3, 2):
        limits.write(etc / "limits", _limits(memory * GIB), tmp_path / "held")
        assert granted(run("fill").stdout) == 1024 * memory


@pytest.mark.parametrize(
    ("text", "mode", "complaint"),
    [
        (
            "memory = 2x\n",
            0o444,
            "/etc/hetero/limits:1: memory = '2x' is not a size such as 512m or 2g; no memory is given",
        ),
        (
            "memory = 2g\nmemmory_0 = 1g\n",
            0o444,
            "/etc/hetero/limits:2: memmory_0 is no key of this file; no memory is",
        ),
        ("memory = 2g\n", 0o666, "/etc/hetero/limits may be written by group or others; no memory is given"),
    ],
)
def test_a_file_that_cannot_be_taken_gives_no_memory(run: Run, etc: Path, text: str, mode: int, complaint: str) -> None:
    """One line says what is wrong with which line of which file; the environment is not asked instead."""
    (etc / "limits").write_text(text)
    (etc / "limits").chmod(mode)
    answer = run("fill", CUDA_DEVICE_MEMORY_LIMIT="8g")
    ours, programs = answer.stderr.splitlines()
    assert complaint in ours
    assert "CUDA_ERROR_OUT_OF_MEMORY" in programs
    assert "granted" not in answer.stdout


def test_without_the_file_the_environment_is_asked(run: Run, granted: Callable[[str], int]) -> None:
    """The directory may be there and empty."""
    assert granted(run("fill", CUDA_DEVICE_MEMORY_LIMIT="1g").stdout) == 1024


def test_a_malloc_that_looks_for_another_one_finds_it(
    run: Run, etc: Path, granted: Callable[[str], int], machine: Machine, tmp_path: Path
) -> None:
    """Reading the file takes memory: who asks for a name that concerns nobody is answered before that."""
    limits.write(etc / "limits", _limits(GIB), tmp_path / "held")
    machine.variables["LD_PRELOAD"] = f"{BUILD / 'tests/libtracedmalloc.so'}:{BUILD / 'libvgpu.so'}"
    assert granted(run("timeout", "20", "fill").stdout) == 1024
