"""A plugin may be killed at any moment: the next one finds all that it needs with the kubelet, and cleans up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hetero.allocation.api import methods
from hetero.allocation.api.door import sockets
from hetero.errors import KubeletError
from hetero.testing.kubelet import FakeKubelet
from hetero.testing.kubelet_runtime import FakeRuntime

HERE = Path(__file__).parent
RESOURCE = "acme.com/npu"


def test_killed_at_any_line_of_a_start() -> None:
    """No file is ever half of one, the next start gives the same, and nothing else is left."""
    done = subprocess.run([sys.executable, HERE / "dying.py"], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 80


Process = subprocess.Popen[bytes]


class Node:
    """A kubelet, a runtime, and plugins that are processes."""

    def __init__(self, place: Path) -> None:
        self.kubelet = FakeKubelet(place / "plugins")
        self.runtime = FakeRuntime(place / "cdi")
        self.slow = place / "slow"
        self._started: list[Process] = []

    def plugin(self) -> Process:
        """A plugin that the kubelet follows."""
        command = [sys.executable, HERE / "plugin_serving.py", self.kubelet.folder, self.runtime.folder, self.slow]
        process = subprocess.Popen(command)
        self._started.append(process)
        assert self.kubelet.wait(lambda: self.kubelet.allocatable(RESOURCE) == 3, 60)
        return process

    def kill(self, process: Process) -> None:
        """End it as the kernel does when memory is short."""
        process.kill()
        process.wait()
        assert self.kubelet.wait(lambda: self.kubelet.allocatable(RESOURCE) == 0)

    def close(self) -> None:
        """End all that is left."""
        for process in self._started:
            process.kill()
            process.wait()

    def run(self, pod: str) -> list[str]:
        """Start the pod's container, and tell what the runtime gives it."""
        self.kubelet.start_container(pod, "main", 60)
        [held] = [one for one in self.kubelet.held() if one.pod_uid == pod]
        [edits] = self.runtime.create(*held.cdi_names)
        return list(edits["env"])


@pytest.fixture
def node(folder: Path) -> Iterator[Node]:
    """A node without a plugin yet."""
    one = Node(folder)
    with one.kubelet, one.runtime:
        yield one
        one.close()


def test_killed_between_allocation_and_start(node: Node) -> None:
    """The name is with the kubelet; the next plugin has its own memory of nothing."""
    first = node.plugin()
    node.kubelet.admit("pod-1", "main", RESOURCE)
    node.kill(first)
    node.plugin()
    assert node.run("pod-1") == ["CONTAINER=pod-1/main"]


def test_killed_while_a_slice_is_made(node: Node) -> None:
    """The kubelet's call fails, and its next one is answered by the next plugin."""
    first = node.plugin()
    node.kubelet.admit("pod-1", "main", RESOURCE)
    node.slow.touch()
    with ThreadPoolExecutor(1) as aside:
        starting = aside.submit(node.run, "pod-1")
        assert node.kubelet.wait(lambda: node.slow.read_text() == "asked")
        node.kill(first)
        with pytest.raises(KubeletError):
            starting.result(120)
    node.slow.unlink()
    node.plugin()
    assert node.run("pod-1") == ["CONTAINER=pod-1/main"]
    assert [path.suffix for path in node.runtime.folder.iterdir()] == [".json"]


def test_killed_while_containers_run(node: Node) -> None:
    """One that starts again gets the same, by its old name; a new pod gets its own."""
    first = node.plugin()
    node.kubelet.admit("pod-1", "main", RESOURCE)
    before = node.run("pod-1")
    node.kill(first)
    node.plugin()
    node.kubelet.admit("pod-2", "main", RESOURCE)
    assert node.run("pod-1") == before
    assert node.run("pod-2") == ["CONTAINER=pod-2/main"]


@pytest.mark.parametrize("kubelet_first", [True, False])
def test_plugin_and_kubelet_gone_at_once(node: Node, kubelet_first: bool) -> None:
    """Whoever is back first: what was allocated starts, from the kubelet's checkpoint alone, in an empty CDI folder."""
    first = node.plugin()
    node.kubelet.admit("pod-1", "main", RESOURCE)
    before = node.run("pod-1")
    node.kill(first)
    node.kubelet.stop()
    for file in node.runtime.folder.iterdir():
        file.unlink()
    back: list[Callable[[], object]] = [node.kubelet.start, node.plugin]
    if kubelet_first:
        for come in back:
            come()
    else:
        with ThreadPoolExecutor(1) as aside:
            coming = aside.submit(node.plugin)
            node.kubelet.start()
            coming.result(120)
    assert node.run("pod-1") == before


def test_ended_with_a_word(node: Node) -> None:
    """On SIGTERM it leaves no socket, and what is written for containers stays."""
    process = node.plugin()
    node.kubelet.admit("pod-1", "main", RESOURCE)
    node.run("pod-1")
    process.terminate()
    assert process.wait(120) == 0
    assert node.kubelet.wait(lambda: node.kubelet.allocatable(RESOURCE) == 0)
    assert [path.name for path in sockets(node.kubelet.folder)] == [methods.KUBELET]
    assert len(list(node.runtime.folder.iterdir())) == 1
