"""The device plugin against a real kubelet and a real containerd: containers find themselves, whatever happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.node.cluster import Cluster
from tests.cluster.node.entered import Entered
from tests.cluster.node.node import Node
from tests.cluster.plugging import ODD, RESOURCE, SLOTS

ROOT = Path(__file__).parents[2]
HOST = "hygon"


class Plugged:
    """A node with the plugin on it, and the pods that it serves."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self.cluster = cluster
        self.node = node
        self._command = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.cluster.plugging"]
        self.program: Entered | None = None

    def start(self) -> None:
        """Start the plugin, and wait until the node has its slots."""
        self.program = Entered("plugging", self.node.pid, self._command, self.node.directory)
        self.program.start()
        self.allocatable(SLOTS)

    def allocatable(self, slots: int) -> None:
        """Wait until the node has so many of them."""

        def look() -> tuple[dict[str, Any], bool]:
            status = self.cluster.get("node", HOST)["status"]["allocatable"]
            return status, status.get(RESOURCE, "0") == str(slots)

        self.cluster.until(look, f"{HOST} has {slots} of {RESOURCE}", 60, self.tails)

    def tails(self) -> str:
        """The ends of its logs."""
        return "\n".join([self.node.tails(), self.program.tail() if self.program else ""])

    def run(self, name: str, *containers: dict[str, Any], **spec: Any) -> None:
        """Create a pod on the node."""
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name},
                "spec": {"nodeSelector": {"kubernetes.io/hostname": HOST}, "containers": [*containers], **spec},
            }
        )

    def expected(self, pod: str, container: str) -> str:
        """The variable that a container has to have."""
        return f"MINE={self.cluster.pod(pod)['metadata']['uid']}/{container}"

    def finds_itself(self, pod: str, container: str = "main") -> bool:
        """True when a running container has its own variable."""
        return self.expected(pod, container) in self.cluster.exec(pod, "env", container=container).splitlines()


