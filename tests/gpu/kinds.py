"""What a real card loses, by kind and against its own management library; and what the counters of a slice count."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hetero.enforcement import region
from hetero.enforcement.reading import DeviceUse
from tests.bench.figures import Figure
from tests.gpu.priorities import AHEAD, SHORT
from tests.gpu.runs import BARE, Slice, run
from tests.gpu.talks import program, talking

MIB = 1 << 20
STEPS = 5
REFUSALS = 3
ITERATIONS = 2000


def measure(brief: bool = False) -> list[Figure]:
    """All of it; some seconds."""
    del brief
    return [*_kinds(), *_refused(), *_exhausted(), *_launches()]


@contextmanager
def _slice(memory: int, cores: int | None = None) -> Iterator[tuple[Slice, Path]]:
    """A slice whose region is still there when its program has ended."""
    with tempfile.TemporaryDirectory(prefix="hetero-gpu-") as directory:
        path = Path(directory) / "region"
        yield Slice(memory=memory, cores=cores, region=str(path)), path


def use_of(path: Path) -> DeviceUse:
    """What a region tells of its first device."""
    return region.read(path).devices[0]


def told_mib() -> int:
    """MiB that the management library tells of all processes, asked from outside any slice."""
    return sum(map(int, re.findall(r"process +\d+, (\d+)MiB", run(BARE, "smi").stdout)))


def _kinds() -> list[Figure]:
    figures, others = [], told_mib()
    with _slice(8 * 1024) as (where, path), talking(program("stepwise.py"), where.environment()) as talk:
        for _ in range(STEPS):
            answer = talk.ask()
            figures += _of_step(answer["step"], answer["data"], use_of(path), told_mib() - others)
    return figures


def _of_step(step: str, data: int, use: DeviceUse, told: int) -> list[Figure]:
    context, module, used = (size / MIB for size in (use.context, use.module, use.memory_used))
    name = f"{step}: {context:g} + {module:g} + {data} MiB"
    return [
        Figure(f"{name}, off the {used:g} MiB charged by", abs(context + module + data - used), "MiB", "<= 0"),
        Figure(f"{step}: off the {told} MiB that NVML tells by", abs(told - used), "MiB", "<= 4"),
    ]


def _refused() -> list[Figure]:
    with _slice(2048) as (where, path):
        run(where, "fill", "--step", "64m", "--cycles", str(REFUSALS))
        use = use_of(path)
    return [
        Figure(f"refused {REFUSALS} times by its limit: refused", use.refused, "", f">= {REFUSALS}"),
        Figure(f"refused {REFUSALS} times by its limit: exhausted", use.exhausted, "", "<= 0"),
    ]


def _exhausted() -> list[Figure]:
    total = int(re.findall(r"/ (\d+)MiB", run(BARE, "smi").stdout)[0])
    with _slice(2 * total) as (where, path):
        run(where, "fill", "--step", "1g")
        use = use_of(path)
    return [
        Figure("the card full below the limit: exhausted", use.exhausted, "", ">= 1"),
        Figure("the card full below the limit: refused", use.refused, "", "<= 0"),
    ]


def _launches() -> list[Figure]:
    """Plain launches, with and without a limit of compute; without one they are looked at now and then."""
    figures = []
    for cores in (None, 50):
        with _slice(2048, cores) as (where, path):
            command = program("steady.py", str(ITERATIONS), AHEAD[SHORT])
            with talking(command, where.environment()) as talk:
                talk.hear()
                launched = len(talk.ask("0 2")["ended"])
            counted = use_of(path).launches
        name = "no limit" if cores is None else f"{cores} %"
        figures.append(
            Figure(f"{name}: {launched} launches, counted more or less", abs(counted - launched), "", "<= 0")
        )
    return figures
