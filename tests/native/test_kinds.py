"""What kind of memory a slice holds, and what the card itself had no memory for, as the region tells it."""

from __future__ import annotations

import struct
import sys

import pytest
from simulated import Machine
from test_contexts import BEGIN, CONTEXT, MIB, image, local_mib

from hetero.enforcement import layout

KINDS = """
def kinds():  # MiB of the first device that the first process has for contexts, and for modules
    with open(os.environ["CUDA_DEVICE_MEMORY_SHARED_CACHE"], "rb") as region:
        region.seek(12288 + 1536)
        context = struct.unpack("<Q", region.read(8))[0]
        region.seek(12288 + 1664)
        print(context / (1 << 20), struct.unpack("<Q", region.read(8))[0] / (1 << 20), held())

"""


def told(machine: Machine, code: str, *arguments: str, limit: str = "4g") -> list[list[float]]:
    """MiB of contexts, of modules, and of all, at each call of ``kinds``."""
    answer = machine.run(sys.executable, "-c", BEGIN + KINDS + code, *arguments, CUDA_DEVICE_MEMORY_LIMIT=limit)
    assert answer.returncode == 0, answer.stderr
    return [[float(word) for word in line.split()] for line in answer.stdout.splitlines()]


def counted(machine: Machine, name: str) -> int:
    """A counter of the slice's first device."""
    data = (machine.directory / "region").read_bytes()
    field = layout.DEVICE.fields[name]
    number: int = struct.unpack_from("<" + field.format, data, layout.DEVICE.start + field.offset)[0]
    return number


@pytest.fixture
def card(machine: Machine) -> Machine:
    """A machine whose contexts take memory."""
    machine.cards(12288, context=CONTEXT)
    return machine


def test_contexts_and_modules_are_told_apart_from_data(card: Machine) -> None:
    """Each as it comes and as it goes; the program's own memory is the rest."""
    code = """
import sys
retain(); kinds()
module = ctypes.c_void_p()
call("cuModuleLoadData", ctypes.byref(module), sys.argv[1].encode()); kinds()
assert allocate(1024)[0] == 0; kinds()
call("cuModuleUnload", module); kinds()
call("cuDevicePrimaryCtxReset_v2", 0); kinds()
"""
    assert told(card, code, image(256 * MIB)) == [
        [CONTEXT, 0, CONTEXT],
        [CONTEXT, 256, CONTEXT + 256],
        [CONTEXT, 256, CONTEXT + 256 + 1024],
        [CONTEXT, 0, CONTEXT + 1024],
        [0, 0, 0],
    ]


def test_the_local_memory_of_threads_is_the_contexts(card: Machine) -> None:
    """Looked up, it is the context's, and no module's."""
    code = """
import sys
retain()
module, function = ctypes.c_void_p(), ctypes.c_void_p()
call("cuModuleLoadData", ctypes.byref(module), sys.argv[1].encode())
call("cuModuleGetFunction", ctypes.byref(function), module, b"work"); kinds()
"""
    [[context, module, held]] = told(card, code, image(8, 16384))
    assert context == CONTEXT + local_mib(16384)
    assert context + module == held


def test_what_there_is_no_room_for_is_of_no_kind(card: Machine) -> None:
    """A module that is refused leaves the figures as they were."""
    code = """
import sys
retain(); module = ctypes.c_void_p()
assert cuda.cuModuleLoadData(ctypes.byref(module), sys.argv[1].encode()) == 2; kinds()
"""
    assert told(card, code, image(256 * MIB), limit="600m") == [[CONTEXT, 0, CONTEXT]]


@pytest.mark.parametrize("api", ["alloc", "alloc1", "pitch", "async", "create", "array", "graph"])
def test_what_the_card_has_no_memory_for_is_counted(machine: Machine, api: str) -> None:
    """The slice had room, the card had not: that is no refusal of the slice's."""
    answer = machine.run("fill", "--step", "1g", "--api", api, CUDA_DEVICE_MEMORY_LIMIT="20g")
    assert "then CUDA_ERROR_OUT_OF_MEMORY" in answer.stdout
    assert counted(machine, "exhausted") >= 1
    assert counted(machine, "refused") == 0


def test_what_the_limit_refuses_is_no_exhaustion(machine: Machine) -> None:
    """The card had room, the slice had not."""
    machine.run("fill", "--step", "1g", CUDA_DEVICE_MEMORY_LIMIT="2g")
    assert counted(machine, "exhausted") == 0
    assert counted(machine, "refused") >= 1
