"""A plugin and a kubelet over real sockets: allocated without a thought, bound when the container starts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from hetero import metrics
from hetero.allocation import cdi
from hetero.allocation.api import deviceplugin_pb2 as messages
from hetero.allocation.api import methods
from hetero.allocation.api.door import Client
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.allocation.plugin import FOLLOWERS, Plugin, Surroundings, allocate, threads
from hetero.allocation.slots import numbered
from hetero.errors import KubeletError, Unbound
from hetero.model.allocation import ContainerEdits
from hetero.testing.kubelet import FakeKubelet, Rejected
from hetero.testing.kubelet_runtime import FakeRuntime, Unresolvable

RESOURCE = "acme.com/npu"
OTHER = "acme.com/npu-mini"


class Pods:
    """Every container is given its own name; a pod may have to wait for its placement."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.refused: list[tuple[str, str]] = []
        self.defect = False

    def live(self, pod_uid: str) -> bool:
        return True

    def edits(self, held: Held) -> ContainerEdits:
        if self.defect:
            raise ZeroDivisionError("a defect")
        if held.pod_uid in self.missing:
            raise Unbound(f"pod {held.pod_uid} has no placement; is it of hetero's scheduler?")
        return ContainerEdits(env={"MINE": f"{held.pod_uid}/{held.container}/{held.resource}"})

    def tell(self, held: Held, reason: str) -> None:
        self.refused.append((held.container, reason))


class Node:
    """A kubelet, a runtime, and the plugin between them."""

    def __init__(self, place: Path, pool: Executor) -> None:
        self.pods = Pods()
        self.kubelet = FakeKubelet(place / "plugins")
        self.runtime = FakeRuntime(place / "cdi")
        self.surroundings = Surroundings(self.kubelet.folder, CdiFolder(place / "cdi"), pool)
        self.surroundings.folder.prepare()
        self.plugins: list[Plugin] = []

    def plugin(self, resource: str, slots: int) -> Plugin:
        """A plugin that the kubelet follows."""
        one = Plugin(resource, self.pods, self.surroundings, self.pods.tell)
        one.offer(numbered(slots, slots))
        one.start()
        self.plugins.append(one)
        assert self.kubelet.wait(lambda: self.kubelet.allocatable(resource) == slots)
        return one

    def run(self, pod: str, container: str) -> list[str]:
        """Start a container as the kubelet does, and tell what the runtime gives it."""
        self.kubelet.start_container(pod, container, 30)
        names = [name for one in self.kubelet.held() for name in one.cdi_names if _of(one, pod, container)]
        return [env for edits in self.runtime.create(*names) for env in edits["env"]]


def _of(held: Held, pod: str, container: str) -> bool:
    return (held.pod_uid, held.container) == (pod, container)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """One for all plugins of the process."""
    with ThreadPoolExecutor(64) as one:
        yield one


@pytest.fixture
def node(folder: Path, pool: Executor) -> Iterator[Node]:
    """A node without a plugin yet."""
    one = Node(folder, pool)
    with one.kubelet, one.runtime:
        yield one
        for plugin in one.plugins:
            plugin.stop()
    one.surroundings.folder.close()


def test_a_container_gets_its_own_slice(node: Node) -> None:
    """From the offer to what the runtime injects."""
    plugin = node.plugin(RESOURCE, 4)
    assert node.kubelet.wait(lambda: plugin.registered)
    held = node.kubelet.admit("pod-1", "main", RESOURCE, 2)
    with pytest.raises(Unresolvable):
        node.runtime.inject(*held.cdi_names)
    assert node.run("pod-1", "main") == [f"MINE=pod-1/main/{RESOURCE}"]


