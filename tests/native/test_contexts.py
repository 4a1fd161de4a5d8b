"""What the driver takes for itself counts to the slice: contexts, modules, libraries, local memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from simulated import Machine

MIB = 1 << 20
CONTEXT = 512

# Of the simulated card: processors, and threads of one. A thread has 1 KiB of local memory to begin with.
THREADS = 28 * 1536
FIRST_LOCAL = 1024

BEGIN = """
import ctypes, json, os, struct, threading

class Info(ctypes.Structure):
    _fields_ = [("pid", ctypes.c_uint), ("used", ctypes.c_ulonglong), ("instances", ctypes.c_uint * 2)]

cuda, nvml = ctypes.CDLL("libcuda.so.1"), ctypes.CDLL("libnvidia-ml.so.1")
told = []

def held():  # MiB of the first device, as the slice's region says
    with open(os.environ["CUDA_DEVICE_MEMORY_SHARED_CACHE"], "rb") as region:
        region.seek(4096 + 128)
        return struct.unpack("<Q", region.read(8))[0] / (1 << 20)

def taken():  # MiB of the first device, as the driver says of this process
    device, count, infos = ctypes.c_void_p(), ctypes.c_uint(64), (Info * 64)()
    assert not nvml.nvmlInit_v2() and not nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device))
    assert not nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), infos)
    return sum(info.used for info in infos[:count.value] if info.pid == os.getpid()) / (1 << 20)

def tell(result=0):  # what a call answered, what is charged, and what is taken
    told.append([result, held(), taken()])

def call(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    assert code == 0, (name, code)

def retain(device=0):
    context = ctypes.c_void_p()
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxSetCurrent", context)
    return context

def allocate(mib):
    pointer = ctypes.c_ulonglong()
    code = cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(int(mib * (1 << 20))))
    return code, pointer

call("cuInit", 0)
"""

END = "\nprint(json.dumps(told))\n"


@pytest.fixture
def card(machine: Machine) -> Machine:
    """A machine whose contexts take memory."""
    machine.cards(12288, context=CONTEXT)
    return machine


def run(machine: Machine, code: str, *arguments: str, limit: str = "4g") -> list[list[float]]:
    """What a program told: result, MiB charged, MiB taken; at every moment the last two have to agree."""
    answer = machine.run(sys.executable, "-c", BEGIN + code + END, *arguments, CUDA_DEVICE_MEMORY_LIMIT=limit)
    assert answer.returncode == 0, answer.stderr
    assert not answer.stderr
    told: list[list[float]] = json.loads(answer.stdout)
    assert all(charged == taken for _, charged, taken in told), told
    return told


def results(told: list[list[float]]) -> list[tuple[float, float]]:
    """Results and MiB charged."""
    return [(result, charged) for result, charged, _ in told]


def image(variables: int = 8, local: int = 0) -> str:
    """An image with so many bytes of variables, whose kernel needs so many of local memory for each thread."""
    return (
        f".version 7.0\n.target sm_50\n.address_size 64\n.global .align 8 .b8 sink[{variables}];\n"
        f".visible .entry work(.param .u64 iterations)\n{{\n  .local .align 16 .b8 depot[{local}];\n  ret;\n}}\n"
    )


def local_mib(bytes_of_thread: int) -> float:
    """MiB that the card keeps for the local memory of a kernel."""
    return (bytes_of_thread - FIRST_LOCAL) * THREADS / MIB


def test_starting_the_driver_makes_no_context_and_no_region(card: Machine) -> None:
    """CuInit alone: no context of ours, nothing charged, no file."""
    code = """
flags, active = ctypes.c_uint(), ctypes.c_int(7)
call("cuDevicePrimaryCtxGetState", 0, ctypes.byref(flags), ctypes.byref(active))
exists = os.path.exists(os.environ["CUDA_DEVICE_MEMORY_SHARED_CACHE"])
told.append([active.value + exists, taken(), 0])
"""
    assert run(card, code) == [[0, 0, 0]]


CREATE = {
    "cuCtxCreate": "cuda.cuCtxCreate(ctypes.byref(context), 0, 0)",
    "cuCtxCreate_v2": "cuda.cuCtxCreate_v2(ctypes.byref(context), 0, 0)",
    "cuCtxCreate_v3": "cuda.cuCtxCreate_v3(ctypes.byref(context), None, 0, 0, 0)",
    "cuCtxCreate_v4": "cuda.cuCtxCreate_v4(ctypes.byref(context), None, 0, 0)",
}


@pytest.mark.parametrize("name", list(CREATE))
@pytest.mark.parametrize("destroy", ["cuCtxDestroy", "cuCtxDestroy_v2", "cuCtxDetach"])
def test_every_context_counts_until_it_is_destroyed(card: Machine, name: str, destroy: str) -> None:
    """The primary one, a second one by each call, and one that there is no room for."""
    code = f"""
