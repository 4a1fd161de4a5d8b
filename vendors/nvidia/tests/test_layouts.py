"""The structures by which the binding speaks to NVML's MIG, against what a compiler made of the vendor's header."""

from __future__ import annotations

import ctypes

import pynvml
import pytest

# Structure of the binding: its size, and where some of its members begin. Source: nvml.h, API version 13, x86-64; the
# simulated library asserts the same of its own when it is compiled (native/abi/nvml_mig_abi.h).
LAYOUTS = {
    "c_nvmlGpuInstancePlacement_t": (8, {"start": 0, "size": 4}),
    "c_nvmlGpuInstanceProfileInfo_t": (48, {"id": 0, "sliceCount": 8, "instanceCount": 12, "memorySizeMB": 40}),
    "c_nvmlGpuInstanceInfo_t": (24, {"device": 0, "id": 8, "profileId": 12, "placement": 16}),
    "c_nvmlComputeInstanceProfileInfo_t": (36, {"id": 0, "sliceCount": 4, "instanceCount": 8}),
    "c_nvmlComputeInstanceInfo_t": (32, {"gpuInstance": 8, "id": 16, "profileId": 20, "placement": 24}),
    "c_nvmlFieldValue_t": (40, {"fieldId": 0, "timestamp": 8, "valueType": 24, "nvmlReturn": 28, "value": 32}),
    "c_nvmlMemory_v2_t": (40, {"version": 0, "total": 8, "reserved": 16, "free": 24, "used": 32}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_structure_is_laid_out_as_the_header_has_it(name: str) -> None:
    """A binding that moved a member would read one number as another, without any error."""
    size, members = LAYOUTS[name]
    structure = getattr(pynvml, name)
    assert ctypes.sizeof(structure) == size
    assert {member: getattr(structure, member).offset for member in members} == members
