"""`make demo-cluster` ends well, and says what its reader is promised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENDED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background lets it be ignored
sys.path.insert(0, "examples")
from demo import ended

def main():
    try:
        os.kill(os.getpid(), signal.{name})
        signal.pause()
    finally:
        print("ended its programs")

ended(main)
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_demonstration_without_a_traceback(name: str, code: int) -> None:
    """Whoever has seen enough is not shown where the program was, and what it has started does not stay."""
    words = [sys.executable, "-c", ENDED.format(name=name)]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert (answer.returncode, answer.stdout.strip(), answer.stderr) == (code, "ended its programs", "")


@pytest.mark.journey
def test_the_demonstration_shows_placed_pods_and_a_reason() -> None:
    """Pods have devices of all vendors, and the one that is too large is told why, by a command and by its event."""
    command = [sys.executable, "examples/cluster_demo.py"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
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
