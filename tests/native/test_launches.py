"""Which launches are held and charged, and on whose account: captures, threads, devices, old calls, changed limits."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from shares import seconds
from simulated import CARD, DRIVER, Machine

from hetero.enforcement import layout, region

DRIVER_CALLS = """
import ctypes, sys, threading, time
cuda = ctypes.CDLL("libcuda.so.1")
def call(name, *arguments):
    answer = getattr(cuda, name)(*arguments)
    assert answer == 0, (name, answer)
def made(name, *arguments):
    handle = ctypes.c_void_p()
    call(name, ctypes.byref(handle), *arguments)
    return handle
def kernel(name):
    return made("cuModuleGetFunction", made("cuModuleLoadData", b"image"), name)
def launch(function, microseconds=None, stream=None):
    iterations = ctypes.c_uint64(microseconds or 0)
    parameters = (ctypes.c_void_p * 1)(ctypes.addressof(iterations))
    call("cuLaunchKernel", function, 1, 1, 1, 1, 1, 1, 0, stream, parameters, None)
call("cuInit", 0)
context = made("cuDevicePrimaryCtxRetain", 0)
call("cuCtxSetCurrent", context)
work = kernel(b"work")
"""

CAPTURE = """
for _ in range(5):
    launch(work, 20000)
call("cuCtxSynchronize")
stream = made("cuStreamCreate", 1)
start = time.monotonic()
call("cuStreamBeginCapture_v2", stream, 0)
for _ in range(1000):
    launch(work, 20000, stream)
graph = ctypes.c_void_p()
call("cuStreamEndCapture", stream, ctypes.byref(graph))
nodes = ctypes.c_size_t()
call("cuGraphGetNodes", graph, None, ctypes.byref(nodes))
print(nodes.value, time.monotonic() - start)
"""

BESIDE_A_CAPTURE = """
def beside_a_capture():
    stream = made("cuStreamCreate", 1)
    call("cuStreamBeginCapture_v2", stream, int(sys.argv[1]))
    launch(work, 2000, stream)
    launches, start = 0, time.monotonic()
    while time.monotonic() - start < 2:
        launch(work, 2000)
        launches += 1
    print(launches, time.monotonic() - start)
    if sys.argv[2] == "destroyed":
        call("cuStreamDestroy_v2", stream)
    else:
        call("cuStreamEndCapture", stream, ctypes.byref(ctypes.c_void_p()))
beside_a_capture()
beside_a_capture()
"""

UNLIKE = """
launches, start = 0, time.monotonic()
while time.monotonic() - start < 20:
    launches += 1
    iterations = ctypes.c_uint64(20000)
    parameters = (ctypes.c_void_p * 1)(ctypes.addressof(iterations))
    call("cuLaunchKernel", work, launches, 1, 1, 1, 1, 1, 0, None, parameters, None)
    if launches % int(sys.argv[1]) == 0:
        call("cuCtxSynchronize")
call("cuCtxSynchronize")
print(launches, time.monotonic() - start)
"""

THREADS = """
def loop():
    call("cuCtxSetCurrent", context)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        launch(work, 2000)
        call("cuCtxSynchronize")
