"""How fast a loop runs on the card: ``torch_loops.py NAME SECONDS`` prints passes a second, and by windows of a second.

Loops: ``elementwise`` (moves memory), ``matmul`` (fills the arithmetic units), ``decode`` (many short kernels, as a
language model makes them), ``graph`` (the same, captured once and replayed), ``sync`` (waits for each kernel).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import torch

QUEUED = 8
"""Passes between two looks at the clock: the queue never runs dry, and never gets long."""


def elementwise() -> Callable[[], None]:
    """One pass over 256 MiB, there and back."""
    numbers = torch.ones(1 << 26, device="cuda")

    def step() -> None:
        numbers.add_(1.0)

    return step


def matmul() -> Callable[[], None]:
    """One product of two matrices of 4096 by 4096."""
    left = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    out = torch.empty_like(left)

    def step() -> None:
        torch.mm(left, left, out=out)

    return step


def _layers() -> Callable[[], None]:
    weights = [torch.randn(2048, 2048, device="cuda", dtype=torch.bfloat16) / 45 for _ in range(8)]
    row = torch.randn(1, 2048, device="cuda", dtype=torch.bfloat16)
    scratch = torch.empty_like(row)

    def step() -> None:
        value = row
        for weight in weights:
            torch.mm(value, weight, out=scratch)
            torch.nn.functional.silu(scratch, inplace=True)
            value = scratch

    return step


def decode() -> Callable[[], None]:
    """Eight small layers, sixteen kernels of some microseconds."""
    return _layers()


def graph() -> Callable[[], None]:
    """The same sixteen kernels as one graph."""
    step = _layers()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        step()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        for _ in range(8):
            step()
    return captured.replay


def sync() -> Callable[[], None]:
    """A kernel of some milliseconds, waited for."""
    numbers = torch.ones(1 << 28, device="cuda")

    def step() -> None:
        for _ in range(4):
            numbers.add_(1.0)
        torch.cuda.synchronize()

    return step


LOOPS = {loop.__name__: loop for loop in (elementwise, matmul, decode, graph, sync)}


def main(name: str, seconds: float) -> None:
    """Warm up for half a second, then count."""
    step = LOOPS[name]()
    _run(step, 0.5)
    torch.cuda.synchronize()
    windows = [_run(step, 1.0) for _ in range(max(1, round(seconds)))]
    json.dump({"loop": name, "passes_per_second": sum(windows) / len(windows), "windows": windows}, sys.stdout)


def _run(step: Callable[[], None], seconds: float) -> float:
    """Passes a second; what is queued at the end is waited for, and its time counts."""
    start = time.perf_counter()
    passes = 0
    marks: list[torch.cuda.Event] = []
    while time.perf_counter() - start < seconds:
        for _ in range(QUEUED):
            step()
        passes += QUEUED
        marks.append(torch.cuda.Event())
        marks[-1].record()
        if len(marks) > 2:
            marks.pop(0).synchronize()
    torch.cuda.synchronize()
    return passes / (time.perf_counter() - start)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
