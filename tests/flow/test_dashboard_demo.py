"""`make demo-dashboard` ends well, and shows a cluster that lives."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.journey
def test_the_demonstration_shows_a_living_cluster() -> None:
    """Cards of all vendors, pods that have their place, nodes that say what is used; and that it is made up."""
    command = [sys.executable, "examples/dashboard_demo.py", "--seconds", "12"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "A SIMULATED cluster of 15 nodes with 79 cards" in answer.stdout
    assert re.search(r"The dashboard of a SIMULATED cluster is at http://127\.0\.0\.1:\d+/", answer.stdout)
    told = re.search(r"It showed 79 cards \((.*)\), (\d+) pods with devices, (\d+) of 15 nodes say", answer.stdout)
    assert told is not None, answer.stdout
    vendors, pods, nodes = told.groups()
    assert all(name in vendors for name in ("nvidia", "cambricon", "hygon", "ascend", "toy"))
    assert int(pods) > 20
    assert int(nodes) == 14
    assert "Traceback" not in answer.stderr
