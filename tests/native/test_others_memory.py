"""Memory of others is theirs: whoever opens or imports it is charged nothing, and frees it as the driver says."""

from __future__ import annotations

import subprocess
import sys

import pytest
from simulated import Machine

BEGIN = """
import ctypes, os, struct, sys
cuda = ctypes.CDLL("libcuda.so.1")

class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_char * 64)]

def call(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    assert code == 0, (name, code)

def held():
    try:
        with open(os.environ["CUDA_DEVICE_MEMORY_SHARED_CACHE"], "rb") as region:
            region.seek(4096 + 128)
            return struct.unpack("<Q", region.read(8))[0] >> 20
    except FileNotFoundError:
        return 0

context, pointer, handle = ctypes.c_void_p(), ctypes.c_ulonglong(), Handle()
call("cuInit", 0)
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
call("cuCtxSetCurrent", context)
"""

EXPORT = """
call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(2 << 30))
call("cuIpcGetMemHandle", ctypes.byref(handle), pointer)
print(bytes(handle).hex(), flush=True)
sys.stdin.readline()
"""

OPEN = """
handle = Handle.from_buffer_copy(bytes.fromhex(sys.argv[1]))
opening = getattr(cuda, sys.argv[2])
answers = [opening(ctypes.byref(pointer), handle, 1), held()]
answers += [cuda.cuMemFree_v2(pointer), held(), cuda.cuIpcCloseMemHandle(pointer), held()]
answers += [cuda.cuIpcCloseMemHandle(pointer), held()]
own = ctypes.c_ulonglong()
answers += [cuda.cuMemAlloc_v2(ctypes.byref(own), ctypes.c_size_t(1 << 30)), held(), cuda.cuMemFree_v2(own), held()]
print(answers)
"""

IMPORT = """
class Memory(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("fd", ctypes.c_int * 5), ("size", ctypes.c_ulonglong),
                ("rest", ctypes.c_uint * 18)]

class Buffer(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_ulonglong), ("size", ctypes.c_ulonglong), ("rest", ctypes.c_uint * 18)]

memory, asked = ctypes.c_void_p(), Memory(1, (ctypes.c_int * 5)(), 2 << 30)
answers = [cuda.cuImportExternalMemory(ctypes.byref(memory), ctypes.byref(asked)), held()]
mapped = Buffer(0, 2 << 30)
answers += [cuda.cuExternalMemoryGetMappedBuffer(ctypes.byref(pointer), memory, ctypes.byref(mapped)), held()]
answers += [cuda.cuMemFree_v2(pointer), held(), cuda.cuMemFree_v2(pointer), held()]
answers += [cuda.cuDestroyExternalMemory(memory), held()]
print(answers)
"""


def run(machine: Machine, code: str, *arguments: str, **limits: str) -> str:
    """What a program says; it has to end well."""
    answer = machine.run(sys.executable, "-c", BEGIN + code, *arguments, **limits)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("call", ["cuIpcOpenMemHandle", "cuIpcOpenMemHandle_v2"])
@pytest.mark.parametrize("same", [True, False])
def test_opened_memory_is_the_exporters(machine: Machine, call: str, same: bool) -> None:
    """2 GiB of a slice of 3 GiB, opened by a process of the same slice, or of another that has 1 GiB altogether."""
    exporting = {"CUDA_DEVICE_MEMORY_LIMIT": "3g"}
    other = {"CUDA_DEVICE_MEMORY_LIMIT": "1g", "CUDA_DEVICE_MEMORY_SHARED_CACHE": str(machine.directory / "other")}
    opening = exporting if same else other
    exporter = subprocess.Popen(
        [sys.executable, "-c", BEGIN + EXPORT],
        env=machine.environment(**exporting),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert exporter.stdout
    handle = exporter.stdout.readline().strip()
    inside = run(machine, OPEN, handle, call, **opening)
    there = 2048 if same else 0
    # Opened; not to be freed as memory; closed, once; then room for 1 GiB of its own.
    assert inside == f"{[0, there, 1, there, 0, there, 1, there, 0, there + 1024, 0, there]}\n"
    codes = run(machine.bare(), OPEN, handle, call)
    assert [int(code) for code in codes.strip("[]\n").split(",")][::2] == [0, 1, 0, 1, 0, 0]
    exporter.communicate("\n", timeout=600)
    assert exporter.returncode == 0
    assert machine.run("fill", **exporting).stdout.startswith("alloc: granted 3072 MiB")


def test_imported_memory_is_not_charged(machine: Machine) -> None:
    """Memory of another library of 2 GiB in a slice of 1 GiB: mapped, freed once, and let go."""
    assert run(machine, IMPORT, CUDA_DEVICE_MEMORY_LIMIT="1g") == f"{[0, 0, 0, 0, 0, 0, 1, 0, 0, 0]}\n"
