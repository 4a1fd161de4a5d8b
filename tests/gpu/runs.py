"""Programs on a real card, bare or in a slice: how they are started, and what they print."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/native"
PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Slice:
    """What a program may have.

    Attributes:
        memory: MiB; None for no limit.
        cores: Percent of the card's time; None for no limit.
        region: The file that the processes of one slice share; one of its own if it is left out.
        bare: True for a program with no library before it.
        more: Further variables.
    """

    memory: int | None = None
    cores: int | None = None
    region: str = ""
    bare: bool = False
    more: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The variables of a program in this slice."""
        variables = {**os.environ, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}", **self.more}
        if self.bare:
            return variables
        variables["LD_PRELOAD"] = str(BUILD / "libvgpu.so")
        variables["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = self.region or tempfile.mktemp(prefix="hetero-gpu-")
        if self.memory is not None:
            variables["CUDA_DEVICE_MEMORY_LIMIT"] = f"{self.memory}m"
        if self.cores is not None:
            variables["CUDA_DEVICE_SM_LIMIT"] = str(self.cores)
        return variables


BARE = Slice(bare=True)


def run(where: Slice, *command: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    environment = where.environment()
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=seconds)
    finally:
        _forget(where, environment)


@contextmanager
def running(where: Slice, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A command in the background, ended with the block."""
    environment = where.environment()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None and process.pid > 0:
            process.kill()
        process.communicate()
        _forget(where, environment)


def _forget(where: Slice, environment: dict[str, str]) -> None:
    if not where.bare and not where.region:
        Path(environment["CUDA_DEVICE_MEMORY_SHARED_CACHE"]).unlink(missing_ok=True)


def granted(output: str) -> int:
    """MiB that ``fill`` was granted before it was refused."""
    found = re.search(r"granted (\d+) MiB in \d+ steps, then CUDA_ERROR_OUT_OF_MEMORY", output)
    if not found:
        raise ValueError(output)
    return int(found[1])


def windows(output: str) -> list[float]:
    """Percent of the time that ``burn --report`` got, by the second."""
    return [float(one) for one in re.findall(r"last second: .*busy ([\d.]+) %", output)]


def busy(output: str) -> float:
    """Percent of the time that ``burn`` got in all."""
    return float(re.findall(r"total: .*busy ([\d.]+) %", output)[-1])


def python(where: Slice, program: str, *words: str) -> Any:
    """What a Python program of this folder prints as JSON; None when it ended badly, with its last line on stderr."""
    answer = run(where, sys.executable, str(PROGRAMS / program), *words)
    try:
        return json.loads(answer.stdout)
    except ValueError:
        print(f"{program}: {answer.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None


def card_uses_mib() -> int:
    """What all programs have of the first card, as its own tool tells it from outside any slice."""
    answer = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(answer.stdout.split()[0])


def card() -> dict[str, str] | None:
    """Name, driver and CUDA version of the first card; None where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    name, driver, memory = (part.strip() for part in answer.stdout.splitlines()[0].split(","))
    return {"name": name, "driver": driver, "memory_mib": memory}
