"""`make demo-cluster` ends well, and says what its reader is promised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demonstration_shows_placed_pods_and_a_reason() -> None:
    """Pods have devices of all vendors, and the one that is too large is told why, by a command and by its event."""
    command = [sys.executable, "examples/cluster_demo.py"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for line in (
        "A SIMULATED cluster of 15 nodes",
        "default/inference-a is on node desk",
        "default/npu-slice is on node npu-910b4",
        "default/widget is on node widgets",
        "default/too-large waits: no node has room",
        "too-large: FilteringFailed: 2/2 nodes: NVIDIA L4 has 23034 MiB of memory, asked 40960 MiB",
    ):
        assert line in answer.stdout
    assert "Traceback" not in answer.stderr
