"""Which vendors have moved to another agent when theirs is gone, as the DaemonSets say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hetero.agent.heirs import VENDORS, heirs
from hetero.testing.apiserver import ApiServer

DAEMONSETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Without any DaemonSet."""
    with ApiServer() as running:
        yield running


def put(server: ApiServer, name: str, vendors: str, **metadata: Any) -> None:
    """The DaemonSet of an agent that serves these."""
    env = [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    env += [{"name": VENDORS, "value": vendors}]  # type: ignore[dict-item]
    spec = {"template": {"spec": {"containers": [{"name": "agent", "env": env}, {"name": "beside"}]}}}
    server.put(DAEMONSETS, {"metadata": {"name": name, **metadata}, "spec": spec})


def found(server: ApiServer, agent: str = "", *vendors: str) -> set[str]:
    """Of the agent of that name, whose DaemonSet ends in it."""
    api = server.api()
    try:
        name = f"hetero-agent-{agent}" if agent else "hetero-agent"
        return set(heirs(api, "kube-system", name, agent, vendors or ("acme", "zeta")))
    finally:
        api.close()


def test_vendors_that_nobody_serves_have_no_heir(server: ApiServer) -> None:
    """As when hetero is uninstalled, or the vendor switched off while others stay."""
    assert found(server) == found(server, "acme") == set()
    put(server, "hetero-agent", "beta")
    assert found(server, "acme") == set()


def test_a_vendor_that_got_an_agent_of_its_own_has_moved(server: ApiServer) -> None:
    """And only that one; the others of the shared agent are gone with it."""
    put(server, "hetero-agent-acme", "acme")
    assert found(server) == {"acme"}


def test_a_vendor_that_lost_its_own_agent_to_the_shared_one_has_moved(server: ApiServer) -> None:
    """The shared one says so itself."""
    put(server, "hetero-agent", "beta acme")
    assert found(server, "acme", "acme") == {"acme"}


def test_a_daemonset_that_is_being_deleted_serves_nobody(server: ApiServer) -> None:
    """All of them go together when hetero is uninstalled."""
    put(server, "hetero-agent", "acme", deletionTimestamp="2026-11-29T07:00:00Z")
    assert found(server, "acme", "acme") == set()


def test_its_own_daemonset_is_not_asked_for(server: ApiServer) -> None:
    """That it is gone is known."""
    put(server, "hetero-agent-acme", "acme")
    assert found(server, "acme", "acme") == set()


@pytest.mark.parametrize(("status", "moved"), [(403, set()), (404, set()), (500, {"acme"}), (401, {"acme"})])
def test_where_nobody_can_say_all_have_moved(server: ApiServer, status: int, moved: set[str]) -> None:
    """What stays can be removed later. Which DaemonSets there may be the role says, so of others there are none."""
    server.fail(status, path_contains="daemonsets")
    assert found(server, "", "acme") == moved


def test_a_daemonset_that_cannot_be_read_is_no_reason_to_remove_anything(server: ApiServer) -> None:
    """Somebody else's, of the same name."""
    server.put(DAEMONSETS, {"metadata": {"name": "hetero-agent-acme"}, "spec": {"template": 7}})
    assert found(server, "", "acme") == {"acme"}
