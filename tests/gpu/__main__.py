"""`make test-gpu`: everything that a real card can show, as tests, as a table and as a page of docs/measurements.

Where there is no card it says so and ends well: nothing was tested, and nothing is claimed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.bench.figures import Figure, table
from tests.gpu import (
    changes,
    compute,
    cost,
    driver,
    kinds,
    launches,
    lending,
    memory,
    priorities,
    record,
    resolution,
    runner,
)
from tests.gpu.runs import ROOT, card

MATRIX: dict[str, Callable[[bool], list[Figure]]] = {
    "Resolution and queries": resolution.measure,
    "Memory": memory.measure,
    "Driver's own memory": driver.measure,
    "Kinds of memory, and counters": kinds.measure,
    "Cost of a call": cost.measure,
    "Launches": launches.measure,
    "Compute": compute.measure,
    "Priorities": priorities.measure,
    "Changes while programs run": changes.measure,
    "Lending idle compute": lending.measure,
    "Runner: what `hetero run` takes": runner.measure,
}


def main(names: list[str]) -> int:
    """Run the tests and the whole matrix, or the named parts of the matrix alone.

    ``--brief`` takes about eight minutes, without the tests; all takes about eighteen. The exit code is that of the
    tests, and not 0 when a part of the matrix could not be measured.
    """
    parts = {word(title): title for title in MATRIX}
    chosen = [name for name in names if name != "--brief"]
    if unknown := set(chosen) - set(parts):
        print(f"no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
        return 2
    found = card()
    if found is None:
        print("no NVIDIA card on this machine: skipped, nothing was tested")
        return 0
    code = 0 if names else int(pytest.main(["-q", "-p", "no:cacheprovider", str(ROOT / "tests/gpu/card.py")]))
    return max(code, _matrix([parts[name] for name in chosen or parts], names, found))


def _matrix(titles: list[str], names: list[str], found: dict[str, str]) -> int:
    """Measure, and write the record after each part, so that a run that is cut short leaves what it saw."""
    code, figures = 0, {}
    brief, facts = "--brief" in names, _facts(names)
    for title in titles:
        try:
            figures[title] = MATRIX[title](brief)
        except Exception as error:  # whatever one part meets, the others are measured
            print(f"\n{title}: could not be measured: {error!r}", flush=True)
            code = 1
            continue
        print(f"\n{title}\n{table(figures[title])}", flush=True)
        path = record.write(figures, found, facts, ROOT / "docs/measurements")
        print(f"written: {path.relative_to(ROOT)}", flush=True)
    return code


def word(title: str) -> str:
    """By which a part is asked for alone."""
    return title.split(maxsplit=1)[0].lower().rstrip(":")


def _facts(names: list[str]) -> dict[str, str]:
    command = f"`python -m tests.gpu {' '.join(names)}`" if names else "`make test-gpu`"
    answer = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=False
    )
    return {"command": command, "PyTorch": answer.stdout.strip() or "not installed"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
