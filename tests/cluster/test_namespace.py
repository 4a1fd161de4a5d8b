"""What runs in namespaces of its own leaves nothing, however it ends, and touches nothing outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import namespace
from tests.cluster.processes import until

pytestmark = pytest.mark.skipif(bool(namespace.why_not()), reason=namespace.why_not() or "namespaces can be made")

ROOT = Path(__file__).parents[2]

SCENE = """
import json, os, socket, subprocess, sys
from pathlib import Path
from tests.cluster import namespace
state, told = Path(sys.argv[1]), Path(sys.argv[2])
namespace.enter(state)
(state / "file").write_text("of the run")
listener = socket.create_server((namespace.ADDRESS, 7000))
socket.create_connection((namespace.ADDRESS, 7000)).close()
# A daemon as daemons are: its parent is gone, its session is its own.
subprocess.run(["sh", "-c", "setsid sleep 600 & setsid sleep 600 &"], stdin=subprocess.DEVNULL)
told.write_text(json.dumps({
    "net": os.readlink("/proc/self/ns/net"), "links": [name for _, name in socket.if_nameindex()], "pid": os.getpid(),
}))
"""

RUN = "import sys; from tests.cluster import namespace; sys.exit(namespace.run([sys.executable, *sys.argv[1:]]))"


def _scene(tmp_path: Path, then: str = "") -> tuple[list[str], Path, Path]:
    script, state, told = tmp_path / "scene.py", tmp_path / "state", tmp_path / "told"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{SCENE}\n{then}\n")
    return [str(script), str(state), str(told)], state, told


def _gone(net: str) -> None:
    until(lambda: not namespace.left_in(net), f"no process is left in {net}", seconds=20)


def test_nothing_is_left_when_it_ends(tmp_path: Path) -> None:
    """Daemons end, files go, and the exit code is the command's own."""
    command, state, told = _scene(tmp_path, "sys.exit(7)")
    assert namespace.run([sys.executable, *command]) == 7
    facts = json.loads(told.read_text())
    _gone(facts["net"])
    assert list(state.iterdir()) == []


def test_it_is_alone_in_there(tmp_path: Path) -> None:
    """Its network has no way out, and its process ids start at 1."""
    command, _, told = _scene(tmp_path)
    assert namespace.run([sys.executable, *command]) == 0
    facts = json.loads(told.read_text())
    assert facts["links"] == ["lo"]
    assert facts["pid"] == 1
    assert facts["net"] != str(Path("/proc/self/ns/net").readlink())


@pytest.mark.parametrize("signal_name", ["kill", "terminate"])
def test_nothing_is_left_when_it_is_killed(tmp_path: Path, signal_name: str) -> None:
    """The runner is ended in the middle, by a signal that it hears and by one that it cannot."""
    command, state, told = _scene(tmp_path, "import time; time.sleep(600)")
    with subprocess.Popen([sys.executable, "-c", RUN, *command], cwd=ROOT) as process:
        until(lambda: told.exists() and told.read_text(), "the scene is set", seconds=60)
        net = json.loads(told.read_text())["net"]
        assert namespace.left_in(net)
        getattr(process, signal_name)()
        assert process.wait(60) != 0
    _gone(net)
    assert list(state.iterdir()) == []
