"""MPS, NVIDIA's service that lets programs of several processes run on a GPU at the same time: what a slice tells it.

Programs find the control daemon by its directory of pipes; where it listens, they are clients of it. Two variables,
read by the driver as a program starts, hold a client to a part of the GPU; both only lower what the daemon allows.
Source: NVIDIA Multi-Process Service, "Appendix: Environment Variables" and "Legacy MPS v2 Interface".
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from hetero_nvidia import names

DEFAULT_DIRECTORY = "/tmp/nvidia-mps"  # noqa: S108 — NVIDIA's, where nobody says another

CONTROL = "control"
"""The daemon's end in that directory."""


def directory(environment: Mapping[str, str]) -> Path | None:
    """Where a control daemon listens for programs with this environment; None where none does."""
    pipes = Path(environment.get(names.MPS_DIRECTORY) or DEFAULT_DIRECTORY)
    try:
        mode = (pipes / CONTROL).stat().st_mode
    except OSError:
        return None
    return pipes if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode) else None


def variables(environment: Mapping[str, str], memory: Iterable[int], threads: int) -> dict[str, str]:
    """What a slice adds to its program's environment; nothing without a daemon.

    What the user has set stays: who runs MPS may divide the GPU in his own way.

    Args:
        environment: Of whoever starts the program.
        memory: MiB on each GPU, in the program's order.
        threads: Percent of a GPU's threads that may be active; 0 or 100 sets no limit.
    """
    pipes = directory(environment)
    if pipes is None:
        return {}
    limits = {names.MPS_MEMORY: ",".join(f"{index}={mib}M" for index, mib in enumerate(memory))}
    if 0 < threads < 100:
        limits[names.MPS_THREADS] = str(threads)
    new = {name: value for name, value in limits.items() if name not in environment}
    return {names.MPS_DIRECTORY: str(pipes.absolute()), **new}
