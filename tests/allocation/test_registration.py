"""A plugin is known to whatever kubelet is there, served before it registers, and registered again only in need."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import metrics
from hetero.allocation import registration
from hetero.allocation.api import methods
from hetero.allocation.api.deviceplugin_pb2 import Empty, RegisterRequest
from hetero.allocation.api.door import Server, sockets
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.allocation.plugin import Plugin, Surroundings
from hetero.allocation.registration import identity, socket_name
from hetero.allocation.slots import numbered
from hetero.model.allocation import ContainerEdits
from hetero.testing.kubelet import FakeKubelet

RESOURCE = "acme.com/npu"


class Pods:
    """They are all alive and need nothing."""

    def live(self, pod_uid: str) -> bool:
        return True

    def edits(self, held: Held) -> ContainerEdits:
        return ContainerEdits()


@pytest.fixture
def kubelet(folder: Path) -> Iterator[FakeKubelet]:
    """A kubelet that is not started."""
    one = FakeKubelet(folder / "plugins")
    yield one
    one.close()


@pytest.fixture
def plugin(kubelet: FakeKubelet) -> Iterator[Plugin]:
    """A plugin that is not started; three slots."""
    with ThreadPoolExecutor(8) as pool:
        one = Plugin(RESOURCE, Pods(), Surroundings(kubelet.folder, CdiFolder(kubelet.folder.parent / "cdi"), pool))
        one.offer(numbered(3, 3))
        yield one
        one.stop()


def known(kubelet: FakeKubelet) -> bool:
    """Wait until the kubelet has the slots."""
    return kubelet.wait(lambda: kubelet.allocatable(RESOURCE) == 3)


def test_a_kubelet_that_is_there_is_told(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """Once; nothing is registered again while it follows the list."""
    kubelet.start()
    plugin.start()
    assert known(kubelet)
    assert kubelet.wait(lambda: plugin.registered)
    for total in (4, 5, 3):
        plugin.offer(numbered(total, total))
    (kubelet.folder / "anything").touch()
    assert known(kubelet)
    assert kubelet.endpoints.registrations == [RESOURCE]


def test_a_kubelet_that_comes_later_is_told(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """Its folder may come later still."""
    plugin.start()
    assert not plugin.registered
    kubelet.start()
    assert known(kubelet)


def test_a_kubelet_that_starts_anew_is_told_anew(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """It removed the plugin's socket; again and again."""
    kubelet.start()
    plugin.start()
    for times in (1, 2, 3):
        assert known(kubelet)
        assert kubelet.admit(f"pod-{times}", "main", RESOURCE).ids
        assert kubelet.endpoints.registrations == times * [RESOURCE]
        kubelet.restart()
    assert known(kubelet)


