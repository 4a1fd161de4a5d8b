"""Programs beside the bench: started, known by the address that they print, and ended with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GRACE_S = 10


@contextmanager
def program(module: str, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a module that prints the address on which it serves; the address.

    Raises:
        RuntimeError: It ended without one.
    """
    command = [sys.executable, "-m", module, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"{module} did not start")
            yield address
        finally:
            end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """Ask it to end; make it, when it does not."""
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def resident(pid: int) -> tuple[float, float]:
    """MiB of memory that a process holds, and the most that it held."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    now, most = (int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most
