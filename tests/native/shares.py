"""Shares of a simulated card's time, by its own clock: what programs got in each second."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from simulated import Machine

WORKLOADS = ("decode", "gemm", "matmul", "persistent", "sync")
"""What ``burn`` can do: kernels of 8 us, 1.6 ms, 3 ms, 20 ms, and of 10 ms one at a time."""

FORMS = (
    *("plain", "extended", "cooperative", "graph"),
    *("per-thread", "extended-per-thread", "cooperative-per-thread", "graph-per-thread"),
)
"""Calls by which it launches them."""


def seconds(output: str) -> list[float]:
    """Percent of the card's time in each second, as ``burn --report`` tells."""
    return [float(share) for share in re.findall(r"last second.*busy ([\d.]+) %", output)]


def together(
    machine: Machine, limits: Sequence[int], *options: str, lasting: int, slices: Sequence[str] = ()
) -> list[list[float]]:
    """Programs that start at the same moment, each in a slice of its own unless ``slices`` names them."""
    command = ["burn", "--report", "--seconds", str(lasting), "--ns-per-iteration", "1000", *options]
    running = [
        machine.start(
            *command,
            CUDA_DEVICE_SM_LIMIT=str(limit),
            CUDA_DEVICE_MEMORY_SHARED_CACHE=str(machine.directory / f"region-{name}"),
            HETERO_SIM_PARTIES=str(len(limits)),
        )
        for limit, name in zip(limits, slices or [str(index) for index in range(len(limits))], strict=True)
    ]
    return [seconds(program.communicate(timeout=600)[0]) for program in running]


def alone(machine: Machine, limit: int, *options: str, lasting: int = 5) -> list[float]:
    """One program in a slice of its own."""
    for region in machine.directory.glob("region-*"):
        region.unlink()
    return together(machine, [limit], *options, lasting=lasting)[0]


def error(shares: Sequence[float], limit: int) -> float:
    """How far from the limit, in the mean over the seconds."""
    return statistics.mean(abs(share - limit) for share in shares)
