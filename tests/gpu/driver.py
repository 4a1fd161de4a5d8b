"""What the driver takes of a real card for itself: each step is charged to the slice as NVML tells it."""

from __future__ import annotations

from tests.bench.figures import Figure
from tests.gpu.runs import Slice, python

LIMIT = 40 * 1024  # room for 63 KiB of local memory on a card with 132 processors: 16 GiB


def measure(brief: bool = False) -> list[Figure]:
    """One line for each step: what is charged beyond what is taken, or short of it."""
    del brief  # it takes some seconds
    steps = python(Slice(memory=LIMIT), "driver_memory.py") or []
    return [
        Figure(f"{step}: {taken:.0f} MiB taken, charged more or less by", abs(charged - taken), "MiB", "<= 0")
        if code == 0
        else Figure(f"{step}: result of the call", code, "", "<= 0")
        for step, code, charged, taken in steps
    ]