def test_a_kubelet_that_was_killed_is_told_when_it_is_back(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """Its socket lies there meanwhile, and nobody listens."""
    kubelet.start()
    plugin.start()
    assert known(kubelet)
    before = metrics.registrations.value("failed")
    left = kubelet.folder / "left"
    (kubelet.folder / methods.KUBELET).rename(left)  # stopping would remove it
    kubelet.stop()
    left.rename(kubelet.folder / methods.KUBELET)
    assert kubelet.wait(lambda: metrics.registrations.value("failed") > before)
    assert not plugin.registered
    kubelet.start()
    assert known(kubelet)


def test_a_kubelet_that_starts_anew_while_it_is_told_is_told_again(
    kubelet: FakeKubelet, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the one before may have taken does not count."""
    register, asked, go = kubelet.endpoints.register, threading.Event(), threading.Event()

    def slow(request: RegisterRequest) -> Empty:
        asked.set()
        assert go.wait(120)
        return register(request)

    monkeypatch.setattr(kubelet.endpoints, "register", slow)
    kubelet.start()
    plugin.start()
    assert asked.wait(120)
    monkeypatch.undo()
    threading.Timer(0.1, go.set).start()
    kubelet.restart()
    assert known(kubelet)
    assert kubelet.wait(lambda: plugin.registered)


def test_nothing_is_registered_before_something_is_offered(kubelet: FakeKubelet, folder: Path) -> None:
    """A kubelet that knows the plugin without slots refuses pods for good."""
    kubelet.start()
    with ThreadPoolExecutor(8) as pool:
        plugin = Plugin(RESOURCE, Pods(), Surroundings(kubelet.folder, CdiFolder(folder / "cdi"), pool))
        plugin.start()
        try:
            (kubelet.folder / "anything").touch()
            assert not kubelet.wait(lambda: kubelet.endpoints.registrations != [], 0.2)
            plugin.offer(numbered(3, 3))
            assert known(kubelet)
        finally:
            plugin.stop()


def test_a_refusal_is_said_once_and_tried_again(
    kubelet: FakeKubelet, plugin: Plugin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every one is counted."""
    monkeypatch.setattr(registration, "FIRST", 0.001)
    kubelet.endpoints.refuse = "this kubelet takes no plugins today"
    before = metrics.registrations.value("failed")
    kubelet.start()
    plugin.start()
    assert kubelet.wait(lambda: metrics.registrations.value("failed") >= before + 3)
    kubelet.endpoints.refuse = ""
    assert known(kubelet)
    assert capsys.readouterr().out.count("takes no plugins today") == 1


def test_a_plugin_that_is_cut_off_registers_again(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """Though the kubelet is the same: the end of another list of the resource has done it."""
    kubelet.start()
    plugin.start()
    assert known(kubelet)
    endpoint = kubelet.endpoints.of(RESOURCE)
    assert endpoint is not None
    endpoint.disconnect()
    assert known(kubelet)
    assert kubelet.endpoints.registrations == 2 * [RESOURCE]


def test_a_kubelet_that_does_not_follow_is_asked_again(
    kubelet: FakeKubelet, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the registration, and then nothing came of it."""
    monkeypatch.setattr(registration, "NEVER", 0.1)
    taken = []

    def forgetful(request: object) -> object:
        taken.append(request)
        return methods.REGISTER.answer() if len(taken) == 1 else register(request)

    register = kubelet.endpoints.register
    monkeypatch.setattr(kubelet.endpoints, "register", forgetful)
    kubelet.start()
    plugin.start()
    assert known(kubelet)
    assert len(taken) >= 2


def test_a_lost_socket_matters_when_the_list_is_lost(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """The kubelet is connected already; when it is not any more, there is a socket again."""
    kubelet.start()
    plugin.start()
    assert known(kubelet)
    own = kubelet.folder / socket_name(RESOURCE)
    own.unlink()
    assert kubelet.admit("pod-1", "main", RESOURCE).ids
    endpoint = kubelet.endpoints.of(RESOURCE)
    assert endpoint is not None
    endpoint.disconnect()
    assert known(kubelet)
    assert own.is_socket()


def test_a_socket_that_was_left_is_replaced(kubelet: FakeKubelet, plugin: Plugin) -> None:
    """By a plugin that was killed: nobody else's is touched."""
    kubelet.start()
    (kubelet.folder / socket_name(RESOURCE)).write_text("left")
    plugin.start()
    assert known(kubelet)
    assert {path.name for path in sockets(kubelet.folder)} == {methods.KUBELET, socket_name(RESOURCE)}


def test_a_defect_does_not_end_the_watch(
    kubelet: FakeKubelet, plugin: Plugin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without it the node would have no devices, and nobody would know."""
    monkeypatch.setattr(registration, "LAST", 0.01)
    start, tries = Server.start, []

    def defective(server: Server) -> None:
        if server.socket.name == socket_name(RESOURCE):
            tries.append(server)
            if len(tries) == 1:
                raise ZeroDivisionError("a defect")
        start(server)

    monkeypatch.setattr(Server, "start", defective)
    kubelet.start()
    plugin.start()
    assert known(kubelet)
    assert "registration failed" in capsys.readouterr().out


def test_a_plugin_that_never_started_can_be_stopped(plugin: Plugin) -> None:
    """And one that is stopped twice is stopped."""
    plugin.stop()
    plugin.stop()
    assert not plugin.registered


@given(
    st.lists(
        st.from_regex(r"\A[a-z0-9.-]{1,40}/[A-Za-z0-9._-]{1,63}\Z"),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_each_resource_has_a_socket_of_its_own(resources: list[str]) -> None:
    """In the kubelet's folder, within the 107 bytes that a socket's path may have."""
    one, other = map(socket_name, resources)
    assert one != other
    assert "/" not in one
    assert len(f"{methods.FOLDER}/{one}") <= 107


def test_a_file_is_known_from_its_successor(tmp_path: Path) -> None:
    """Also where the number of its inode is used again; a changed mode makes no other file of it."""
    file = tmp_path / "a"
    seen = set()
    for _ in range(5):
        file.touch()
        seen.add(identity(file))
        file.chmod(0o600)
        seen.add(identity(file))
        file.unlink()
        threading.Event().wait(0.02)  # the clock of files has steps of some milliseconds
    assert len(seen) == 5
    assert identity(file) is None