def container(name: str, *command: str, **more: Any) -> dict[str, Any]:
    """A container that asks for a slot."""
    limits = {"limits": {RESOURCE: "1"}}
    return {
        "name": name, "image": "hetero/workload:1", "imagePullPolicy": "Never", "command": list(command),
        "resources": limits, **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[Plugged]:
    """The plugin on its node, which never had a CDI folder; nothing of it is left to the scenarios after these."""
    one = Plugged(cluster, cluster.nodes[HOST])
    one.node.exec("rm", "-rf", "/run/cdi")
    one.start()
    yield one
    assert one.program is not None
    assert one.program.stop() == 0, one.tails()
    # The chart's agents leave specifications of others' resources alone.
    one.node.exec("find", "/run/cdi", "-name", "hetero.io-slice-*", "-delete")
    print(one.program.log.read_text()[-4000:])


@pytest.fixture
def plugged(installed: Plugged) -> Iterator[Plugged]:
    """The same, without the pods of the test before."""
    yield installed
    installed.cluster.kubectl("delete", "pods", "--all", "--namespace", "default", "--grace-period=1")


def test_twenty_pods_at_once_find_themselves(plugged: Plugged) -> None:
    """Bound to one node at the same moment: no two are mixed up, none is started twice."""
    names = [f"many-{number}" for number in range(20)]
    for name in names:
        plugged.run(name, container("main", "env"), restartPolicy="Never")
    for name in names:
        plugged.cluster.wait(name, "Succeeded", seconds=180)
        assert plugged.expected(name, "main") in plugged.cluster.logs(name).splitlines()


def test_a_container_has_all_of_its_edits(plugged: Plugged) -> None:
    """Variables with odd characters, a file, and a device under another name that it may use."""
    plugged.run("all", container("main", "sleep"))
    plugged.cluster.wait("all")
    assert f"ODD={ODD}" in plugged.cluster.exec("all", "env")
    assert plugged.cluster.exec("all", "cat", "/etc/hetero/limits").strip() == HOST
    assert "acme0" in plugged.cluster.exec("all", "ls", "/dev")


def test_every_kind_of_container_finds_itself(plugged: Plugged) -> None:
    """An init container whose slot is used again, a sidecar, two main containers."""
    plugged.run(
        "kinds",
        container("left", "sleep"),
        container("right", "sleep"),
        initContainers=[container("warm-up", "env"), container("beside", "sleep", restartPolicy="Always")],
    )
    plugged.cluster.wait("kinds")
    assert plugged.expected("kinds", "warm-up") in plugged.cluster.logs("kinds", "warm-up").splitlines()
    assert all(plugged.finds_itself("kinds", name) for name in ("beside", "left", "right"))


def test_why_a_container_waits_is_shown_to_its_user(plugged: Plugged) -> None:
    """The sentence, word for word, in the pod's status and in an event; when the cause is gone it starts."""
    sentence = "the pod has no placement, because this is a test"
    (plugged.node.root / "run/refuse").write_text(sentence)
    plugged.run("waits", container("main", "sleep"))

    def refused() -> tuple[dict[str, Any], bool]:
        found = plugged.cluster.pod("waits")
        [state] = [one["state"] for one in found["status"].get("containerStatuses", [])] or [{}]
        return found, sentence in state.get("waiting", {}).get("message", "")

    def told() -> tuple[dict[str, Any], bool]:
        return {}, sentence in plugged.cluster.describe("waits").partition("Events:")[2]

    plugged.cluster.until(refused, "the sentence is there", 60, lambda: plugged.cluster.describe("waits"))
    plugged.cluster.until(told, "an event has it too", 60, lambda: plugged.cluster.describe("waits"))
    (plugged.node.root / "run/refuse").unlink()
    plugged.cluster.kubectl("annotate", "pod", "waits", "--namespace", "default", "hetero.io/retry=1")
    plugged.cluster.wait("waits", seconds=60)
    assert plugged.finds_itself("waits")


def _kill_kubelet(plugged: Plugged) -> None:
    plugged.node.kill_kubelet()
    plugged.node.start_kubelet()
    plugged.cluster.wait_for_nodes()
    plugged.allocatable(SLOTS)


def _kill_containerd(plugged: Plugged) -> None:
    plugged.node.kill_containerd()
    plugged.node.start_containerd()
    plugged.cluster.wait_for_nodes()


def _kill_plugin(plugged: Plugged) -> None:
    assert plugged.program is not None
    plugged.program.kill()
    plugged.allocatable(0)
    plugged.start()


def _wipe_cdi(plugged: Plugged) -> None:
    plugged.node.exec("rm", "-rf", "/run/cdi")


@pytest.mark.parametrize("disturb", [_kill_kubelet, _kill_containerd, _kill_plugin, _wipe_cdi])
def test_whatever_comes_between_containers_find_themselves(plugged: Plugged, disturb: Any) -> None:
    """One that ran goes on, and after its death finds itself again; a new one does, too."""
    plugged.run("stays", container("main", "sleep"))
    plugged.cluster.wait("stays")
    before = plugged.cluster.pod("stays")["status"]["containerStatuses"][0]["containerID"]
    disturb(plugged)
    assert plugged.cluster.pod("stays")["status"]["containerStatuses"][0]["containerID"] == before
    plugged.cluster.kill_container("stays", "main")

    def again() -> tuple[dict[str, Any], bool]:
        found = plugged.cluster.pod("stays")
        [status] = found["status"]["containerStatuses"]
        return found, status["restartCount"] == 1 and status["ready"]

    plugged.cluster.until(again, "it runs again", 90, lambda: plugged.cluster.describe("stays") + plugged.tails())
    assert plugged.finds_itself("stays")
    plugged.run("new", container("main", "sleep"))
    plugged.cluster.wait("new", seconds=90)
    assert plugged.finds_itself("new")
