"""A whole control plane or cluster, ended properly and by force: nothing of it is left, neither process nor file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import namespace
from tests.cluster.node import cgroups
from tests.cluster.node.cluster import why_not
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
    all_of_it = {"etcd", "kube-apiserver", "kube-controller-manager"}
    assert set(facts["running"]) == (set() if ending == "down" else all_of_it)
    until(lambda: not namespace.left_in(facts["net"]), "no process is left", seconds=30)
    assert list(state.iterdir()) == []


WITH_A_NODE = """
import json, os, subprocess, sys, time
from pathlib import Path
from tests.cluster import namespace
from tests.cluster.node import cgroups
from tests.cluster.node.cluster import Cluster
state, told, ending = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
namespace.enter(state)
images = {name: Path(file) for name, file in json.loads(sys.argv[4]).items()}
cluster = Cluster(Path(os.environ["HETERO_KUBE_BIN"]), state / "cluster", names=["one"], images=images)
cluster.up()
cluster.add({"one": None})
pod = {"nodeName": "one", "containers": [{"name": "c", "image": "hetero/pause:1", "imagePullPolicy": "Never"}]}
cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod})
cluster.wait("pod")
if ending == "down":
    cluster.down()
half = told.with_suffix(".half")
half.write_text(json.dumps({
    "net": os.readlink("/proc/self/ns/net"), "group": os.environ[cgroups.RUN],
    "files": sorted(path.name for path in (state / "cluster/nodes").iterdir()),
}))
half.rename(told)
time.sleep(600 if ending == "killed" else 0)
"""


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "there can be nodes")
@pytest.mark.parametrize("ending", ["down", "abandoned", "killed"])
def test_nothing_of_a_node_is_left(tmp_path: Path, ending: str) -> None:
    """Neither processes nor mounts nor links nor control groups, which no namespace ends."""
    script, state, told = tmp_path / "scene.py", tmp_path / "state", tmp_path / "told"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{WITH_A_NODE}")
    images = json.loads(os.environ["HETERO_CLUSTER_IMAGES"])
    few = {name: path for name, path in images.items() if name.startswith(("hetero/pause:", "hetero/kube-scheduler:"))}
    links = {path.name for path in Path("/sys/class/net").iterdir()}
    command = [sys.executable, "-c", RUN, str(script), str(state), str(told), ending, json.dumps(few)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ) as process:
        until(lambda: told.exists() or process.poll() is not None, "the node runs a pod", seconds=180)
        facts = json.loads(told.read_text())
        if ending == "killed":
            process.kill()
        process.wait(90)
    until(lambda: not namespace.left_in(facts["net"]), "no process is left", seconds=30)
    assert facts["files"] == ([] if ending == "down" else ["one"])
    if ending == "killed":
        assert _groups(facts["group"]), "a run that was killed leaves its groups, or this test is pointless"
        cgroups.sweep()
    assert _groups(facts["group"]) == []
    assert list(state.iterdir()) == []
    assert str(state) not in Path("/proc/self/mountinfo").read_text()
    assert {path.name for path in Path("/sys/class/net").iterdir()} == links


def _groups(name: str) -> list[Path]:
    return [path for top in cgroups.hierarchies() if (path := top / name).exists()]
