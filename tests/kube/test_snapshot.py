"""A collection is read whole, in pages of one version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.kube.decoding import Codec
from hetero.kube.objects import Pod
from hetero.kube.snapshot import snapshot
from hetero.testing.apiserver import ApiServer

PODS = Codec(Pod)


@pytest.fixture
def api(server: ApiServer) -> Iterator[Api]:
    """A client."""
    made = server.api()
    yield made
    made.close()


def _put(server: ApiServer, *names: str, **labels: str) -> None:
    for name in names:
        metadata = {"name": name, "namespace": "default", "labels": labels}
        server.put(paths.PODS, {"metadata": metadata, "spec": {"containers": [{"name": "c"}]}})


def _names(items: list[Pod]) -> list[str]:
    return [item.metadata.name for item in items]


def _queries(server: ApiServer) -> list[dict[str, Any]]:
    return [parse_qs(call.query) for call in server.calls("GET", paths.PODS)]


def test_pages_make_one_list(server: ApiServer, api: Api) -> None:
    """In the server's order, with the version of all of them."""
    _put(server, "a", "b", "c", "d", "e")
    version, items = snapshot(api, paths.PODS, PODS, page=2)
    assert _names(items) == ["a", "b", "c", "d", "e"]
    assert version == items[-1].metadata.resource_version
    assert ["continue" in query for query in _queries(server)] == [False, True, True]


def test_an_empty_collection_is_a_list(api: Api) -> None:
    """Of nothing, and of some version all the same."""
    version, items = snapshot(api, paths.PODS, PODS)
    assert (bool(version), items) == (True, [])


def test_selectors_hold_for_every_page(server: ApiServer, api: Api) -> None:
    """The others are not even sent."""
    _put(server, "a", "b", "c", team="x")
    _put(server, "d", team="y")
    _, items = snapshot(api, paths.PODS, PODS, {"labelSelector": "team=x"}, page=2)
    assert _names(items) == ["a", "b", "c"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_history_is_no_failure(server: ApiServer, api: Api, times: int) -> None:
    """Pages that are too old are begun anew; when that happens again, everything comes in one piece."""
    _put(server, "a", "b", "c")
    server.fail(410, path_contains="pods", times=times)
    _, items = snapshot(api, paths.PODS, PODS, page=2)
    assert _names(items) == ["a", "b", "c"]
    assert ("limit" in _queries(server)[-1]) == (times == 1)


def test_other_failures_are_the_callers(server: ApiServer, api: Api) -> None:
    """Nothing is tried again here."""
    server.fail(403, path_contains="pods")
    with pytest.raises(ApiError) as caught:
        snapshot(api, paths.PODS, PODS)
    assert caught.value.status == 403
    assert len(_queries(server)) == 1


def test_nobody_need_wait_for_the_rest(server: ApiServer, api: Api) -> None:
    """Who stops gets what was read so far."""
    _put(server, "a", "b", "c")
    _, items = snapshot(api, paths.PODS, PODS, page=2, stopped=lambda: True)
    assert _names(items) == ["a", "b"]


def test_a_slow_list_is_waited_for(server: ApiServer) -> None:
    """A large cluster's takes longer than the time-out of other requests."""
    made = server.api(timeout=0.1)
    _put(server, "a")
    server.stall(0.4, path_contains="pods")
    assert _names(snapshot(made, paths.PODS, PODS)[1]) == ["a"]
    made.close()
