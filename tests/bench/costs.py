"""What a slice adds to calls of the driver, in a run where bare and inside take turns.

Launches, allocations and queries go to a driver that does nothing, so that nearly all that is measured is the way to
it; ``cuInit`` goes to the simulated one. Both of a pair run on one processor, the one on which the bare call is the
quickest: on a shared machine a processor whose twin is busy takes twice as long for the instructions that lock memory,
and a program that is moved from one to the other measures that.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simulated import BUILD, Machine, machine_in

from tests.bench.figures import Figure

TURNS = 15
MEMORY = {"CUDA_DEVICE_MEMORY_LIMIT": "1000g"}
COMPUTE = {**MEMORY, "CUDA_DEVICE_SM_LIMIT": "90"}

# Small ones share blocks of 2 MiB; large ones are each accounted for by themselves.
SIZES = {"64 KiB": ("--bytes", "64k", "--each", "512"), "2 MiB": ("--bytes", "2m", "--each", "2m")}

START = "import ctypes, sys; driver = ctypes.CDLL('libcuda.so.1'); assert driver.cuInit(0) == 0"
RETAIN = "; context = ctypes.c_void_p(); driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)"
CREATING = ("cuDevicePrimaryCtxRetain", "cuCtxCreate", "cuCtxCreate_v2", "cuCtxCreate_v3", "cuCtxCreate_v4")


def measure() -> list[Figure]:
    """Costs of launches, of allocations among others, of queries, of starting, and of a death."""
    return [*_launches(), *_allocations(), _queries(), *_starting(), *_recovery()]


def more(bare: Sequence[float], inside: Sequence[float]) -> float:
    """What is spent more inside: the median of the differences of runs that were neighbours."""
    return statistics.median(slow - quick for quick, slow in zip(bare, inside, strict=True))


@contextmanager
def _empty() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as directory:
        machine = machine_in(Path(directory))
        machine.variables["LD_LIBRARY_PATH"] = str(BUILD / "tests/emptydriver")
        yield machine


def _overhead(machine: Machine, *options: str, **limits: str) -> dict[str, float]:
    answer = machine.run("overhead", *options, **limits)
    if answer.returncode:
        raise RuntimeError(f"overhead: {answer.stderr}")
    return dict(json.loads(answer.stdout))


def _by_turns(measured: Callable[[Machine], float], machine: Machine, **limits: str) -> tuple[float, float]:
    """Without the library; and how much more in the slice with these limits."""
    inside = Machine(machine.directory, machine.environment(**limits))
    with _quietest_processor(lambda: measured(machine.bare())):
        pairs = [(measured(machine.bare()), measured(inside)) for _ in range(TURNS)]
    bare = [pair[0] for pair in pairs]
    return statistics.median(bare), more(bare, [pair[1] for pair in pairs])


@contextmanager
def _quietest_processor(bare: Callable[[], float]) -> Iterator[None]:
    """Programs started meanwhile run on one processor."""
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed, key=lambda processor: _cost_on(processor, bare))})
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _cost_on(processor: int, bare: Callable[[], float]) -> float:
    os.sched_setaffinity(0, {processor})
    return min(bare() for _ in range(3))


def _call(title: str, options: Sequence[str], key: str, within: str, **limits: str) -> Figure:
    """One call of ``overhead``; the bare cost is told, since it shows how quick the machine was just then."""
    with _empty() as machine:
        bare, added = _by_turns(lambda where: _overhead(where, *options)[key], machine, **limits)
    return Figure(f"{title} (bare: {bare:.1f})", added, "ns", within)


def _launches() -> list[Figure]:
    many = ("--launches", "20000")
    return [
        _call("a launch, more without a compute limit", many, "launch", "<= 3", **MEMORY),
        _call("a launch, more with one of 90 %", many, "launch", "<= 15", **COMPUTE),
    ]


def _allocations() -> list[Figure]:
    return [
        _call(
            f"cuMemAlloc and cuMemFree of {size}, more with {live:,} live",
            (*options, "--live", str(live)),
            "alloc_free",
            "<= 200",
            **MEMORY,
        )
        for size, options in SIZES.items()
        for live in (0, 10000, 50000)
    ]


def _queries() -> Figure:
    return _call("cuMemGetInfo, more", (), "meminfo", "<= 100", **MEMORY)


def _starting() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        machine = machine_in(Path(directory))
        bare, added = _by_turns(lambda where: _overhead(where)["init"] / 1e6, machine, **MEMORY)
        (machine.directory / "faults").write_text("".join(f"{call} 1 die\n" for call in CREATING))
        if machine.run(sys.executable, "-c", START + RETAIN, **MEMORY).returncode != -9:
            raise RuntimeError("a context that is made is not noticed")
        made = machine.run(sys.executable, "-c", START, **MEMORY).returncode != 0
    return [
        Figure(f"cuInit of a simulated card, more (bare: {bare:.2f})", added, "ms", "<= 1"),
        Figure("contexts that cuInit makes", float(made), "", "<= 0"),
    ]


def _recovery() -> list[Figure]:
    """Medians; the processes that are killed and those that come next are the program's own."""
    with tempfile.TemporaryDirectory() as directory:
        answer = machine_in(Path(directory)).bare().run(str(BUILD / "tests/recovery"))
    times = dict(json.loads(answer.stdout))
    usual = times.pop("nobody killed")
    return [
        Figure(f"until the next allocation, more after SIGKILL ({moment})", (time - usual) / 1e6, "ms", "<= 1")
        for moment, time in times.items()
    ]
