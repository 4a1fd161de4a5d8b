"""What a slice costs the program in it: driver calls in and out of one, side by side in one run."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path

from tests.bench.figures import Figure

ROOT = Path(__file__).parents[2]
MACHINE = ROOT / "examples/machines/nvidia-12g.yaml"
PROGRAM = ROOT / "build/native/bin/overhead"
RUNS = 5


CALLS = {
    "alloc_free": "cuMemAlloc and cuMemFree, together",
    "meminfo": "cuMemGetInfo",
    "launch": "cuLaunchKernel",
}

SLICES = {
    "2 GiB": ["--memory", "2g"],
    "2 GiB, 90 % of compute": ["--memory", "2g", "--cores", "90"],
}


def measure() -> list[Figure]:
    """What each call costs beyond what it costs outside, by the medians of alternating runs."""
    real = _has_device()
    where = "real card" if real else "SIMULATED card"
    bare: list[dict[str, float]] = []
    inside: dict[str, list[dict[str, float]]] = {name: [] for name in SLICES}
    for _ in range(RUNS):
        bare.append(_run([], real))
        for name, options in SLICES.items():
            inside[name].append(_run(["hetero", "run", *options, "--"], real))
    return [
        Figure(f"{title}, more in a slice of {name} ({where})", _median(runs, call) - _median(bare, call), "ns/call")
        for name, runs in inside.items()
        for call, title in CALLS.items()
    ]


def _median(runs: list[dict[str, float]], call: str) -> float:
    return statistics.median(run[call] for run in runs)


def _has_device() -> bool:
    answer = subprocess.run(["hetero", "devices", "--output", "json"], capture_output=True, text=True, check=True)
    return bool(json.loads(answer.stdout)["devices"])


def _run(prefix: list[str], real: bool) -> dict[str, float]:
    simulated = [] if real else ["hetero", "sim", "run", "--machine", str(MACHINE), "--"]
    command = [*simulated, *prefix, str(PROGRAM)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
