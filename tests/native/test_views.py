"""What a program in a slice may see: the slice's memory and the slice's processes, however and whenever it asks."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations

import pytest
from simulated import Machine, uuid

GIB = 1 << 30
FIRST_DEVICE, DEVICE_BYTES, LIMIT_AT = 4096, 512, 64  # of a region: native/include/hetero/region.h

# Totals in MiB of all devices, as CUDA and as NVML counts them, with the libraries started in the order given.
TOTALS = """
import ctypes, json, sys

class Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]

answer = {}
def management():
    nvml = ctypes.CDLL("libnvidia-ml.so.1")
    count, device, memory = ctypes.c_uint(), ctypes.c_void_p(), Memory()
    assert nvml.nvmlInit_v2() == 0 and nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0
    answer["nvml"] = []
    for index in range(count.value):
        assert nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == 0
        assert nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0
        assert memory.used + memory.free == memory.total
        answer["nvml"].append(memory.total >> 20)

def driver():
    cuda = ctypes.CDLL("libcuda.so.1")
    answer["cuda"], count, total = [], ctypes.c_int(), ctypes.c_size_t()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return
    for device in range(count.value):
        assert cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device) == 0
        answer["cuda"].append(total.value >> 20)

for part in sys.argv[1].split(","):
    {"nvml": management, "cuda": driver}[part]()
print(json.dumps(answer))
"""

# GiB that cuMemAlloc grants on device 0, with NVML started before the driver.
GRANTED = """
import ctypes
assert ctypes.CDLL("libnvidia-ml.so.1").nvmlInit_v2() == 0
cuda, context, pointer, granted = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p(), ctypes.c_ulonglong(), 0
assert not cuda.cuInit(0) and not cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
assert not cuda.cuCtxSetCurrent(context)
while granted < 64 and cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(1 << 30)) == 0:
    granted += 1
print(granted)
"""

# Every query of memory with each of its outputs left out in turn, and with a version that there is none of.
ODD = """
import ctypes, json
nvml, cuda = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.CDLL("libcuda.so.1")
context, device, space = ctypes.c_void_p(), ctypes.c_void_p(), (ctypes.c_ulonglong * 8)()
assert not cuda.cuInit(0) and not nvml.nvmlInit_v2()
answers = [cuda.cuMemGetInfo_v2(space, space)]
assert not cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) and not cuda.cuCtxSetCurrent(context)
assert not nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device))
first, second = ctypes.c_size_t(), ctypes.c_size_t()
for pair in ((first, None), (None, second), (None, None)):
    answers.append(cuda.cuMemGetInfo_v2(*(out and ctypes.byref(out) for out in pair)))
answers += [cuda.cuDeviceTotalMem_v2(None, 0), cuda.cuDeviceTotalMem_v2(ctypes.byref(first), 99)]
answers += [nvml.nvmlDeviceGetMemoryInfo(device, None), nvml.nvmlDeviceGetMemoryInfo(None, space)]
for version in (0, 0x01000028, 0x02000028, 0x03000028, 0xFFFFFFFF):
    space[0] = version
    answers.append(nvml.nvmlDeviceGetMemoryInfo_v2(device, space))
answers += [nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, None, None)]
count = ctypes.c_uint(3)
answers += [nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), None)]
answers += [nvml.nvmlDeviceGetComputeRunningProcesses_v3(None, ctypes.byref(count), space)]
answers += [nvml.nvmlDeviceGetProcessUtilization(device, space, None, ctypes.c_ulonglong(0))]
answers += [nvml.nvmlDeviceGetRunningProcessDetailList(device, None)]
answers += [nvml.nvmlDeviceGetProcessesUtilizationInfo(device, None)]
print(json.dumps(answers))
"""

# Pids by each list of the first device, and what a caller with too little room is told.
PROCESSES = """
import ctypes, json

class Info1(ctypes.Structure):
    _fields_ = [("pid", ctypes.c_uint), ("used", ctypes.c_ulonglong)]
class Info2(ctypes.Structure):
    _fields_ = [*Info1._fields_, ("instance", ctypes.c_uint), ("compute", ctypes.c_uint)]
class Detail(ctypes.Structure):
    _fields_ = [*Info2._fields_, ("protected", ctypes.c_ulonglong)]
class Details(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint) for n in ("version", "mode", "count")] + [("array", ctypes.POINTER(Detail))]
class Sample(ctypes.Structure):
    _fields_ = [("pid", ctypes.c_uint), ("stamp", ctypes.c_ulonglong), ("use", ctypes.c_uint * 4)]
class Use(ctypes.Structure):
    _fields_ = [("stamp", ctypes.c_ulonglong), ("pid", ctypes.c_uint), ("use", ctypes.c_uint * 6)]
class Uses(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint), ("count", ctypes.c_uint), ("since", ctypes.c_ulonglong),
                ("array", ctypes.POINTER(Use))]

nvml, device, answers = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.c_void_p(), {}
assert not nvml.nvmlInit_v2() and not nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device))

