"""The library is not noticed: not by programs without a driver, not by those that look for functions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from simulated import BUILD, Machine

ABI = Path(__file__).parents[2] / "native/abi"

LIMIT = {"CUDA_DEVICE_MEMORY_LIMIT": "2g"}

SURROUNDINGS = "import os, signal; print(os.umask(0), sorted(os.environ), [signal.getsignal(s) for s in (2, 11, 15)])"

# Every name with all versions and flags: what came back, and the name of the function that it is.
LOOKUP = """
import ctypes, json, sys

class Info(ctypes.Structure):
    _fields_ = [("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p), ("at", ctypes.c_long)]

driver = ctypes.CDLL("libcuda.so.1")
dladdr = ctypes.CDLL(None).dladdr
# A driver before CUDA 12 has the first form alone, which tells no status.
with_status = getattr(driver, "cuGetProcAddress_v2", None)
answers = {}
names, versions = json.loads(sys.argv[1])
for name in names:
    for version in versions:
        for flags in (0, 1, 2):
            pointer, status, info = ctypes.c_void_p(), ctypes.c_int(-1), Info()
            question = name.encode(), ctypes.byref(pointer), version, ctypes.c_ulonglong(flags)
            code = with_status(*question, ctypes.byref(status)) if with_status else driver.cuGetProcAddress(*question)
            if pointer.value:
                dladdr(pointer, ctypes.byref(info))
            answers[f"{name} {version} {flags}"] = [code, status.value, (info.name or b"").decode()]
print(json.dumps(answers))
"""

WHERE = """
import ctypes, json, sys

class Info(ctypes.Structure):
    _fields_ = [("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p), ("at", ctypes.c_long)]

process = ctypes.CDLL(None)
process.dlsym.restype = ctypes.c_void_p
process.dlopen.restype = ctypes.c_void_p
handle = ctypes.c_void_p(process.dlopen(b"libcuda.so.1", 2))
found = {}
for name in json.loads(sys.argv[1]):
    info = Info()
    address = process.dlsym(handle, name.encode())
    process.dladdr(ctypes.c_void_p(address), ctypes.byref(info))
    found[name] = (info.file or b"").decode()
print(json.dumps(found))
"""


def rows(name: str) -> list[dict[str, str]]:
    """The rows of an ABI list."""
    keys = ("symbol", "base", "since", "stream", "hook", "parameters")
    lines = [line for line in (ABI / name).read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [dict(zip(keys, map(str.strip, line.split("|")), strict=True)) for line in lines]


def exported(library: Path) -> set[str]:
    """The symbols that a library exports."""
    output = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in output.splitlines()}


def test_a_program_without_a_driver_is_left_alone(machine: Machine) -> None:
    """No region, no output, the same environment, umask, signals and exit code."""
    inside = machine.run(sys.executable, "-c", SURROUNDINGS, **LIMIT)
    outside = machine.bare().run(sys.executable, "-c", SURROUNDINGS, **LIMIT)
    assert inside.stdout.replace("'LD_PRELOAD', ", "") == outside.stdout
    assert not inside.stderr
    assert machine.run("sh", "-c", "exit 7", **LIMIT).returncode == 7
    assert not (machine.directory / "region").exists()


def test_a_program_with_a_driver_hears_nothing(machine: Machine) -> None:
    """Nothing is written to standard error or output unless it is asked for."""
    answer = machine.run("overhead", **LIMIT)
    assert not answer.stderr
    assert json.loads(answer.stdout)


def test_only_what_is_intercepted_is_exported() -> None:
    """The library's symbols are the hooked rows of the lists, the loader's functions, and nothing else."""
    hooked = {row["symbol"] for name in ("cuda.list", "nvml.list") for row in rows(name) if row["hook"] != "-"}
    names = exported(BUILD / "libvgpu.so")
    assert hooked <= names
    assert names - hooked <= {"dlmopen", "dlopen", "dlsym", "dlvsym"}


@pytest.mark.parametrize("driver", ["cuda-11.8", "cuda-12.4", "cuda-12.9", ".", "cuda-13.5"])
def test_looking_up_a_function_answers_as_the_driver_does(machine: Machine, driver: str) -> None:
    """Every name, version and flag, on drivers of five versions: the same result and status, the same variant."""
    names = sorted({row["base"] for row in rows("cuda.list")} | {"cuNoSuchFunction"})
    versions = sorted({int(row["since"]) for row in rows("cuda.list")} | {1000, 99000})
    question = json.dumps([names, versions])
    library = {"LD_LIBRARY_PATH": str(BUILD / "sim" / driver)}
    inside = machine.run(sys.executable, "-c", LOOKUP, question, **LIMIT, **library)
    outside = machine.bare().run(sys.executable, "-c", LOOKUP, question, **library)
    answers = json.loads(inside.stdout)
    assert answers == json.loads(outside.stdout)
    assert len({name for _, _, name in answers.values()}) > 400  # variants were found, and told apart


@pytest.mark.parametrize("hooked", [True, False])
def test_dlsym_gives_ours_where_we_stand_between(machine: Machine, hooked: bool) -> None:
    """What is intercepted comes from the library, everything else from the driver itself."""
    present = [row for row in rows("cuda.list") if int(row["since"]) <= 13000]  # the simulated driver's version
    names = [row["symbol"] for row in present if (row["hook"] != "-") == hooked]
    found = json.loads(machine.run(sys.executable, "-c", WHERE, json.dumps(names), **LIMIT).stdout)
    expected = "libvgpu.so" if hooked else "libcuda.so.1"
    assert {name: Path(file).name for name, file in found.items()} == dict.fromkeys(names, expected)
