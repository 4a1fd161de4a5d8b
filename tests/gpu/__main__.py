"""`make test-gpu`: everything that a real card can show, as tests, as a table and as a page of docs/measurements.

Where there is no card it says so and ends well: nothing was tested, and nothing is claimed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.bench.figures import Figure, table
from tests.gpu import compute, cost, memory, record, resolution
from tests.gpu.runs import ROOT, card

MATRIX: dict[str, Callable[[], list[Figure]]] = {
    "Resolution and queries": resolution.measure,
    "Memory": memory.measure,
    "Cost of a call": cost.measure,
    "Compute": compute.measure,
}


def main(names: list[str]) -> int:
    """Run the tests and the named parts of the matrix, or all; the exit code is that of the tests."""
    found = card()
    if found is None:
        print("no NVIDIA card on this machine: skipped, nothing was tested")
        return 0
    code = 0 if names else int(pytest.main(["-q", "-p", "no:cacheprovider", str(ROOT / "tests/gpu/card.py")]))
    figures = {}
    for title, measure in MATRIX.items():
        if names and title.split()[0].lower() not in names:
            continue
        figures[title] = measure()
        print(f"\n{title}\n{table(figures[title])}", flush=True)
    print(f"\nwritten: {record.write(figures, found, _facts(), ROOT / 'docs/measurements').relative_to(ROOT)}")
    return code


def _facts() -> dict[str, str]:
    answer = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=False
    )
    return {"PyTorch": answer.stdout.strip() or "not installed"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
