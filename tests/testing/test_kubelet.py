"""The fake kubelet does what plugins were seen to have to live with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hetero.allocation import checkpoint
from hetero.allocation.api import deviceplugin_pb2 as messages
from hetero.allocation.api import methods
from hetero.allocation.api.door import Call, Client, Refusal, Server
from hetero.errors import KubeletError
from hetero.testing import places
from hetero.testing.kubelet import FakeKubelet, Rejected

RESOURCE = "acme.com/npu"


class Plugin:
    """The least that a kubelet takes for a plugin; one resource, slots a, b and c."""

    def __init__(self, folder: Path, name: str = "plugin.sock") -> None:
        self.started: list[list[str]] = []
        self.refusal = ""
        self._over = threading.Event()
        self._folder = folder
        self._server = Server(folder / name, ThreadPoolExecutor(4))
        self._server.add(methods.OPTIONS, lambda _: messages.Options(pre_start_required=True))
        self._server.add(methods.ALLOCATE, self._allocate)
        self._server.add(methods.PRE_START, self._pre_start)
        self._server.add_stream(methods.LIST_AND_WATCH, self._lists)
        self._server.start()

    def register(self, version: str = methods.VERSION) -> None:
        request = messages.RegisterRequest(
            version=version, endpoint=self._server.socket.name, resource_name=RESOURCE, options=messages.Options()
        )
        with Client(self._folder / methods.KUBELET) as client:
            client.call(methods.REGISTER, request, 10)

    def end_streams(self) -> None:
        self._over.set()

    def close(self) -> None:
        self.end_streams()
        self._server.stop()

    def _lists(self, _: messages.Empty, call: Call) -> Iterator[messages.ListAndWatchResponse]:
        call.when_over(self._over.set)
        health = {"a": methods.HEALTHY, "b": methods.UNHEALTHY, "c": methods.HEALTHY}
        yield messages.ListAndWatchResponse(devices=[messages.Device(id=one, health=health[one]) for one in health])
        self._over.wait(120)

    def _allocate(self, request: messages.AllocateRequest) -> messages.AllocateResponse:
        if self.refusal:
            raise Refusal(self.refusal)
        ids = [list(one.devices_ids) for one in request.container_requests]
        named = [[messages.CdiDevice(name=f"acme.com/npu={'-'.join(one)}")] for one in ids]
        answers = [messages.ContainerAllocateResponse(cdi_devices=one) for one in named]
        return messages.AllocateResponse(container_responses=answers)

    def _pre_start(self, request: messages.PreStartContainerRequest) -> messages.PreStartContainerResponse:
        if self.refusal:
            raise Refusal(self.refusal)
        self.started.append(list(request.devices_ids))
        return messages.PreStartContainerResponse()


@pytest.fixture
def kubelet() -> Iterator[FakeKubelet]:
    """A kubelet in a directory of its own."""
    with places.folder() as folder, FakeKubelet(folder / "plugins") as one:
        yield one


@pytest.fixture
def plugin(kubelet: FakeKubelet) -> Iterator[Plugin]:
    """A plugin that this kubelet knows."""
    one = Plugin(kubelet.folder)
    one.register()
    assert kubelet.wait(lambda: kubelet.allocatable(RESOURCE) == 2)
    yield one
    one.close()


def test_only_healthy_slots_are_given_out(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """Each once, until a pod is forgotten."""
    assert kubelet.admit("pod-1", "main", RESOURCE, 2).ids == ("a", "c")
    with pytest.raises(Rejected, match="0 are free and healthy"):
        kubelet.admit("pod-2", "main", RESOURCE)
    kubelet.forget("pod-1")
    assert kubelet.admit("pod-2", "main", RESOURCE).ids == ("a",)


def test_the_checkpoint_says_what_is_given_out(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """With the plugin's answer, before anything starts, and after a restart."""
    held = kubelet.admit("pod-1", "main", RESOURCE, 2)
    assert held.cdi_names == ("acme.com/npu=a-c",)
    assert checkpoint.read(kubelet.checkpoint) == (held,)
    kubelet.restart()
    assert checkpoint.read(kubelet.checkpoint) == (held,)
    kubelet.forget("pod-1")
    assert checkpoint.read(kubelet.checkpoint) == ()


def test_a_start_is_told_with_the_ids_in_any_order(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """Once for each start of the container."""
    kubelet.admit("pod-1", "main", RESOURCE, 2)
    kubelet.start_container("pod-1", "main")
    kubelet.start_container("pod-1", "main")
    assert plugin.started == [["c", "a"], ["c", "a"]]


def test_a_plugins_refusal_is_what_the_user_reads(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """Of a start it may be tried again; of an allocation the pod is lost."""
    kubelet.admit("pod-1", "main", RESOURCE)
    plugin.refusal = "not yet"
    with pytest.raises(KubeletError) as refused:
        kubelet.start_container("pod-1", "main")
    assert refused.value.reason == "not yet"
    with pytest.raises(Rejected, match="rpc error: not yet"):
        kubelet.admit("pod-2", "main", RESOURCE)


def test_slots_of_an_init_container_are_used_again(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """Two entries then have the same ids."""
    first = kubelet.admit("pod-1", "warm-up", RESOURCE)
    second = kubelet.admit("pod-1", "main", RESOURCE, reuse="warm-up")
    assert first.ids == second.ids
    assert [held.container for held in checkpoint.read(kubelet.checkpoint)] == ["warm-up", "main"]


def test_a_restart_forgets_plugins_and_removes_their_sockets(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """They have to serve and to register anew."""
    kubelet.restart()
    assert [path.name for path in sorted(kubelet.folder.iterdir()) if path.is_socket()] == [methods.KUBELET]
    with pytest.raises(Rejected, match="unregistered"):
        kubelet.admit("pod-1", "main", RESOURCE)


def test_a_plugin_that_goes_takes_its_slots_along(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """None is healthy any more."""
    plugin.close()
    assert kubelet.wait(lambda: kubelet.allocatable(RESOURCE) == 0)


def test_the_end_of_an_old_stream_cuts_off_the_new_one(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """A defect of the real kubelet: it looks up who is current by the resource's name."""
    newer = Plugin(kubelet.folder, "newer.sock")
    newer.register()
    assert kubelet.wait(lambda: kubelet.allocatable(RESOURCE) == 2)
    plugin.end_streams()
    assert kubelet.wait(lambda: kubelet.allocatable(RESOURCE) == 0)
    newer.close()


def test_another_version_is_refused(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """With a sentence."""
    with pytest.raises(KubeletError, match="another version"):
        plugin.register("v1alpha1")


def test_a_test_can_make_it_refuse(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """With any words."""
    kubelet.endpoints.refuse = "not today"
    with pytest.raises(KubeletError, match="not today"):
        plugin.register()
