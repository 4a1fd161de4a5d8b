"""What one slice leaves idle another one gets, and gives it back: programs and the lender on a clock that is exact."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import rivals
from shares import seconds
from simulated import BUILD, Machine, uuid

from hetero.enforcement import region
from hetero.enforcement.limits import DeviceLimit, Limits

LENDER = """
import sys, time
from pathlib import Path
from hetero.monitoring.lending import PERIOD_NS, Lender, accounts_of, regions
directory, left = Path(sys.argv[1]), int(sys.argv[2])
lender = Lender(directory)
print("looks", flush=True)
while left:
    lender.look()
    left -= any(account.lent for path in regions(directory) for account in accounts_of(path))
    time.sleep(PERIOD_NS / 1e9)
"""

PULSE = """
import ctypes, sys, time
cuda = ctypes.CDLL("libcuda.so.1")
image = b".version 5.0\\n.target sm_50\\n.address_size 64\\n.visible .entry work(.param .u64 n)\\n{ ret; }\\n"
device, context, module, kernel = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
def check(code):
    assert code == 0, code
check(cuda.cuInit(0))
check(cuda.cuDeviceGet(ctypes.byref(device), 0))
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
check(cuda.cuCtxSetCurrent(context))
check(cuda.cuModuleLoadData(ctypes.byref(module), image))
check(cuda.cuModuleGetFunction(ctypes.byref(kernel), module, b"work"))
iterations = ctypes.c_ulonglong(10000)
parameters = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(iterations), ctypes.c_void_p))
turns, start = 0, time.monotonic()
while time.monotonic() - start < float(sys.argv[1]):
    check(cuda.cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, None, parameters, None))
    check(cuda.cuCtxSynchronize())
    turns += 1
    time.sleep(0.04)
print(turns)
"""


@pytest.fixture
def timed(machine: Machine) -> Machine:
    """A machine with a virtual clock."""
    machine.virtual()
    return machine


def make_slice(machine: Machine, cores: int, policy: str = "conserve", priority: int = 1) -> Path:
    """A slice's region where the lender looks."""
    directory = machine.directory / "slices" / f"{cores}-{policy}-{priority}"
    directory.mkdir(parents=True)
    limit = DeviceLimit(uuid=uuid(0), cores=cores, policy=policy, priority=priority)
    region.create(directory / "region", Limits(slice_id=directory.name, devices=(limit,)))
    return directory / "region"


