"""A whole control plane, ended properly and by force: nothing of it is left, neither process nor file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import binaries, namespace
from tests.cluster.processes import until

ROOT = Path(__file__).parents[2]

SCENE = """
import json, os, sys, time
from pathlib import Path
from tests.cluster import namespace
from tests.cluster.controlplane import ControlPlane
state, told, ending = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
namespace.enter(state)
plane = ControlPlane(Path(os.environ["HETERO_KUBE_BIN"]), state / "plane")
plane.up()
if ending == "down":
    plane.down()
running = [name for name, program in plane.programs.items() if program.running]
half = told.with_suffix(".half")
half.write_text(json.dumps({"net": os.readlink("/proc/self/ns/net"), "running": sorted(running)}))
half.rename(told)
time.sleep(600 if ending == "killed" else 0)
"""

RUN = "import sys; from tests.cluster import namespace; sys.exit(namespace.run([sys.executable, *sys.argv[1:]]))"


@pytest.mark.parametrize("ending", ["down", "abandoned", "killed"])
def test_nothing_of_a_cluster_is_left(tmp_path: Path, ending: str) -> None:
    """After `down`, after a test process that forgot to, and after one that was killed in the middle."""
    script, state, told = tmp_path / "scene.py", tmp_path / "state", tmp_path / "told"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{SCENE}")
    command = [sys.executable, "-c", RUN, str(script), str(state), str(told), ending]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ) as process:
        until(told.exists, "the control plane is up", seconds=120)
        facts = json.loads(told.read_text())
        if ending == "killed":
            process.kill()
        process.wait(60)
    assert set(facts["running"]) == (set() if ending == "down" else {*binaries.PACKAGES} - {"kube-scheduler"})
    until(lambda: not namespace.left_in(facts["net"]), "no process is left", seconds=30)
    assert list(state.iterdir()) == []
