"""Tests on a simulated machine, each file of them in a process of its own: a process has one NVML, for good."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", ["simulated_conformance.py", "simulated_sharing.py", "simulated_instances.py"])
def test_on_a_simulated_machine(file: str) -> None:
    """All tests of the file pass, and none is left out."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", HERE / file]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=HERE.parents[2], timeout=900
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