def ask(name, kind, call):
    small = call(0, None)
    exact = call(small[1], (kind * small[1])()) if small[1] else None
    tight = call(small[1] - 1, (kind * small[1])()) if small[1] > 1 else None
    answers[name] = {"small": small[:2], "tight": tight and tight[:2], "exact": exact and exact[:2],
                     "pids": sorted(entry.pid for entry in exact[2][:exact[1]]) if exact else []}

def running(name):
    def call(room, entries):
        count = ctypes.c_uint(room)
        return getattr(nvml, name)(device, ctypes.byref(count), entries), count.value, entries
    return call

def details(room, entries):
    asked = Details(0x01000018, 0, room, entries)
    return nvml.nvmlDeviceGetRunningProcessDetailList(device, ctypes.byref(asked)), asked.count, entries

def samples(room, entries):
    count = ctypes.c_uint(room)
    code = nvml.nvmlDeviceGetProcessUtilization(device, entries, ctypes.byref(count), ctypes.c_ulonglong(0))
    return code, count.value, entries

def uses(room, entries):
    asked = Uses(0x01000018, room, 0, entries)
    return nvml.nvmlDeviceGetProcessesUtilizationInfo(device, ctypes.byref(asked)), asked.count, entries

for kind in ("Compute", "Graphics", "MPSCompute"):
    for suffix, entry in (("", Info1), ("_v2", Info2), ("_v3", Info2)):
        name = f"nvmlDeviceGet{kind}RunningProcesses{suffix}"
        ask(name, entry, running(name))
ask("details", Detail, details)
ask("samples", Sample, samples)
ask("uses", Use, uses)
print(json.dumps(answers))
"""

INSUFFICIENT, NOT_FOUND = 7, 6
RUNNING = [f"nvmlDeviceGetComputeRunningProcesses{suffix}" for suffix in ("", "_v2", "_v3")]


def python(machine: Machine, code: str, *arguments: str, **limits: str) -> str:
    """What a program says; it has to end well."""
    answer = machine.run(sys.executable, "-c", code, *arguments, **limits)
    assert answer.returncode == 0, answer.stderr
    assert not answer.stderr
    return answer.stdout


def visible(value: str | None, cards: int) -> list[int]:
    """The cards that the driver shows for a value of CUDA_VISIBLE_DEVICES, by the vendor's rules."""
    if value is None:
        return list(range(cards))
    names = {str(index): index for index in range(cards)} | {uuid(index): index for index in range(cards)}
    found: list[int] = []
    for item in value.split(","):
        card = names.get(item.strip())
        if card is None or card in found:
            break
        found.append(card)
    return found


FORMS = [
    *(None, "0", "1", "3", "1,0", "3,2,1,0", "2,0", " 1 , 3", "1,9,0", "", "-1", "MIG-1234", "1x"),
    *(uuid(2), f"{uuid(3)},{uuid(0)}", f"{uuid(1)},0", f"2,{uuid(0)},1"),
]


@pytest.mark.parametrize("order", ["nvml", "cuda,nvml", "nvml,cuda,nvml"])
@pytest.mark.parametrize("value", FORMS)
def test_positions_are_the_same_for_every_form_and_order(machine: Machine, value: str | None, order: str) -> None:
    """Limit i is that of the i-th device that the program sees, for NVML too, and before the driver has started."""
    machine.cards(12288, 12288, 12288, 12288)
    limits = {f"CUDA_DEVICE_MEMORY_LIMIT_{position}": f"{position + 1}g" for position in range(4)}
    chosen = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    found = json.loads(python(machine, TOTALS, order, **limits, **chosen))
    seen = visible(value, 4)
    if "cuda" in order:
        assert found["cuda"] == [1024 * (position + 1) for position in range(len(seen))]
    if "nvml" in order:
        assert found["nvml"] == [1024 * (seen.index(card) + 1) if card in seen else 12288 for card in range(4)]


@pytest.mark.parametrize("cards", [2, 3])
def test_every_permutation_of_like_cards(machine: Machine, cards: int) -> None:
    """Whatever the order in which the cards are made visible."""
    machine.cards(*[12288] * cards)
    for order in permutations(range(cards)):
        value = ",".join(map(str, order))
        limits = {f"CUDA_DEVICE_MEMORY_LIMIT_{position}": f"{position + 1}g" for position in range(cards)}
        found = json.loads(python(machine, TOTALS, "nvml", CUDA_VISIBLE_DEVICES=value, **limits))
        assert found["nvml"] == [1024 * (order.index(card) + 1) for card in range(cards)]


@pytest.mark.parametrize("value", ["1", uuid(1)])
def test_the_second_card_alone_keeps_its_limit_after_nvml(machine: Machine, value: str) -> None:
    """NVML first and one visible card is what frameworks do: 4 GiB are 4 GiB."""
    machine.cards(65536, 65536)
    assert python(machine, GRANTED, CUDA_VISIBLE_DEVICES=value, CUDA_DEVICE_MEMORY_LIMIT="4g") == "4\n"


def test_odd_questions_get_the_drivers_own_answers(machine: Machine) -> None:
    """Outputs left out, unknown versions, handles that are none, no context: the same results as without us."""
    assert python(machine, ODD, CUDA_DEVICE_MEMORY_LIMIT="2g") == python(machine.bare(), ODD)


