"""What runs as the first process of the namespaces: sets them up, then runs pytest on the scenarios."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.cluster import namespace

HERE = Path(__file__).parent
PLACES = (HERE.parent / "chart", HERE)
"""Tests of the chart need helm, which is one of the programs; they take seconds and come first."""


def main(arguments: list[str]) -> int:
    """Run the scenarios that any cluster can play, and those that only a real one can."""
    state = Path(os.environ["HETERO_CLUSTER_STATE"])
    namespace.enter(state)
    # The folders below have the tests of what a cluster is made of, which need none.
    made_of = [f"--ignore={place}" for place in HERE.iterdir() if place.is_dir()]
    every = [*map(str, PLACES), *made_of]
    given = arguments if any(not word.startswith("-") for word in arguments) else [*every, *arguments]
    # Files that match either pattern: `test_*.py` plays on any cluster, `kube_*.py` on a real one alone.
    options = ["-p", "no:cacheprovider", f"--basetemp={state / 'pytest'}", "-o", "python_files=test_*.py kube_*.py"]
    return int(pytest.main([*options, "-v", "-rs", *given]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
