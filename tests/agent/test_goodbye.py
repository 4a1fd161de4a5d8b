"""What an agent does when it ends: nothing, unless hetero was uninstalled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hetero.agent.goodbye import clean, uninstalled
from hetero.agent.libraries import Libraries
from hetero.agent.records import Records
from hetero.agent.shares import Shares
from hetero.agent.slices import Slices
from hetero.allocation import cdi
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.errors import WireError
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import fake_device, fake_vendor

DAEMONSETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Without any DaemonSet."""
    with ApiServer() as running:
        yield running


def _uninstalled(server: ApiServer, namespace: str = "kube-system", name: str = "hetero-agent") -> bool:
    api = server.api()
    try:
        return uninstalled(api, namespace, name)
    finally:
        api.close()


def test_a_daemonset_that_is_gone_is_the_end(server: ApiServer) -> None:
    """Or one that is being deleted, as long as its pods have not ended."""
    assert _uninstalled(server)
    server.put(DAEMONSETS, {"metadata": {"name": "hetero-agent", "deletionTimestamp": "2026-11-29T07:00:00Z"}})
    assert _uninstalled(server)


def test_a_daemonset_that_is_there_is_an_update(server: ApiServer) -> None:
    """Or a node that is drained; containers run on."""
    server.put(DAEMONSETS, {"metadata": {"name": "hetero-agent"}})
    assert not _uninstalled(server)


@pytest.mark.parametrize("status", [0, 401, 403, 500, 503])
def test_where_nobody_can_say_everything_stays(server: ApiServer, status: int) -> None:
    """An account that lost its rights, a server that is away: neither is a reason to remove anything."""
    server.fail(status, path_contains="daemonsets")
    assert not _uninstalled(server)


def test_an_agent_that_a_person_started_has_no_daemonset(server: ApiServer) -> None:
    """It is not asked for."""
    assert not _uninstalled(server, name="")
    assert not _uninstalled(server, namespace="")
    assert server.calls("GET", "daemonsets") == []


@pytest.fixture
def node(tmp_path: Path, scene: Any) -> Iterator[tuple[Slices, CdiFolder, list[Held]]]:
    """A slice, its specification, and one that is another agent's."""
    vendors = {"fake": fake_vendor("fake", region=True)}
    slices = Slices(Records(tmp_path / "run"), Libraries(tmp_path / "lib"), vendors)
    wanted = Shares(scene.node, vendors).wanted(scene.pod(scene.placement()), scene.held(), {"fake-0": fake_device()})
    edits = slices.edits(wanted)
    folder = CdiFolder(tmp_path / "cdi", patience=0.01)
    held = []
    for resource in ("fake.example/npu", "other.example/npu"):
        name = cdi.device([resource])
        folder.write({name: cdi.spec(name, edits)})
        held.append(Held(pod_uid="u", container="c", resource=resource, ids=("a",), cdi_names=(cdi.qualified(name),)))
    yield slices, folder, held
    folder.close()


def test_all_of_this_agents_goes_and_nothing_of_anothers(node: Any, tmp_path: Path) -> None:
    """Slices, specifications, copies of libraries, and the directories that held them."""
    slices, folder, held = node
    clean(slices, folder, lambda: held, ["fake.example/npu"])
    assert folder.devices() == set(cdi.devices(held[1]))
    assert not (tmp_path / "run/slices").exists()
    assert not (tmp_path / "lib").exists()


def test_what_cannot_be_read_stays_and_the_rest_goes(node: Any, tmp_path: Path) -> None:
    """Whose the specifications are is not known without the kubelet's checkpoint."""
    slices, folder, _ = node

    def unreadable() -> list[Held]:
        raise WireError("no checkpoint")

    clean(slices, folder, unreadable, ["fake.example/npu"])
    assert len(folder.devices()) == 2
    assert slices.records.ids() == []


def test_slices_of_vendors_that_have_moved_stay(node: Any, tmp_path: Path) -> None:
    """And so do their specifications: containers run on, and start again by another agent."""
    slices, folder, held = node
    clean(slices, folder, lambda: held, [], kept=["fake"])
    assert len(folder.devices()) == 2
    assert len(slices.records.ids()) == 1