def test_twenty_pods_at_once_get_their_own(node: Node) -> None:
    """Of equal counts, two containers each of which share slots, and one resource beside another."""
    node.plugin(RESOURCE, 40)
    node.plugin(OTHER, 40)
    for number in range(20):
        node.kubelet.admit(f"pod-{number}", "warm-up", RESOURCE)
        node.kubelet.admit(f"pod-{number}", "main", RESOURCE, reuse="warm-up")
        node.kubelet.admit(f"pod-{number}", "main", OTHER, 2)
    before = metrics.prestart_seconds.count("bound")
    with ThreadPoolExecutor(20) as burst:
        warm = burst.map(lambda number: node.run(f"pod-{number}", "warm-up"), range(20))
        assert list(warm) == [[f"MINE=pod-{number}/warm-up/{RESOURCE}"] for number in range(20)]
        main = burst.map(lambda number: node.run(f"pod-{number}", "main"), range(20))
        assert list(main) == [
            [f"MINE=pod-{number}/main/{RESOURCE}", f"MINE=pod-{number}/main/{OTHER}"] for number in range(20)
        ]
    assert metrics.prestart_seconds.count("bound") == before + 60


def test_a_container_that_starts_again_gets_the_same(node: Node) -> None:
    """Under the same name, from the kubelet's memory of the allocation."""
    node.plugin(RESOURCE, 1)
    node.kubelet.admit("pod-1", "main", RESOURCE)
    first = node.run("pod-1", "main")
    assert node.run("pod-1", "main") == first


def test_a_slot_of_a_pod_that_is_gone_is_given_anew(node: Node) -> None:
    """Under a name that never was: what the last one had cannot come back."""
    node.plugin(RESOURCE, 1)
    old = node.kubelet.admit("pod-1", "main", RESOURCE)
    node.run("pod-1", "main")
    node.kubelet.forget("pod-1")
    new = node.kubelet.admit("pod-2", "main", RESOURCE)
    assert old.ids == new.ids
    assert old.cdi_names != new.cdi_names
    assert node.run("pod-2", "main") == [f"MINE=pod-2/main/{RESOURCE}"]


def test_why_a_container_waits_is_what_the_user_reads(node: Node) -> None:
    """Word for word, at every try; when the cause is gone it starts."""
    node.plugin(RESOURCE, 1)
    node.pods.missing = {"pod-1"}
    node.kubelet.admit("pod-1", "main", RESOURCE)
    sentence = "pod pod-1 has no placement; is it of hetero's scheduler?"
    before = metrics.prestart_seconds.count("refused")
    for tries in (1, 2):
        with pytest.raises(KubeletError) as refused:
            node.run("pod-1", "main")
        assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", sentence)
        assert node.pods.refused == tries * [("main", sentence)]
        assert metrics.prestart_seconds.count("refused") == before + tries
    node.pods.missing.clear()
    assert node.run("pod-1", "main")


