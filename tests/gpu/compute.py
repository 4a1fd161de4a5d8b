"""Compute on a real card: the share that a program gets of what it was promised, alone and beside others."""

from __future__ import annotations

import re
import statistics
from contextlib import ExitStack
from functools import cache

from tests.bench.figures import Figure
from tests.gpu.runs import BARE, Slice, busy, python, run, running, windows

WORKLOADS = ("decode", "gemm", "matmul", "persistent", "sync")
LIMITS = (10, 30, 50, 70, 90)
FORMS = ("extended", "cooperative", "per-thread", "graph")
TENANTS = ((30, 70), (10, 20, 30, 40))
LOOPS = ("graph", "matmul", "decode", "elementwise", "sync")
SECONDS = 3


def measure(brief: bool = False) -> list[Figure]:
    """All of it; in brief at three limits, and with three of PyTorch's loops, each once."""
    figures = [*_tenants(), *_alone(LIMITS[::2] if brief else LIMITS), *_forms()]
    return figures + (_torch(LOOPS[:3], (50,), 1) if brief else _torch(LOOPS, (25, 50), 2))


TARGET_NS = {"decode": 8_000, "gemm": 1_600_000, "matmul": 3_000_000, "persistent": 20_000_000, "sync": 10_000_000}
"""Times of the kernels of the five workloads, as ``burn`` has them."""


@cache
def _kernel(workload: str) -> tuple[str, ...]:
    """Options that fix a workload's kernel, measured bare and alone: beside others a measurement is too long."""
    many = 100_000
    iterations = round(TARGET_NS[workload] / (kernel_ns(many) / many))
    return ("--workload", workload, "--iterations", str(iterations), "--kernel-ns", str(kernel_ns(iterations)))


def kernel_ns(iterations: int) -> int:
    """What the kernel of `burn` takes with so many iterations, bare and alone on the card."""
    output = run(BARE, "burn", "--seconds", "1", "--iterations", str(iterations)).stdout
    return int(re.findall(r"kernel (\d+) ns", output)[-1])


def _burn(workload: str, *options: str, seconds: int = SECONDS) -> list[str]:
    return ["burn", "--seconds", str(seconds), "--report", *_kernel(workload), *options]


def _alone(limits: tuple[int, ...]) -> list[Figure]:
    figures = []
    for workload in WORKLOADS:
        errors = []
        for limit in limits:
            output = run(Slice(cores=limit), *_burn(workload)).stdout
            # The first second holds what was saved up before it.
            errors += [abs(window - limit) for window in windows(output)[1:]]
            figures.append(Figure(f"{workload}, alone at {limit} %", busy(output), "%"))
        mean = statistics.mean(errors)
        figures.append(Figure(f"{workload}, alone: mean error over 1 s", mean, "points", "<= 3"))
    return figures


def _forms() -> list[Figure]:
    plain = abs(busy(run(Slice(cores=30), *_burn("gemm")).stdout) - 30)
    figures = [Figure("plain launches at 30 %: error", plain, "points", "<= 3")]
    for form in FORMS:
        output = run(Slice(cores=30), *_burn("gemm", "--launch", form)).stdout
        figures.append(Figure(f"{form} launches at 30 %: error", abs(busy(output) - 30), "points", "<= 3"))
    return figures


def _together(tenants: tuple[Slice, ...], workload: str) -> list[float]:
    """Percent of the card that each of them got while all of them ran."""
    with ExitStack() as stack:
        command = _burn(workload, seconds=8)
        started = [stack.enter_context(running(tenant, *command)) for tenant in tenants]
        outputs = [tenant.communicate(timeout=120)[0] for tenant in started]
    # Without the first seconds, in which they come, and the last, in which they go; a small share of long kernels
    # may leave less than that.
    return [statistics.mean(windows(output)[2:-1] or [busy(output)]) for output in outputs]


def _tenants() -> list[Figure]:
    figures = []
    for limits in TENANTS:
        for workload in ("gemm", "persistent"):
            free = sum(_together((BARE,) * len(limits), workload))
            shares = _together(tuple(Slice(cores=limit) for limit in limits), workload)
            name = f"{'/'.join(map(str, limits))} together, {workload}"
            worst = max(abs(share - limit) for share, limit in zip(shares, limits, strict=True))
            got = " / ".join(f"{share:.1f}" for share in shares)
            figures += [
                Figure(f"{name} ({got}): farthest from its share", worst, "points", "<= 3"),
                Figure(f"{name}: total, of the {free:.1f} % without limits", 100 * sum(shares) / free, "%", ">= 97"),
            ]
    return figures


def _torch(loops: tuple[str, ...], limits: tuple[int, ...], turns: int) -> list[Figure]:
    figures = []
    for loop in loops:
        # By turns, and the best of each: what else the host does only ever slows a run down.
        runs = [python(where, "torch_loops.py", loop, "2") for where in (BARE, Slice(memory=16384)) * turns]
        if not all(runs):
            continue
        bare, inside = (max(one["passes_per_second"] for one in runs[turn::2]) for turn in (0, 1))
        whole, lost = bare, 100 * (1 - inside / bare)
        figures.append(Figure(f"PyTorch {loop}, slice without compute limit: speed lost", lost, "%", "<= 2"))
        for limit in limits:
            held = python(Slice(memory=16384, cores=limit), "torch_loops.py", loop, "3")
            if held:
                share = 100 * held["passes_per_second"] / whole
                figures.append(Figure(f"PyTorch {loop} at {limit} %: of its speed alone", share, "%"))
    return figures
