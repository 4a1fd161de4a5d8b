"""Everything about placing pods: the planner alone, over HTTP beside the floor, and behind a real kube-scheduler.

``build/bench/placement.md`` has the figures as a page, from which a record in docs/measurements is made.
"""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench import binding, extender, planning
from tests.bench.figures import Figure
from tests.cluster import binaries

PAGE = Path(__file__).parents[2] / "build/bench/placement.md"
PARTS: Mapping[str, Callable[[], list[Figure]]] = {
    "The planner alone": planning.measure,
    "The scheduler over HTTP": extender.measure,
    "Behind a real kube-scheduler": binding.measure,
}


def measure() -> list[Figure]:
    """Takes about ten minutes on two cores; what needs Kubernetes says so where there is none."""
    found: dict[str, list[Figure]] = {}
    loads = [os.getloadavg()[0]]
    for title, part in PARTS.items():
        start = time.monotonic()
        found[title] = part()
        loads.append(os.getloadavg()[0])
        print(f"{title}: {len(found[title])} figures in {time.monotonic() - start:.0f} s", flush=True)
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(found, loads))  # after each part: a run that is cut short leaves what it saw
    return [figure for figures in found.values() for figure in figures]


def page(found: Mapping[str, Sequence[Figure]], loads: Sequence[float]) -> str:
    """The figures as a page, with what they were measured on."""
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    known = {
        "date": date,
        "host": f"{os.cpu_count()} cores, {platform.machine()}, Linux, Python {platform.python_version()}",
        "command": "`make bench-placement`",
        "Kubernetes": binaries.version(),
        "load of the machine before, and after each part": ", ".join(f"{load:.1f}" for load in loads),
    }
    lines = [f"# The scheduler, {date}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in known.items()]
    for title, figures in found.items():
        lines += ["", f"## {title}", "", "| figure | value | reach | |", "|---|---|---|---|"]
        lines += map(_line, figures)
    return "\n".join(lines) + "\n"


def _line(figure: Figure) -> str:
    words = {True: "holds", False: "**falls short**", None: ""}
    return f"| {figure.figure} | {figure.value:.4g} {figure.unit} | {figure.reach} | {words[figure.holds]} |"