def test_a_defect_is_a_sentence_too(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """With where to look; the traceback is in the log, and the next call is served."""
    node.plugin(RESOURCE, 1)
    node.pods.defect = True
    node.kubelet.admit("pod-1", "main", RESOURCE)
    before = metrics.prestart_seconds.count("failed")
    with pytest.raises(KubeletError, match=r"failed to make the slice \(ZeroDivisionError\); see its agent's log"):
        node.run("pod-1", "main")
    assert metrics.prestart_seconds.count("failed") == before + 1
    assert "ZeroDivisionError: a defect" in capsys.readouterr().out
    node.pods.defect = False
    assert node.run("pod-1", "main")


def test_slots_that_are_withdrawn_are_not_given_out(node: Node) -> None:
    """Until they come back; the kubelet is told once for each change."""
    plugin = node.plugin(RESOURCE, 3)
    endpoint = node.kubelet.endpoints.of(RESOURCE)
    assert endpoint is not None
    plugin.offer(numbered(3, 1))
    assert node.kubelet.wait(lambda: node.kubelet.allocatable(RESOURCE) == 1)
    plugin.offer(numbered(3, 1))
    node.kubelet.admit("pod-1", "main", RESOURCE)
    with pytest.raises(Rejected):
        node.kubelet.admit("pod-2", "main", RESOURCE)
    plugin.offer(numbered(3, 3))
    assert node.kubelet.wait(lambda: node.kubelet.allocatable(RESOURCE) == 3)
    assert endpoint.lists == 3


def test_a_plugin_that_stops_takes_everything_back(node: Node) -> None:
    """Its list ends, its socket is gone; the kubelet has no slot of it any more."""
    plugin = node.plugin(RESOURCE, 2)
    plugin.stop()
    node.plugins.clear()
    assert node.kubelet.wait(lambda: node.kubelet.allocatable(RESOURCE) == 0)
    assert [path.name for path in node.kubelet.folder.iterdir() if path.is_socket()] == [methods.KUBELET]
    assert not plugin.registered


def test_who_follows_the_list_and_hangs_blocks_nobody(node: Node) -> None:
    """A few may; one more is refused, and everybody else is served."""
    node.plugin(RESOURCE, 1)
    node.kubelet.admit("pod-1", "main", RESOURCE)
    endpoint = node.kubelet.endpoints.of(RESOURCE)
    assert endpoint is not None
    with Client(endpoint.client.socket) as client:
        lists = [client.stream(methods.LIST_AND_WATCH, messages.Empty()) for _ in range(FOLLOWERS)]
        assert [len(next(one).devices) for one in lists[:-1]] == (FOLLOWERS - 1) * [1]
        with pytest.raises(KubeletError, match=f"{FOLLOWERS} others follow this list"):
            next(lists[-1])
        assert node.run("pod-1", "main")


def test_an_allocation_is_a_new_name_and_nothing_else() -> None:
    """For each container one, of its slots in any order; no variable, mount or device that could be another's."""
    request = messages.AllocateRequest(
        container_requests=[
            messages.ContainerAllocateRequest(devices_ids=["b", "a"]),
            messages.ContainerAllocateRequest(devices_ids=["a", "b"]),
            messages.ContainerAllocateRequest(devices_ids=["c"]),
        ]
    )
    names = [[device.name for device in one.cdi_devices] for one in allocate(request).container_responses]
    [first], [second], [third] = names
    assert first != second
    assert first[:-8] == second[:-8] != third[:-8]
    assert all(name.startswith(f"{cdi.KIND}=") for name in (first, second, third))


def test_the_kubelet_is_told_what_it_has_to_call(node: Node) -> None:
    """PreStartContainer, and no preference among slots that are all alike."""
    node.plugin(RESOURCE, 1)
    endpoint = node.kubelet.endpoints.of(RESOURCE)
    assert endpoint is not None
    assert endpoint.options == messages.Options(pre_start_required=True)


def test_many_slots_fit_into_a_list(node: Node) -> None:
    """A message has 4 MiB; slots are small."""
    node.plugin(RESOURCE, 5000)
    assert node.kubelet.admit("pod-1", "main", RESOURCE, 3).ids == ("slot-0000", "slot-0001", "slot-0002")


def test_calls_wait_for_no_other(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that hangs holds up its own container, and no list and no allocation."""
    inside, go = threading.Event(), threading.Event()
    edits: Callable[[Held], ContainerEdits] = node.pods.edits

    def hanging(held: Held) -> ContainerEdits:
        if held.pod_uid == "slow":
            inside.set()
            assert go.wait(120)
        return edits(held)

    monkeypatch.setattr(node.pods, "edits", hanging)
    plugin = node.plugin(RESOURCE, 3)
    node.kubelet.admit("slow", "main", RESOURCE)
    with ThreadPoolExecutor(1) as aside:
        slow = aside.submit(node.run, "slow", "main")
        assert inside.wait(120)
        node.kubelet.admit("quick", "main", RESOURCE)
        assert node.run("quick", "main") == [f"MINE=quick/main/{RESOURCE}"]
        plugin.offer(numbered(3, 2))
        assert node.kubelet.wait(lambda: node.kubelet.allocatable(RESOURCE) == 2)
        go.set()
        assert slow.result(120) == [f"MINE=slow/main/{RESOURCE}"]


def test_threads_are_made_when_they_are_needed() -> None:
    """Enough for a burst, and none before."""
    with threads() as pool:
        assert isinstance(pool, ThreadPoolExecutor)
        assert pool._max_workers >= 32
        assert not pool._threads