def test_a_limit_lowered_below_what_is_held_leaves_nothing_free(machine: Machine) -> None:
    """Used stays what it is, free is 0 and not a very large number, by all three queries."""
    limits = {"CUDA_DEVICE_MEMORY_LIMIT": "2g"}
    with started(machine, "hold", "--mib", "1536", **limits):
        with (machine.directory / "region").open("r+b") as region:
            region.seek(FIRST_DEVICE + LIMIT_AT)
            region.write(struct.pack("<Q", GIB))
        shown = machine.run("cardinfo", **limits).stdout
    values = {" ".join(line.split()[:2]): int(line.split()[-2]) for line in shown.splitlines() if line.endswith("MiB")}
    assert (values["cuMemGetInfo free"], values["cuMemGetInfo total"]) == (0, 1024)
    assert (values["nvml free"], values["nvml total"], values["nvml used"]) == (0, 1024, 1024)


def test_free_is_never_more_than_the_card_has(machine: Machine) -> None:
    """What others took of the card is not there for the slice, whatever its limit leaves."""
    with started(machine.bare(), "hold", "--mib", "11264"):
        shown = machine.run("cardinfo", CUDA_DEVICE_MEMORY_LIMIT="4g").stdout
    free = [int(line.split()[-2]) for line in shown.splitlines() if " free" in line]
    assert free == [1024, 1024]


def test_a_malformed_limit_shows_no_memory_anywhere(machine: Machine) -> None:
    """As the next allocation will find, NVML says so too."""
    answer = machine.run(sys.executable, "-c", TOTALS, "nvml,cuda", CUDA_DEVICE_MEMORY_LIMIT="2x")
    assert json.loads(answer.stdout) == {"cuda": [0], "nvml": [0]}
    assert len(answer.stderr.splitlines()) == 1


@contextmanager
def started(machine: Machine, *command: str, **limits: str) -> Iterator[int]:
    """A process that has said that it is there; ended afterwards."""
    process = machine.start(*command, **limits)
    assert process.stdout
    assert process.stdout.readline()
    try:
        yield process.pid
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Our own child alone."""
    assert process.pid > 0
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


BUSY = ("burn", "--seconds", "60", "--iterations", "1000", "--kernel-ns", "1000000", "--report")


def test_a_slice_sees_its_own_processes_alone(machine: Machine) -> None:
    """By every list, with room that is missing, too little and exact; a program outside sees all of them."""
    own = {"CUDA_DEVICE_MEMORY_LIMIT": "2g"}
    other = {**own, "CUDA_DEVICE_MEMORY_SHARED_CACHE": str(machine.directory / "other")}
    with (
        started(machine, *BUSY, **own) as one,
        started(machine, *BUSY, **own) as two,
        started(machine, *BUSY, **other) as stranger,
        started(machine.bare(), *BUSY) as outside,
    ):
        inside = json.loads(python(machine, PROCESSES, **own))
        alone = json.loads(python(machine, PROCESSES, **other))
        everything = json.loads(python(machine.bare(), PROCESSES))
    for name in (*RUNNING, "details", "samples", "uses"):
        assert everything[name]["pids"] == sorted([one, two, stranger, outside]), name
        assert inside[name]["pids"] == sorted([one, two]), name
        assert alone[name]["pids"] == [stranger], name
        assert (inside[name]["small"], inside[name]["tight"]) == ([INSUFFICIENT, 2], [INSUFFICIENT, 2]), name
        assert inside[name]["exact"] == [0, 2], name
    for kind in ("Graphics", "MPSCompute"):
        assert inside[f"nvmlDeviceGet{kind}RunningProcesses_v3"]["small"] == [0, 0]


def test_without_own_processes_the_lists_are_empty(machine: Machine) -> None:
    """Empty as NVML tells it: success where processes are listed, not found where samples are."""
    with started(machine.bare(), *BUSY):
        inside = json.loads(python(machine, PROCESSES, CUDA_DEVICE_MEMORY_LIMIT="2g"))
    assert inside["nvmlDeviceGetComputeRunningProcesses_v3"]["small"] == [0, 0]
    assert inside["details"]["small"] == [0, 0]
    assert inside["samples"]["small"] == [NOT_FOUND, 0]
    assert inside["uses"]["small"] == [NOT_FOUND, 0]


def test_devices_outside_the_slice_have_no_processes(machine: Machine) -> None:
    """The first card is not visible to the program, so nobody is seen on it, not even a process of the slice."""
    machine.cards(12288, 12288)
    limits = {"CUDA_DEVICE_MEMORY_LIMIT": "2g"}
    with started(machine, "hold", "--mib", "64", **limits) as held:
        same = json.loads(python(machine, PROCESSES, **limits))
        other = json.loads(python(machine, PROCESSES, CUDA_VISIBLE_DEVICES="1", **limits))
    assert same["nvmlDeviceGetComputeRunningProcesses_v3"]["pids"] == [held]
    assert other["nvmlDeviceGetComputeRunningProcesses_v3"]["small"] == [0, 0]