threads = [threading.Thread(target=loop) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

DEVICES = """
other = made("cuDevicePrimaryCtxRetain", 1)
call("cuCtxSetCurrent", other)
works = {context.value: work, other.value: kernel(b"work")}
end = time.monotonic() + 3
while time.monotonic() < end:
    for one in (context, other):
        call("cuCtxSetCurrent", one)
        launch(works[one.value], 1000)
    call("cuCtxPushCurrent_v2", context)
    launch(work, 1000)
    call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
"""

OLD = """
plain = kernel(b"plain")
stream = made("cuStreamCreate", 1)
class Part(ctypes.Structure):
    _fields_ = [("function", ctypes.c_void_p), ("size", ctypes.c_uint * 7), ("stream", ctypes.c_void_p),
                ("parameters", ctypes.c_void_p)]
part = Part(plain, (1, 1, 1, 1, 1, 1, 0), stream, None)
calls = {
    "cuLaunch": lambda: call("cuLaunch", plain),
    "cuLaunchGrid": lambda: call("cuLaunchGrid", plain, 2, 1),
    "cuLaunchGridAsync": lambda: call("cuLaunchGridAsync", plain, 3, 1, stream),
    "cuLaunchCooperativeKernelMultiDevice":
        lambda: call("cuLaunchCooperativeKernelMultiDevice", ctypes.byref(part), 1, 0),
}
start, launches = time.monotonic(), 0
while time.monotonic() - start < 1:
    for _ in range(100):
        calls[sys.argv[1]]()
        launches += 1
call("cuCtxSynchronize")
print(launches, time.monotonic() - start)
"""


@pytest.fixture
def timed(machine: Machine) -> Machine:
    """A machine with a virtual clock."""
    machine.virtual()
    return machine


def run(machine: Machine, script: str, *arguments: str, **limits: str) -> list[float]:
    """Run a script; the numbers that it printed."""
    answer = machine.run(sys.executable, "-c", DRIVER_CALLS + script, *arguments, **limits)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    return [float(word) for word in answer.stdout.split()]


def busy(machine: Machine, device: int = 0) -> float:
    """Seconds of a device that the slice was charged."""
    place = layout.DEVICE.start + device * layout.DEVICE.size + layout.DEVICE.fields["busy_ns"].offset
    return struct.unpack_from("<Q", (machine.directory / "region").read_bytes(), place)[0] / 1e9


def test_what_is_captured_is_neither_held_nor_charged(timed: Machine) -> None:
    """A slice deep in debt captures at once: 20 s of kernels become a graph in no time."""
    nodes, took = run(timed, CAPTURE, CUDA_DEVICE_SM_LIMIT="10")
    assert nodes == 1000
    assert took < 0.1
    assert busy(timed) < 1


@pytest.mark.parametrize("end", ["ended", "destroyed"])
@pytest.mark.parametrize("mode", ["0", "1", "2"])
def test_what_runs_beside_a_capture_is_held(timed: Machine, mode: str, end: str) -> None:
    """As long as another stream is captured, in each mode; the capture is not disturbed, and may lose its stream."""
    launches, took, again, then = run(timed, BESIDE_A_CAPTURE, mode, end, CUDA_DEVICE_SM_LIMIT="20")
    assert launches * 0.002 / took == pytest.approx(0.2, abs=0.05)
    assert again * 0.002 / then == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("queued", ["1", "16", "1000"])
def test_kernels_that_are_never_launched_twice_are_held(timed: Machine, queued: str) -> None:
    """Each of a geometry of its own, so nothing is known of one before it has run; however many are queued at once."""
    launches, took = run(timed, UNLIKE, queued, CUDA_DEVICE_SM_LIMIT="20")
    assert launches * 0.02 / took == pytest.approx(0.2, abs=0.05)


def test_threads_share_the_share_of_their_process(timed: Machine) -> None:
    """Four that launch and wait, at once, for 5 s."""
    run(timed, THREADS, CUDA_DEVICE_SM_LIMIT="40")
    assert busy(timed) == pytest.approx(2, abs=0.15)


def test_a_thread_pays_on_the_device_that_it_launches_on(timed: Machine) -> None:
    """Two devices with limits of their own, and a thread that goes from one to the other and back."""
    cards = "".join(CARD.format(index=index, memory=12288, context=0) for index in (0, 1))
    (timed.directory / "cards.conf").write_text(f"{DRIVER}clock = virtual\n{cards}")
    run(timed, DEVICES, CUDA_DEVICE_SM_LIMIT_0="60", CUDA_DEVICE_SM_LIMIT_1="90")
    assert busy(timed, 0) == pytest.approx(1.8, rel=0.1)
    assert busy(timed, 1) == pytest.approx(busy(timed, 0) / 2, rel=0.1)


@pytest.mark.parametrize(
    "call", ["cuLaunch", "cuLaunchGrid", "cuLaunchGridAsync", "cuLaunchCooperativeKernelMultiDevice"]
)
def test_the_old_launches_are_held_too(timed: Machine, call: str) -> None:
    """Kernels of 10 us, by the calls of the first CUDA and by the one for several devices."""
    launches, took = run(timed, OLD, call, CUDA_DEVICE_SM_LIMIT="30")
    assert launches * 10e-6 / took == pytest.approx(0.3, abs=0.05)


def test_a_limit_that_is_changed_holds_from_then_on(machine: Machine) -> None:
    """By the real clock: from 80 percent to 20 while the program runs, and no limit at all in the end."""
    path = machine.directory / "region"
    with machine.start(
        "burn", "--report", "--seconds", "4", "--ns-per-iteration", "1000", CUDA_DEVICE_SM_LIMIT="80"
    ) as program:
        assert program.stdout
        shares = []
        for cores in (20, 0, None):
            shares += seconds(program.stdout.readline())
            if cores is not None:
                region.change(Path(path), 0, cores=cores)
        program.communicate(timeout=600)
    first, second, third = shares
    assert first == pytest.approx(80, abs=15)
    assert second == pytest.approx(20, abs=15)
    assert third > 80


@pytest.mark.parametrize("limits", [{}, {"CUDA_DEVICE_SM_LIMIT": "50"}])
def test_every_launch_is_counted_when_the_program_has_ended(timed: Machine, limits: dict[str, str]) -> None:
    """Without a limit they are counted in lots: the last one, which is not full, at the program's end."""
    launches, _ = run(timed, OLD, "cuLaunch", CUDA_DEVICE_MEMORY_LIMIT="1g", **limits)
    field = layout.DEVICE.fields["launches"]
    region_bytes = (timed.directory / "region").read_bytes()
    assert struct.unpack_from("<Q", region_bytes, layout.DEVICE.start + field.offset)[0] == launches