retain(); tell()
context = ctypes.c_void_p()
tell({CREATE[name]})
refused = ctypes.c_void_p()
tell({CREATE[name].replace("context)", "refused)")})
call("{destroy}", context); tell()
call("cuDevicePrimaryCtxRelease_v2", 0); tell()
"""
    told = run(card, code, limit="1100m")
    assert results(told) == [(0, 512), (0, 1024), (2, 1024), (0, 512), (0, 0)]


@pytest.mark.parametrize("end", ["cuDevicePrimaryCtxRelease", "cuDevicePrimaryCtxRelease_v2"])
def test_a_context_retained_twice_counts_once(card: Machine, end: str) -> None:
    """And goes with the last release."""
    told = run(card, f'retain(); tell(); retain(); tell(); call("{end}", 0); tell(); call("{end}", 0); tell()')
    assert results(told) == [(0, 512), (0, 512), (0, 512), (0, 0)]


def test_a_context_that_was_attached_to_ends_with_its_last_use(card: Machine) -> None:
    """Old programs count their uses of one: only the last detaching gives back what it and its memory took."""
    code = """
context, again = ctypes.c_void_p(), ctypes.c_void_p()
call("cuCtxCreate_v2", ctypes.byref(context), 0, 0)
call("cuCtxAttach", ctypes.byref(again), 0)
tell(allocate(64)[0])
call("cuCtxDetach", again); tell()
call("cuCtxDetach", context); tell()
"""
    assert results(run(card, code)) == [(0, CONTEXT + 64), (0, CONTEXT + 64), (0, 0)]


@pytest.mark.parametrize("end", ["cuDevicePrimaryCtxReset", "cuDevicePrimaryCtxReset_v2"])
def test_what_is_in_a_context_goes_with_it(card: Machine, end: str) -> None:
    """Memory, a module and local memory; then all of the slice is there again."""
    code = f"""
import sys
retain(); module, function = ctypes.c_void_p(), ctypes.c_void_p()
assert allocate(1024)[0] == 0
call("cuModuleLoadData", ctypes.byref(module), sys.argv[1].encode()); tell()
call("{end}", 0); tell()
retain(); assert allocate(3584)[0] == 0; tell()
"""
    assert results(run(card, code, image(256 * MIB))) == [(0, 1792), (0, 0), (0, 4096)]


@pytest.mark.parametrize("small", [1, 600])
def test_memory_of_a_destroyed_context_comes_back_while_another_lives(card: Machine, small: int) -> None:
    """What was allocated in it is free again; what was allocated in the other stays, large and small."""
    code = f"""
retain(); own = ctypes.c_void_p()
assert allocate(256)[0] == 0 and allocate({small} / 1024)[0] == 0
call("cuCtxCreate_v2", ctypes.byref(own), 0, 0)
assert allocate(512)[0] == 0; tell()
call("cuCtxDestroy_v2", own); tell()
call("cuDevicePrimaryCtxRelease_v2", 0); tell()
"""
    assert results(run(card, code)) == [(0, 512 + 258 + 512 + 512), (0, 512 + 258), (0, 0)]


def test_arrays_go_with_their_context(card: Machine) -> None:
    """A large one and small ones that share a block."""
    code = """
class Shape(ctypes.Structure):
    _fields_ = [("width", ctypes.c_size_t), ("height", ctypes.c_size_t), ("format", ctypes.c_int), ("n", ctypes.c_uint)]

retain(); array = ctypes.c_void_p()
for side in (1024, 4096, 32, 32):
    call("cuArrayCreate_v2", ctypes.byref(array), ctypes.byref(Shape(side, side, 0x20, 1)))
tell()
call("cuDevicePrimaryCtxReset_v2", 0); tell()
"""
    assert results(run(card, code)) == [(0, 512 + 4 + 64 + 2), (0, 0)]


def test_a_green_context_pays_for_the_primary_one(card: Machine) -> None:
    """It retains it: made by itself, beside a retained one, outliving that, and where there is no room."""
    code = """
