"""A share of a card's time. Ratios with room to spare: the machine that runs the tests is shared, too."""

from __future__ import annotations

import re
import struct
import sys

import pytest
from simulated import Machine

from hetero.enforcement import layout


def busy(output: str) -> float:
    """Percent of the time that ``burn`` got."""
    return float(re.findall(r"busy ([\d.]+) %", output)[-1])


def account(machine: Machine) -> tuple[int, int, int]:
    """Busy and throttled ns and launches of the slice's first device, as its region has them."""
    data = (machine.directory / "region").read_bytes()
    busy_ns, throttled_ns, launches = struct.unpack_from(
        "<QQQ", data, layout.DEVICE.start + layout.DEVICE.fields["busy_ns"].offset
    )
    return busy_ns, throttled_ns, launches


@pytest.mark.parametrize("percent", [20, 70])
def test_a_slice_gets_the_share_that_it_asked(machine: Machine, percent: int) -> None:
    """Alone on a card; without the limit the same program takes all of it."""
    answer = machine.run("burn", "--seconds", "2", CUDA_DEVICE_SM_LIMIT=str(percent))
    assert busy(answer.stdout) == pytest.approx(percent, abs=10)


@pytest.mark.parametrize("call", ["plain", "extended", "cooperative"])
def test_no_launch_goes_round_the_limit(machine: Machine, call: str) -> None:
    """cuLaunchKernel, cuLaunchKernelEx and cuLaunchCooperativeKernel are held to the same share."""
    answer = machine.run("burn", "--seconds", "1", "--launch", call, CUDA_DEVICE_SM_LIMIT="30")
    assert busy(answer.stdout) == pytest.approx(30, abs=12)


def test_what_a_slice_used_is_in_its_region(machine: Machine) -> None:
    """Busy time is what the program measured, and the time that it was held back is counted."""
    answer = machine.run("burn", "--seconds", "2", CUDA_DEVICE_SM_LIMIT="40")
    busy_ns, throttled_ns, launches = account(machine)
    assert busy_ns == pytest.approx(busy(answer.stdout) / 100 * 2e9, rel=0.3)
    assert throttled_ns > 0
    assert launches >= int(re.findall(r"launches (\d+)", answer.stdout)[-1])


@pytest.mark.parametrize("limit", ["0", "100"])
def test_no_limit_holds_nobody_back(machine: Machine, limit: str) -> None:
    """0 and 100 percent: no time in the queue, and use is known nevertheless, by samples."""
    machine.run("burn", "--seconds", "1", CUDA_DEVICE_SM_LIMIT=limit, CUDA_DEVICE_MEMORY_LIMIT="1g")
    busy_ns, throttled_ns, launches = account(machine)
    assert throttled_ns == 0
    assert busy_ns > 0.5e9
    assert launches > 0


def test_two_slices_share_a_card(machine: Machine) -> None:
    """30 and 60 percent at once: each gets its own, whatever the other does."""
    known = ["--iterations", "2000", "--kernel-ns", "2000000"]
    commands = {percent: ["burn", "--seconds", "3", *known] for percent in (30, 60)}
    running = {
        percent: machine.start(
            *command,
            CUDA_DEVICE_SM_LIMIT=str(percent),
            CUDA_DEVICE_MEMORY_SHARED_CACHE=str(machine.directory / f"region{percent}"),
        )
        for percent, command in commands.items()
    }
    got = {percent: busy(program.communicate()[0]) for percent, program in running.items()}
    assert got[30] == pytest.approx(30, abs=10)
    assert got[60] == pytest.approx(60, abs=15)


# A kernel of 4 ms on the simulated card, and one of 10 us.
KERNELS = """
import ctypes, time
driver = ctypes.CDLL("libcuda.so.1")
context, module, long, short = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
driver.cuInit(0)
driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
driver.cuCtxSetCurrent(context)
driver.cuModuleLoadData(ctypes.byref(module), b"any image")
driver.cuModuleGetFunction(ctypes.byref(long), module, b"work")
driver.cuModuleGetFunction(ctypes.byref(short), module, b"anything else")
iterations = ctypes.c_uint64(4000)
parameters = (ctypes.c_void_p * 1)(ctypes.addressof(iterations))
def launch(kernel, times, threads=1):
    for _ in range(times):
        assert driver.cuLaunchKernel(kernel, 1, 1, 1, threads, 1, 1, 0, None, parameters, None) == 0
"""

QUEUE = f"{KERNELS}\nstart = time.monotonic(); launch(long, 12); print(time.monotonic() - start)"

SHORT_THEN_LONG = f"{KERNELS}\nlaunch(short, 20)\nfor _ in range(15): launch(long, 10); driver.cuCtxSynchronize()"

FAILING = f"""{KERNELS}
for _ in range(100):
    launch(long, 1)
    assert driver.cuLaunchKernel(None, 1, 1, 1, 1, 1, 1, 0, None, parameters, None) == 400
    driver.cuCtxSynchronize()
"""


def test_an_unknown_kernel_is_not_queued_without_end(machine: Machine) -> None:
    """At 20 percent, 12 kernels of 4 ms cannot all be queued before the first has been measured and paid for."""
    unlimited = float(machine.run(sys.executable, "-c", QUEUE, CUDA_DEVICE_MEMORY_LIMIT="1g").stdout)
    (machine.directory / "region").unlink()
    limited = machine.run(sys.executable, "-c", QUEUE, CUDA_DEVICE_SM_LIMIT="20")
    assert float(limited.stdout) >= 0.1  # eight of them are a debt of 24 ms and more, which takes five times as long
    assert float(limited.stdout) > unlimited


def test_a_device_without_a_limit_beside_one_with_is_not_held_back(machine: Machine) -> None:
    """Each position counts for itself."""
    machine.cards(12288, 12288)
    answer = machine.run("burn", "--seconds", "1", CUDA_DEVICE_SM_LIMIT_1="10")
    busy_ns, throttled_ns, launches = account(machine)
    assert throttled_ns == 0
    assert 0 < busy_ns < 2e9
    assert launches <= 2 * int(re.findall(r"launches (\d+)", answer.stdout)[-1])


def test_use_without_a_limit_is_known_when_kernels_become_longer(machine: Machine) -> None:
    """20 short kernels and 150 of 4 ms, 0.6 s in all: few are measured, and they stand for the others."""
    machine.virtual()
    machine.run(sys.executable, "-c", SHORT_THEN_LONG, CUDA_DEVICE_MEMORY_LIMIT="1g")
    busy_ns, throttled_ns, launches = account(machine)
    assert 0.3e9 < busy_ns < 0.9e9
    assert throttled_ns == 0
    assert 150 < launches < 350


def test_launches_that_fail_are_not_charged(machine: Machine) -> None:
    """Between good ones they change neither what was used nor what is predicted."""
    answer = machine.run(sys.executable, "-c", FAILING, CUDA_DEVICE_SM_LIMIT="90")
    busy_ns, _, launches = account(machine)
    assert not answer.stderr
    assert busy_ns == pytest.approx(0.4e9, rel=0.3)
    assert launches == 200
