"""Slices of several priorities on one simulated card, who sees to them, and programs that tell when they ran."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from simulated import BUILD, Machine, uuid

from hetero.enforcement import region
from hetero.enforcement.limits import limits_of
from hetero.enforcement.slices import LocalSlice
from hetero.model import wire
from hetero.model.allocation import Grant, Slice
from hetero.model.share import Share
from hetero.testing.fake import fake_device

MS = 1_000_000

WATCHER = """
import os, sys, time
from pathlib import Path
from hetero.enforcement.slices import LocalSlice
from hetero.model import wire
from hetero.monitoring.watcher import Watcher
directory, precedence, looks, words = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
watcher = Watcher(directory, lambda data: wire.decode(data, LocalSlice).held, precedence)
print("looks", flush=True)
while looks:
    pause = watcher.look()
    looks -= watcher.yields > 0
    time.sleep(pause)
print(time.monotonic_ns(), flush=True)
if words:
    from hetero.cli.main import main
    os.environ["HETERO_RUNTIME_DIR"] = str(directory)
    sys.argv = ["hetero", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
while words:
    time.sleep(watcher.look())
"""
"""Ends after so many looks at which somebody makes way, as by SIGKILL: without a word to anybody; and then says when.

With words of a command it runs that one instead, by the same clock, and goes on."""

PROGRAM = """
import ctypes, json, os, sys, time
kernel_us, ahead, seconds, after, work, rest = map(float, sys.argv[1:7])
go, ready, parties = sys.argv[7], sys.argv[8], int(sys.argv[9])
cuda = ctypes.CDLL("libcuda.so.1")
image = b".version 5.0\\n.target sm_50\\n.address_size 64\\n.visible .entry work(.param .u64 n)\\n{ ret; }\\n"
device, context, module, kernel = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
def call(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    assert code == 0, (name, code)
call("cuInit", 0)
call("cuDeviceGet", ctypes.byref(device), 0)
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
call("cuCtxSetCurrent", context)
call("cuModuleLoadData", ctypes.byref(module), image)
call("cuModuleGetFunction", ctypes.byref(kernel), module, b"work")
events = [ctypes.c_void_p() for _ in range(int(ahead))]
for event in events:
    call("cuEventCreate", ctypes.byref(event), 2)
iterations = ctypes.c_ulonglong(int(kernel_us))
parameters = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(iterations), ctypes.c_void_p))
open(f"{ready}/{os.getpid()}", "x").close()
if len(os.listdir(ready)) == parties:
    with open(f"{go}.{os.getpid()}", "w") as file:
        file.write(str(time.monotonic() + 1))
    os.rename(file.name, go)
while not os.path.exists(go):
    time.sleep(0.1)
time.sleep(float(open(go).read()) + after - time.monotonic())
begun, ran, launched = time.monotonic(), [], 0
def wait():
    call("cuEventSynchronize", events[len(ran) % len(events)])
    ran.append(time.monotonic_ns())
while (passed := time.monotonic() - begun) < seconds:
    if rest and passed % (work + rest) >= work:
        while len(ran) < launched:
            wait()
        time.sleep(work + rest - passed % (work + rest))
        continue
    if launched - len(ran) == len(events):
        wait()
    call("cuLaunchKernel", kernel, 1, 1, 1, 1, 1, 1, 0, None, parameters, None)
    call("cuEventRecord", events[launched % len(events)], None)
    launched += 1
while len(ran) < launched:
    wait()
print(json.dumps({"kernel_ns": int(kernel_us) * 1000, "begun": int(begun * 1e9), "ran": ran}))
"""
"""Launches kernels, several ahead, for some seconds or in bursts of ``work`` seconds with a rest behind each.

All begin at one moment of the machine's clock, which whoever comes last sets. They cannot meet in the driver, which
makes time stand still: an interpreter reads the clock before it can come there.
"""

KERNELS = {"gemm": ("1600", "8"), "sync": ("10000", "1")}
"""Microseconds of a kernel, and how many are launched ahead."""


class Ran(msgspec.Struct, frozen=True):
    """What a program did, by the machine's clock in ns: when it began, and when each kernel had ended."""

    kernel_ns: int
    begun: int
    ran: tuple[int, ...]

    @property
    def ended(self) -> int:
        """The end of its last kernel."""
        return self.ran[-1]

    def share(self, start: int, end: int) -> float:
        """Percent of the card's time that it had between two moments."""
        kernels = sum(start < moment <= end for moment in self.ran)
        return 100 * kernels * self.kernel_ns / (end - start)


def make_slice(machine: Machine, name: str, priority: int, cores: int = 0, policy: str = "cap") -> Path:
    """A slice of the card as `hetero run` keeps it; returns its region."""
    directory = machine.directory / "slices" / name
    directory.mkdir(parents=True)
    grant = Grant(
        device=msgspec.structs.replace(fake_device(), uuid=uuid(0)),
        share=Share(quantities={"memory": 0, "cores": cores}),
    )
    held = Slice(
        id=name,
        grants=(grant,),
        directory=str(directory),
        region=str(directory / "region"),
        policy=policy,
        priority=priority,
    )
    region.create(directory / "region", limits_of(held))
    keep(directory, held, priority)
    return directory / "region"


def keep(directory: Path, held: Slice, priority: int) -> None:
    """Write a slice's record with this priority."""
    record = LocalSlice(
        vendor="fake", held=msgspec.structs.replace(held, priority=priority), command=("program",), created_ns=0
    )
    partial = directory / "partial"
    partial.write_text(wire.encode(record))
    partial.rename(directory / "slice.json")


@contextlib.contextmanager
def watching(
    machine: Machine, precedence: str = "conserve", looks: int = 1 << 30, words: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Somebody sees to precedence, by the machine's clock."""
    environment = {**machine.variables, "LD_PRELOAD": str(BUILD / "sim/libsimclock.so")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", WATCHER, str(machine.directory), precedence, str(looks), *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout
        try:
            assert watcher.stdout.readline() == "looks\n"
            yield watcher
        finally:
            watcher.kill()


class Programs:
    """Programs that start at the same moment.

    Args:
        machine: Where.
        parties: How many there will be.
    """

    def __init__(self, machine: Machine, parties: int) -> None:
        self._machine = machine
        self._parties = parties
        self._ready = Path(tempfile.mkdtemp(prefix="ready-", dir=machine.directory))

    def start(
        self, path: Path, kind: str, seconds: float, after: float = 0, burst: tuple[float, float] = (1, 0)
    ) -> subprocess.Popen[str]:
        """One that launches kernels of a kind in the slice of this region."""
        return self._machine.start(
            sys.executable,
            "-c",
            PROGRAM,
            *KERNELS[kind],
            *map(str, (seconds, after, *burst, f"{self._ready}-go", self._ready, self._parties)),
            CUDA_DEVICE_MEMORY_SHARED_CACHE=str(path),
        )


def ran(program: subprocess.Popen[str]) -> Ran:
    """What it did, when it has ended."""
    output = program.communicate(timeout=600)[0]
    assert program.returncode == 0
    return msgspec.convert(json.loads(output), Ran)