def green():
    made = ctypes.c_void_p()
    return cuda.cuGreenCtxCreate(ctypes.byref(made), None, 0, 1), made
result, first = green(); tell(result)
result, second = green(); tell(result)
retain(); assert allocate(64)[0] == 0; tell()
call("cuGreenCtxDestroy", first); call("cuDevicePrimaryCtxRelease_v2", 0); tell()
call("cuGreenCtxDestroy", second); tell()
with_other = ctypes.c_void_p()
call("cuCtxCreate_v2", ctypes.byref(with_other), 0, 0); assert allocate(256)[0] == 0
result, refused = green(); tell(result)
tell(cuda.cuGreenCtxCreate(None, None, 0, 1))
"""
    told = run(card, code, limit="1g")
    assert results(told) == [(0, 512), (0, 512), (0, 576), (0, 576), (0, 0), (2, 768), (1, 768)]


def test_threads_that_retain_together_are_charged_once(card: Machine) -> None:
    """Sixteen at once, on two devices, thirty times over."""
    card.cards(12288, 12288, context=CONTEXT)
    code = """
for _ in range(30):
    gate = threading.Barrier(16)
    def both(device):
        gate.wait()
        context = ctypes.c_void_p()
        call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    threads = [threading.Thread(target=both, args=(number % 2,)) for number in range(16)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    tell()
    for number in range(16):
        call("cuDevicePrimaryCtxRelease_v2", number % 2)
    tell()
"""
    assert results(run(card, code)) == [(0, 512), (0, 0)] * 30


def test_threads_without_room_are_all_refused(card: Machine) -> None:
    """None of them comes by a context that is not paid for."""
    code = """
codes, gate = [], threading.Barrier(8)
def one():
    gate.wait()
    context = ctypes.c_void_p()
    codes.append(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
threads = [threading.Thread(target=one) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
assert codes == [2] * 8, codes
tell()
"""
    assert results(run(card, code, limit="300m")) == [(0, 0)]


LOAD = {
    "cuModuleLoad": "open('image', 'w').write(sys.argv[1]) and cuda.cuModuleLoad(ctypes.byref(module), b'image')",
    "cuModuleLoadData": "cuda.cuModuleLoadData(ctypes.byref(module), sys.argv[1].encode())",
    "cuModuleLoadDataEx": "cuda.cuModuleLoadDataEx(ctypes.byref(module), sys.argv[1].encode(), 0, None, None)",
    "cuModuleLoadFatBinary": "cuda.cuModuleLoadFatBinary(ctypes.byref(module), sys.argv[1].encode())",
}


@pytest.mark.parametrize("name", list(LOAD))
def test_a_modules_variables_count(card: Machine, name: str) -> None:
    """256 MiB at loading, back at unloading; one module too many is refused and leaves nothing behind."""
    code = f"""
import sys, tempfile
os.chdir(tempfile.mkdtemp(dir=os.environ["HETERO_SIM_DIR"]))
retain(); modules = []
for _ in range(4):
    module = ctypes.c_void_p()
    tell({LOAD[name]})
    modules.append(module)
for module in modules[:3]:
    call("cuModuleUnload", module)
tell()
"""
    told = run(card, code, image(256 * MIB), limit="1300m")
    assert results(told) == [(0, 768), (0, 1024), (0, 1280), (2, 1280), (0, 512)]


def test_a_small_module_costs_nothing(card: Machine) -> None:
    """Its few variables lie in what the context has taken."""
    code = "import sys; retain(); module = ctypes.c_void_p(); tell(" + LOAD["cuModuleLoadData"] + ")"
    assert results(run(card, code, image(4096))) == [(0, 512)]


def test_modules_loaded_by_many_threads_are_charged_once_each(card: Machine) -> None:
    """Their loadings overlap; what one took is not charged to another, nor what is allocated meanwhile."""
    code = """
import sys
context, gate = retain(), threading.Barrier(8)
def one(number):
    call("cuCtxSetCurrent", context)
    gate.wait()
    for _ in range(5):
        module = ctypes.c_void_p()
        call("cuModuleLoadData", ctypes.byref(module), sys.argv[1].encode())
threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
tell()
"""
    assert results(run(card, code, image(32 * MIB))) == [(0, 512 + 40 * 32)]


LIBRARY = """
import sys
def library():
    loaded = ctypes.c_void_p()
    call("cuLibraryLoadData", ctypes.byref(loaded), sys.argv[1].encode(), None, None, 0, None, None, 0)
    return loaded
"""

FIRST_USE = {
    "cuLibraryGetKernel": "cuda.cuLibraryGetKernel(ctypes.byref(out), loaded, b'work')",
    "cuLibraryGetModule": "cuda.cuLibraryGetModule(ctypes.byref(out), loaded)",
    "cuLibraryGetGlobal": "cuda.cuLibraryGetGlobal(ctypes.byref(out), ctypes.byref(out), loaded, b'sink')",
}


@pytest.mark.parametrize("name", list(FIRST_USE))
def test_a_library_counts_from_its_first_use(card: Machine, name: str) -> None:
    """Nothing at loading, 256 MiB at the first use of anything of it, nothing at the second, back at unloading."""
    code = f"""{LIBRARY}
retain(); loaded, out = library(), ctypes.c_void_p(); tell()
tell({FIRST_USE[name]}); tell({FIRST_USE[name]})
call("cuLibraryUnload", loaded); tell()
"""
    assert results(run(card, code, image(256 * MIB))) == [(0, 512), (0, 768), (0, 768), (0, 512)]


@pytest.mark.parametrize("name", list(FIRST_USE))
def test_a_library_without_room_is_refused(card: Machine, name: str) -> None:
    """It leaves nothing on the card, asking again is refused again, unloading it is as usual, a smaller one fits."""
    code = f"""{LIBRARY}
retain(); loaded, out = library(), ctypes.c_void_p()
tell({FIRST_USE[name]}); tell({FIRST_USE[name]})
tell(cuda.cuLibraryUnload(loaded))
sys.argv[1] = sys.argv[2]
loaded = library(); tell({FIRST_USE[name]})
"""
    told = run(card, code, image(256 * MIB), image(64 * MIB), limit="600m")
    assert results(told) == [(2, 512), (2, 512), (0, 512), (0, 576)]


def test_a_library_counts_in_each_context(card: Machine) -> None:
    """Where the second has no room, the first goes on with it; once there is room, so does the second."""
    code = f"""{LIBRARY}
retain(); loaded, out, context = library(), ctypes.c_void_p(), ctypes.c_void_p()
tell({FIRST_USE["cuLibraryGetKernel"]})
code, pointer = allocate(64)
assert code == 0
call("cuCtxCreate_v2", ctypes.byref(context), 0, 0); tell()
told.append([{FIRST_USE["cuLibraryGetKernel"]}, held(), held()])
call("cuCtxPopCurrent_v2", None)
tell_again = {FIRST_USE["cuLibraryGetKernel"]}
call("cuMemFree_v2", pointer)
call("cuCtxPushCurrent_v2", context)
tell({FIRST_USE["cuLibraryGetKernel"]})
assert tell_again == 0
call("cuLibraryUnload", loaded); tell()
"""
    told = run(card, code, image(256 * MIB), limit="1540m")
    assert results(told) == [(0, 768), (0, 1344), (2, 1344), (0, 1536), (0, 1024)]


LAUNCH = "cuda.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, None, (ctypes.c_void_p * 1)(ctypes.addressof(n)), None)"

FUNCTION = {
    "module": 'call("cuModuleLoadData", ctypes.byref(owner), sys.argv[1].encode())\n'
    'looked = cuda.cuModuleGetFunction(ctypes.byref(function), owner, b"work")',
    "library": 'owner = library()\nlooked = cuda.cuLibraryGetKernel(ctypes.byref(function), owner, b"work")',
    "function of a library": "owner, kernel = library(), ctypes.c_void_p()\n"
    'call("cuCtxPopCurrent_v2", None)\n'
    'call("cuLibraryGetKernel", ctypes.byref(kernel), owner, b"work")\n'
    'call("cuCtxPushCurrent_v2", context)\n'
    "looked = cuda.cuKernelGetFunction(ctypes.byref(function), kernel)",
}


@pytest.mark.parametrize("way", list(FUNCTION))
def test_local_memory_is_charged_when_a_function_is_looked_up(card: Machine, way: str) -> None:
    """16 KiB for each of the card's threads; launching it then takes just that, and a neediest one only once."""
    code = f"""{LIBRARY}
context, owner, function, n = retain(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_ulonglong(1)
{FUNCTION[way]}
assert looked == 0
tell({LAUNCH})
{FUNCTION[way]}
tell({LAUNCH})
call("cuDevicePrimaryCtxReset_v2", 0); tell()
"""
    grown = CONTEXT + local_mib(16384)
    assert results(run(card, code, image(8, 16384))) == [(0, grown), (0, grown), (0, 0)]


@pytest.mark.parametrize("way", list(FUNCTION))
def test_a_function_whose_local_memory_does_not_fit_is_refused(card: Machine, way: str) -> None:
    """Before it is launched, when a program can still be told; one that does not listen has nothing to launch."""
    code = f"""{LIBRARY}
context, owner, function = retain(), ctypes.c_void_p(), ctypes.c_void_p()
{FUNCTION[way]}
tell(looked)
assert function.value is None
n = ctypes.c_ulonglong(1)
tell({LAUNCH})
"""
    assert results(run(card, code, image(8, 65536), limit="2g")) == [(2, 512), (400, 512)]


def test_the_stack_limit_counts(card: Machine) -> None:
    """Growth is charged, growth without room is refused, and 64 KiB are 2646 MiB of this card."""
    code = """
retain()
for size in (1024, 8192, 4096, 16384, 1 << 20):
    tell(cuda.cuCtxSetLimit(0, ctypes.c_size_t(size)))
"""
    told = run(card, code, limit="2g")
    expected = [0, local_mib(8192), local_mib(8192), local_mib(16384), local_mib(16384)]
    assert results(told) == [(2 if at == 4 else 0, 512 + mib) for at, mib in enumerate(expected)]


def test_the_heap_counts_when_a_module_is_loaded(card: Machine) -> None:
    """Setting its limit takes nothing, the next module does; without room the module is refused."""
    code = """
import sys
retain()
tell(cuda.cuCtxSetLimit(2, ctypes.c_size_t(1 << 30))); tell(cuda.cuCtxSetLimit(1, ctypes.c_size_t(256 << 20)))
module = ctypes.c_void_p()
tell(cuda.cuModuleLoadData(ctypes.byref(module), sys.argv[1].encode()))
"""
    assert results(run(card, code, image(8))) == [(0, 512), (0, 512), (0, 512 + 1024 - 8)]


def test_a_killed_process_leaves_nothing(card: Machine) -> None:
    """Context, module and local memory of a process that was killed are there for the next one."""
    code = f"""{LIBRARY}
retain(); loaded, out = library(), ctypes.c_void_p()
assert {FIRST_USE["cuLibraryGetKernel"]} == 0
print(held(), flush=True)
os.kill(os.getpid(), 9)
"""
    killed: subprocess.CompletedProcess[str] = card.run(
        sys.executable, "-c", BEGIN + code, image(256 * MIB, 16384), CUDA_DEVICE_MEMORY_LIMIT="4g"
    )
    assert killed.stdout == f"{CONTEXT + 256 + local_mib(16384)}\n"
    assert results(run(card, "retain(); assert allocate(3584)[0] == 0; tell()")) == [(0, 4096)]


def test_a_forked_child_is_answered_as_by_the_driver(card: Machine) -> None:
    """It has no driver any more: every call says so at once, whatever its parent's threads were doing."""
    code = """
import sys
context, stop = retain(), threading.Event()
def load():
    call("cuCtxSetCurrent", context)
    while not stop.is_set():
        module = ctypes.c_void_p()
        call("cuModuleLoadData", ctypes.byref(module), sys.argv[1].encode())
        call("cuModuleUnload", module)
threads = [threading.Thread(target=load) for _ in range(3)]
[thread.start() for thread in threads]
for _ in range(20):
    child = os.fork()
    if not child:
        out = ctypes.c_void_p()
        codes = [cuda.cuDevicePrimaryCtxRetain(ctypes.byref(out), 0), cuda.cuCtxCreate_v2(ctypes.byref(out), 0, 0)]
        codes += [cuda.cuModuleLoadData(ctypes.byref(out), sys.argv[1].encode()), cuda.cuDevicePrimaryCtxRelease_v2(0)]
        os._exit(0 if codes == [3] * 4 else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
[thread.join() for thread in threads]
tell()
"""
    assert results(run(card, code, image(32 * MIB))) == [(0, 512)]
