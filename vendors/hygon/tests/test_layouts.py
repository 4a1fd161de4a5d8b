"""The structs and calls of both libraries, as their headers and export tables have them."""

from __future__ import annotations

import ctypes
import subprocess
from ctypes import sizeof
from pathlib import Path

import hetero_native
import pytest
from hetero_hygon import hydmi, rocm_smi
from hetero_hygon.codes import DMI, RSMI
from hetero_hygon.memory import SPARE, room

DMI_INFO = {
    "name": (0, 256),
    "compute_unit_count": (256, 4),
    "global_mem_size": (264, 8),
    "usage_mem_size": (272, 8),
    "container_id": (280, 8),
    "device_id": (288, 4),
}
PROCESS = {
    "process_id": (0, 4),
    "pasid": (4, 4),
    "vram_usage": (8, 8),
    "sdma_usage": (16, 8),
    "cu_occupancy": (24, 4),
}
VERSION = {"major": (0, 4), "minor": (4, 4), "patch": (8, 4), "build": (16, 8)}
ERRORS = {"correctable": (0, 8), "uncorrectable": (8, 8)}


@pytest.mark.parametrize(
    ("kind", "size", "fields"),
    [
        (hydmi.DeviceInfo, 296, DMI_INFO),
        (rocm_smi.ProcessInfo, 32, PROCESS),
        (rocm_smi.Version, 24, VERSION),
        (rocm_smi.ErrorCount, 16, ERRORS),
    ],
)
def test_structs_are_laid_out_as_compiled(
    kind: type[ctypes.Structure], size: int, fields: dict[str, tuple[int, int]]
) -> None:
    """Offsets and sizes from the compiled headers."""
    assert sizeof(kind) == size
    found = {name: (getattr(kind, name).offset, getattr(kind, name).size) for name, *_ in kind._fields_}
    assert found == fields


def test_outputs_have_room_behind_them() -> None:
    """The newer library writes 64 bytes where the older header says 16; what is read stays what was written."""
    counts = room(rocm_smi.ErrorCount)
    ctypes.memmove(ctypes.addressof(counts), b"\1" * 64, 64)
    assert counts.uncorrectable == 0x0101010101010101
    assert SPARE >= 64
    assert all(one.process_id == 0 for one in room(rocm_smi.ProcessInfo, 3))


@pytest.mark.parametrize(
    ("code", "word"), [(0, "SUCCESS"), (3, "OPEN_MKFD_FAILED"), (17, "DEVICE_BUSY"), (31, "NOT_YET_IMPLEMENTED")]
)
def test_codes_of_libhydmi(code: int, word: str) -> None:
    """By number."""
    assert DMI[code] == word
    assert hydmi.explain(code).startswith(word)


@pytest.mark.parametrize(("code", "word"), [(0, "SUCCESS"), (11, "INSUFFICIENT_SIZE"), (19, "AMDGPU_RESTART_ERR")])
def test_codes_of_rocm_smi(code: int, word: str) -> None:
    """By number, without a sign."""
    assert RSMI[code] == rocm_smi.explain(code) == word
    assert rocm_smi.explain(0xFFFFFFFF) == "UNKNOWN_ERROR"


@pytest.mark.parametrize("code", [32, 33, 999, -1])
def test_codes_that_mean_two_things_have_no_word(code: int) -> None:
    """Header and library disagree from 32 on."""
    assert hydmi.explain(code) == "UNKNOWN"


def exports(name: str) -> set[str]:
    """The functions that a library offers, as its own table has them."""
    table = subprocess.run(
        ["nm", "-D", "--defined-only", hetero_native.library(name)], capture_output=True, text=True, check=True
    )
    return {line.split()[2] for line in table.stdout.splitlines() if " T " in line}


def test_the_simulated_libraries_export_what_they_simulate() -> None:
    """Nothing of the board that they stand on, and each symbol of libhydmi with its version."""
    dmi = exports("sim/hydmi/libhydmi.so.1")
    assert all(name.startswith("dmi") and name.endswith("@@DMI_1") for name in dmi)
    assert {f"{name}@@DMI_1" for name in hydmi.FUNCTIONS} <= dmi
    newer, older = exports("sim/hydmi/librocm_smi64.so.2"), exports("sim/hydmi/dtk/librocm_smi64.so.2")
    assert all(name.startswith("rsmi_") for name in newer)
    assert set(rocm_smi.FUNCTIONS) <= newer
    assert newer - older == {
        "rsmi_dev_cu_num_get",
        "rsmi_dev_xhcl_link_number_get",
        "rsmi_dev_xhcl_link_remote_bdfid_get",
    }


def test_libraries_have_the_names_that_are_looked_for() -> None:
    """The loader finds the driver's by the same names."""
    for door in (hydmi.NAMES, rocm_smi.NAMES):
        assert hetero_native.library(f"sim/hydmi/{door[0]}").exists()
        assert all(Path(name).name.startswith("lib") for name in door)
