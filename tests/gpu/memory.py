"""Memory on a real card: what each path is granted under a limit, and what the card really loses to it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure
from tests.gpu.runs import BARE, Slice, card_uses_mib, granted, python, run, running

LIMITS = (2 * 1024, 8 * 1024)
PATHS = ("alloc", "managed", "pitch", "async", "pool", "create", "mapped", "array", "array3d", "mipmap", "graph")
STEP = 64


def measure(brief: bool = False) -> list[Figure]:
    """All of it; in brief under one limit."""
    return [*_paths(LIMITS[-1:] if brief else LIMITS), *_killed(), *_race(), *_torch()]


def _paths(limits: tuple[int, ...]) -> list[Figure]:
    figures = []
    for limit in limits:
        for path in PATHS:
            got, lost = _fill(path, limit)
            name = f"{path}, limit {limit} MiB"
            figures += [
                Figure(f"{name}: granted to the program", got, "MiB", f"<= {limit}"),
                Figure(f"{name}: lost by the card", lost, "MiB", f"<= {limit + 2}"),
            ]
    return figures


def _fill(path: str, limit: int) -> tuple[int, int]:
    """MiB granted to the first filling, and what the card had lost while it was held."""
    before = card_uses_mib()
    with running(Slice(memory=limit), "fill", "--api", path, "--step", f"{STEP}m", "--hold", "3") as process:
        time.sleep(2)
        lost = card_uses_mib() - before
        output, errors = process.communicate(timeout=60)
    return granted(output + errors), lost


def _killed() -> list[Figure]:
    region = tempfile.mktemp(prefix="hetero-gpu-")
    slice_ = Slice(memory=LIMITS[0], region=region)
    whole = granted(run(slice_, "fill").stdout)
    with running(slice_, "hold", "--mib", "1024"):
        time.sleep(2)
    again = granted(run(slice_, "fill").stdout)
    Path(region).unlink(missing_ok=True)
    return [Figure("granted after SIGKILL of a holder, less than before", whole - again, "MiB", "<= 0")]


def _race() -> list[Figure]:
    limit = LIMITS[1]
    answer = run(Slice(memory=limit), "race", "--limit", f"{limit}m", "--limit-check")
    return [Figure("eight racing processes exceed the limit (exit code)", answer.returncode, "", "<= 0")]


def _torch() -> list[Figure]:
    limit = LIMITS[1]
    seen = python(Slice(memory=limit), "torch_memory.py", str(limit))
    whole = python(BARE, "torch_memory.py", str(int(1e6)))
    if not seen or not whole:
        return []
    refused = seen["too_much"] == "OutOfMemoryError"
    return [
        Figure("PyTorch: total that it sees", seen["total_mib"], "MiB", f"<= {limit}"),
        Figure("PyTorch: beyond it, its own OutOfMemoryError (1: yes)", int(refused), "", ">= 1"),
        Figure("PyTorch: granted in steps of 64 MiB", seen["granted_mib"], "MiB", f"<= {limit}"),
        Figure("PyTorch: granted again after freeing, less", seen["granted_mib"] - seen["granted_again_mib"], "MiB"),
        Figure("PyTorch: a sum over 2^24 ones is right (1: yes)", int(seen["sum"] == 1 << 24), "", ">= 1"),
    ]
