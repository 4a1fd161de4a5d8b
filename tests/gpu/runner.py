"""What ``hetero run`` itself takes on a machine with a real card: time to start, and a processor's while it runs."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.figures import Figure
from tests.gpu.compute import kernel_ns
from tests.gpu.priorities import AHEAD, MANY, SHORT
from tests.gpu.runs import BARE, Slice, run
from tests.gpu.talks import HETERO, Talk, by_hetero, in_directory, program, talking

TURNS = 7
SLICES = 4
SECONDS = 8.0
_SCHEDULED = 2
"""The clock of a process that counts what the kernel's scheduler gave it: ``CPUCLOCK_SCHED`` of the kernel's
``posix-timers.h``."""


def measure(brief: bool = False) -> list[Figure]:
    """Some forty seconds; half of that in brief."""
    seconds, turns = (4.0, 3) if brief else (SECONDS, TURNS)
    with tempfile.TemporaryDirectory(prefix="hetero-gpu-") as directory:
        place = Path(directory)
        return [
            *starts(place, turns),
            *loop("four priorities", place, seconds, priorities=range(SLICES)),
            *loop("four that are lent to", place, seconds, cores=20, policy="conserve"),
            *loop("four equals", place, seconds),
        ]


def starts(directory: Path, turns: int) -> list[Figure]:
    """From the start of a command to its end, by turns: what programs take, and what ``hetero run`` takes."""
    in_slice = (*HETERO, "run", "--memory", "2048m", "--")
    commands = {
        "cardinfo, bare": (BARE, ("cardinfo",)),
        "cardinfo, with the library before it": (Slice(memory=2048), ("cardinfo",)),
        "cardinfo by `hetero run`": (Slice(bare=True, more=_slices_in(directory)), (*in_slice, "cardinfo")),
        "nothing by `hetero run`": (Slice(bare=True, more=_slices_in(directory)), (*in_slice, "true")),
        "an interpreter that does nothing": (BARE, (HETERO[0], "-c", "pass")),
    }
    told: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(turns):
        for name, (where, words) in commands.items():
            told[name].append(_milliseconds(where, words))
    return [Figure(f"start: {name}", statistics.median(times), "ms") for name, times in told.items()]


def loop(
    name: str,
    directory: Path,
    seconds: float,
    *,
    cores: int | None = None,
    policy: str = "cap",
    priorities: Sequence[int] = (1,) * SLICES,
) -> list[Figure]:
    """Processor time of those who started four programs, while all of them run; one leads and looks after all."""
    command = program("steady.py", str(round(MANY * SHORT / kernel_ns(MANY))), AHEAD[SHORT])
    with ExitStack() as stack:
        talks: list[Talk] = []
        for priority in priorities:
            started = by_hetero(directory, *command, memory=1024, cores=cores, policy=policy, priority=priority)
            talks.append(stack.enter_context(talking(*started)))
            talks[-1].hear()
        begin = time.monotonic()
        for talk in talks:
            talk.tell(f"{begin} {seconds + 2}")
        time.sleep(1)
        *others, leads = sorted(_busy([talk.pid for talk in talks], seconds))
        for talk in talks:
            talk.hear()
    return [
        Figure(f"{name}: the `hetero run` that looks after all", leads, "% of a core", "<= 1"),
        Figure(f"{name}: each of the others, at most", others[-1], "% of a core"),
    ]


def processor_seconds(pid: int) -> float:
    """What a process itself has had of the processors, in user mode and in the kernel.

    Source: clock_getcpuclockid(3), by the number that the C library makes of a process; ``/proc`` has hundredths alone.
    """
    return time.clock_gettime((~pid << 3) | _SCHEDULED)


def _busy(pids: Sequence[int], seconds: float) -> list[float]:
    """Percent of a core for each."""
    before, began = list(map(processor_seconds, pids)), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return [100 * (processor_seconds(pid) - used) / passed for pid, used in zip(pids, before, strict=True)]


def _milliseconds(where: Slice, words: tuple[str, ...]) -> float:
    began = time.monotonic()
    answer = run(where, *words)
    passed = time.monotonic() - began
    if answer.returncode:
        raise ValueError(f"{' '.join(words)} ended with {answer.returncode}: {answer.stderr.strip()}")
    return 1000 * passed


def _slices_in(directory: Path) -> dict[str, str]:
    return {"HETERO_RUNTIME_DIR": in_directory(directory)["HETERO_RUNTIME_DIR"]}
