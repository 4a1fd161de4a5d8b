"""Pods bound per second by a real kube-scheduler, with the scheduler under test and without, by turns in one run."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.bench.figures import Figure
from tests.bench.hollow import AT_ONCE, SIZE, Seen
from tests.bench.rounds import Round
from tests.cluster import binaries, namespace


def measure() -> list[Figure]:
    """The rates, their ratio, and how many binds of 2,000 at once were tried again; nothing without Kubernetes."""
    found = programs()
    reason = found if isinstance(found, str) else namespace.why_not()
    if isinstance(found, str) or reason:
        print(f"pods per second were not measured: {reason}")
        return []
    return figures(_run(found))


def programs() -> Path | str:
    """Where Kubernetes is; why it is not here. Nothing is built for a bench."""
    if "HETERO_KUBE_BIN" not in os.environ and shutil.which("go"):
        kept = sorted(path.parent for path in binaries.cache().glob("*/kube-scheduler"))
        return kept[-1] if kept else "no Kubernetes is built yet: make test-cluster"
    try:
        return binaries.find()
    except (binaries.Missing, binaries.Broken) as missing:
        return str(missing)


def _run(found: Path) -> Seen:
    with tempfile.TemporaryDirectory(prefix="hetero-bench-") as directory:
        seen, state = Path(directory, "seen.json"), Path(directory, "state")
        told = {**os.environ, "HETERO_KUBE_BIN": str(found), "HETERO_CLUSTER_STATE": str(state)}
        code = namespace.run([sys.executable, "-m", "tests.bench.hollow", str(seen)], told)
        if code:
            raise RuntimeError(f"tests.bench.hollow ended with {code}")
        return msgspec.json.decode(seen.read_bytes(), type=Seen)


def figures(seen: Seen) -> list[Figure]:
    """What the rounds come to."""
    *turns, last = seen.rounds
    rates = {kind: [one.rate for one in turns if one.kind == kind] for kind in ("plain", "floored", "device")}
    where = f"{SIZE.nodes:,} nodes"
    told = [
        Figure(f"{kind} pods bound, {where} ({spread(rates[kind])})", median(rates[kind]), "pods/s") for kind in rates
    ]
    ratio = median(rates["device"]) / median(rates["plain"])
    unbound = sum(one.pods - one.bound for one in seen.rounds)
    again = 100 * seen.attempts.get("error", 0) / AT_ONCE
    return [
        *told,
        Figure("  device pods of the plain rate", ratio, "", ">= 0.8"),
        Figure("  floored pods of the plain rate", median(rates["floored"]) / median(rates["plain"]), ""),
        *_processors(turns),
        Figure(f"{AT_ONCE:,} device pods at once", last.rate, "pods/s"),
        Figure("  binds that kube-scheduler must retry", again, "%", "<= 1"),
        Figure("  attempts that found no node", 100 * seen.attempts.get("unschedulable", 0) / AT_ONCE, "%"),
        Figure("  pods that were not bound, of all rounds", unbound, "", "<= 0"),
    ]


def _processors(turns: Sequence[Round]) -> list[Figure]:
    return [
        Figure(
            f"  processor time of {name} for a {kind} pod",
            median([one.cpu_ms[name] for one in turns if one.kind == kind]),
            "ms",
        )
        for kind in ("plain", "device")
        for name in turns[0].cpu_ms
    ]


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The least and the greatest."""
    return f"{min(values):.0f} to {max(values):.0f}"