@contextlib.contextmanager
def lending(machine: Machine, looks: int = 1 << 30) -> Iterator[None]:
    """Somebody lends, by the machine's clock, and ends after so many looks with something lent."""
    environment = {**machine.variables, "LD_PRELOAD": str(BUILD / "sim/libsimclock.so")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", LENDER, str(machine.directory), str(looks)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as looking:
        assert looking.stdout
        assert looking.stdout.readline() == "looks\n"
        yield
        looking.kill()


@pytest.fixture
def lender(timed: Machine) -> Iterator[None]:
    """Somebody lends."""
    with lending(timed):
        yield


def pulse(machine: Machine, path: Path, lasting: int) -> subprocess.Popen[str]:
    """A program that works for 10 ms and rests for 40, again and again; it counts how often it did."""
    return machine.start(
        sys.executable,
        "-c",
        PULSE,
        str(lasting),
        CUDA_DEVICE_MEMORY_SHARED_CACHE=str(path),
        HETERO_SIM_PARTIES="1",
    )


def turns(running: subprocess.Popen[str]) -> int:
    """How often it did its work."""
    return int(running.communicate(timeout=600)[0])


def burn(machine: Machine, path: Path, lasting: int, *options: str, parties: int = 2) -> subprocess.Popen[str]:
    """A program that wants all of the card, in the slice of this region; it starts together with the other parties."""
    command = ["burn", "--report", "--seconds", str(lasting), "--ns-per-iteration", "1000", *options]
    return machine.start(*command, CUDA_DEVICE_MEMORY_SHARED_CACHE=str(path), HETERO_SIM_PARTIES=str(parties))


def shares(running: Sequence[subprocess.Popen[str]]) -> list[list[float]]:
    """What each got in each of its seconds."""
    return [seconds(program.communicate(timeout=600)[0]) for program in running]


SECOND = 1_000_000_000
SLICES = ((30, 1), (60, 0))
"""Percent and priority."""

SETTLED = slice(1, None)
"""The second in which a loan begins or ends tells of both."""


def test_nobody_lends_and_everybody_keeps_to_his_own(timed: Machine) -> None:
    """Without a lender the policy is a plain cap, also alone on the card."""
    [got] = shares([burn(timed, make_slice(timed, 30), 4, parties=1)])
    assert all(abs(share - 30) <= 3 for share in got), got


@pytest.mark.parametrize("workload", ["decode", "gemm", "sync"])
def test_an_idle_share_is_lent_and_given_back(timed: Machine, lender: None, workload: str) -> None:
    """30 and 70: alone the first has all of the card; beside the second, which comes and goes, it has its 30."""
    small, large = make_slice(timed, 30), make_slice(timed, 70, "cap")
    kind = ("--workload", workload)
    got, beside = shares([burn(timed, small, 16, *kind), burn(timed, large, 6, *kind, "--after", "5")])
    assert got[2] >= 97, got
    assert got[-1] >= 97, got
    assert len(beside) >= 4
    assert all(abs(share - 70) <= 3 for share in beside[SETTLED]), beside
    assert sum(abs(share - 30) <= 3 for share in got) >= 4, got


def test_who_comes_back_has_most_of_its_own_in_its_first_second(timed: Machine, lender: None) -> None:
    """A period to be noticed, and then no loan is in its way."""
    small, large = make_slice(timed, 30), make_slice(timed, 70)
    _, beside = shares([burn(timed, small, 9), burn(timed, large, 3, "--after", "5")])
    assert beside[0] >= 50, beside


def test_a_slice_with_a_cap_is_lent_nothing(timed: Machine, lender: None) -> None:
    """Beside one that takes loans, and although the card is half idle."""
    capped, taker = make_slice(timed, 20, "cap"), make_slice(timed, 30)
    got, beside = shares([burn(timed, capped, 8), burn(timed, taker, 8)])
    assert abs(statistics.mean(got[SETTLED]) - 20) <= 3, got
    assert statistics.mean(beside[SETTLED]) >= 75, beside


def test_the_higher_priority_has_what_is_idle(timed: Machine, lender: None) -> None:
    """20 and 20, and 60 that nobody was promised: they go to priority 0."""
    first, second = make_slice(timed, 20, priority=0), make_slice(timed, 20, priority=1)
    got, beside = shares([burn(timed, first, 8), burn(timed, second, 8)])
    assert abs(statistics.mean(got[SETTLED]) - 80) <= 4, got
    assert abs(statistics.mean(beside[SETTLED]) - 20) <= 4, beside


def test_equals_share_what_is_idle_by_what_they_were_promised(timed: Machine, lender: None) -> None:
    """20 and 40: a third and two thirds of the card."""
    small, large = make_slice(timed, 20), make_slice(timed, 40)
    got, beside = shares([burn(timed, small, 8), burn(timed, large, 8)])
    assert abs(statistics.mean(got[SETTLED]) - 33) <= 4, got
    assert abs(statistics.mean(beside[SETTLED]) - 67) <= 4, beside


@pytest.mark.parametrize("looks", [15])
def test_when_the_lender_dies_the_cap_is_back(timed: Machine, looks: int) -> None:
    """Its loans run out by themselves: three seconds of loans, and then a plain cap."""
    small = make_slice(timed, 30)
    with lending(timed, looks):
        [got] = shares([burn(timed, small, 9, parties=1)])
    assert max(got) >= 90, got
    assert all(abs(share - 30) <= 3 for share in got[5:]), got


def test_a_lender_that_needs_little_is_not_slowed_by_much(timed: Machine, lender: None) -> None:
    """It works for 10 of 50 ms, a fifth of the card, as before; most of the rest of its 70 percent is lent."""
    small, large = make_slice(timed, 30), make_slice(timed, 70)
    alone = turns(pulse(timed, large, 6))
    beside, taker = pulse(timed, large, 6), burn(timed, small, 6, parties=1)
    [got] = shares([taker])
    assert turns(beside) >= 0.85 * alone
    assert statistics.mean(got[2:]) >= 60, got


def test_a_lender_that_needs_more_has_its_own_within_a_second(timed: Machine, lender: None) -> None:
    """A second program in its slice wants all that the first, which needed 20 of 70, had left to the borrower."""
    small, large = make_slice(timed, 30), make_slice(timed, 70)
    taker, light = burn(timed, small, 14, parties=1), pulse(timed, large, 13)
    heavy = burn(timed, large, 4, "--after", "6", parties=1)
    got, beside = shares([taker, heavy])
    assert turns(light) > 0
    assert max(got[2:5]) >= 55, got
    assert min(beside) >= 38, beside
    assert sum(abs(share - 30) <= 3 for share in got[6:10]) >= 2, got


def test_who_goes_first_is_lent_what_those_who_make_way_cannot_use(timed: Machine, lender: None) -> None:
    """30 and 60, of priorities 1 and 0: the second has the card when it comes, the first when it has gone."""
    low, high = (rivals.make_slice(timed, str(cores), priority, cores, "conserve") for cores, priority in SLICES)
    with rivals.watching(timed):
        programs = rivals.Programs(timed, 2)
        running = programs.start(low, "gemm", 8), programs.start(high, "gemm", 3, after=2.5)
        below, above = map(rivals.ran, running)
    assert below.share(above.begun - SECOND, above.begun) >= 95
    assert above.share(above.begun + SECOND, above.ended) >= 95
    assert below.share(above.begun + SECOND, above.ended) <= 3
    assert below.share(above.ended + SECOND, above.ended + 2 * SECOND) >= 95
