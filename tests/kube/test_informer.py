"""An informer keeps its handler in step with a collection while nothing goes wrong."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs

import pytest

from hetero import metrics
from hetero.kube import paths
from hetero.kube.informer import Informer
from hetero.kube.objects import Node, Pod, ResourceQuota
from hetero.testing.apiserver import ApiServer


def _names(items: list[Any]) -> list[str]:
    return [item.metadata.name for item in items]


def test_what_is_there_is_told_at_once(follow: Any, put_pod: Any, recorder: Any) -> None:
    """The first word is a list of everything, and then it is synced."""
    put_pod("a"), put_pod("b")
    informer = follow()
    assert recorder.verbs() == ["replace"]
    assert _names(recorder.told[0][1]) == ["a", "b"]
    assert informer.synced.is_set()


def test_nothing_there_is_told_as_well(follow: Any, recorder: Any) -> None:
    """An empty cluster is in step."""
    follow()
    assert recorder.told == [("replace", [])]


def test_changes_are_told_in_their_order(follow: Any, server: ApiServer, put_pod: Any, recorder: Any) -> None:
    """New, changed, gone: one word for each, with the object as it was then."""
    follow()
    put_pod("a", step="1")
    put_pod("a", step="2")
    server.remove(paths.pod("default", "a"))
    assert recorder.wait(lambda: len(recorder.told) == 4)
    assert recorder.verbs()[1:] == ["put", "put", "remove"]
    assert [item.metadata.notes["step"] for _, item in recorder.told[1:]] == ["1", "2", "2"]
    assert recorder.store == {}


def test_what_is_gone_has_the_version_of_its_end(follow: Any, server: ApiServer, put_pod: Any, recorder: Any) -> None:
    """So that its removal is newer than all that was told of it."""
    put_pod("a")
    follow()
    server.remove(paths.pod("default", "a"))
    assert recorder.wait(lambda: recorder.verbs()[-1] == "remove")
    assert int(recorder.told[-1][1].metadata.resource_version) > int(recorder.told[0][1][0].metadata.resource_version)


@pytest.mark.parametrize(("path", "kind"), [(paths.NODES, Node), (paths.QUOTAS, ResourceQuota), (paths.PODS, Pod)])
def test_kinds_are_told_as_their_structs(follow: Any, server: ApiServer, recorder: Any, path: str, kind: Any) -> None:
    """In a list and in a watch."""
    item = {"metadata": {"name": "one"}, "spec": {"containers": [{"name": "c"}]}}
    server.put(path, item)
    follow(path, kind)
    server.put(path, {**item, "metadata": {"name": "two"}})
    assert recorder.wait(lambda: len(recorder.store) == 2)
    assert {type(one) for one in recorder.store.values()} == {kind}


def test_a_list_is_read_in_pages(follow: Any, server: ApiServer, put_pod: Any, recorder: Any) -> None:
    """All pages make one list, as of one version, in which the watch goes on."""
    for index in range(7):
        put_pod(f"p{index}")
    follow(page=3)
    queries = [parse_qs(call.query) for call in server.calls("GET", paths.PODS)]
    pages = [query for query in queries if "watch" not in query]
    assert [query["limit"] for query in pages] == [["3"]] * 3
    assert ["continue" in query for query in pages] == [False, True, True]
    assert len(recorder.told[0][1]) == 7


def test_selectors_reach_list_and_watch(follow: Any, server: ApiServer, recorder: Any) -> None:
    """What leaves the selection is gone, what comes into it is there."""

    def put(name: str, node: str) -> None:
        server.put(paths.PODS, {"metadata": {"name": name}, "spec": {"nodeName": node}})

    put("a", "here"), put("b", "there")
    follow(query={"fieldSelector": "spec.nodeName=here"})
    assert _names(recorder.told[0][1]) == ["a"]
    put("b", "here")
    put("a", "there")
    assert recorder.wait(lambda: recorder.verbs()[1:] == ["put", "remove"])
    assert [key for _, key in recorder.store] == ["b"]


def test_bookmarks_move_it_on(recorder: Any) -> None:
    """A quiet collection's version is that of the cluster, so that its watch can be resumed; nobody is told."""
    with ApiServer(bookmark_every=0.05) as server:
        api = server.api()
        informer = Informer(api, paths.PODS, Pod, recorder)
        informer.start()
        assert informer.synced.wait(120)
        server.put(paths.NODES, {"metadata": {"name": "n"}})
        assert server.wait(lambda: informer.version == str(server.store.version))
        informer.stop()
        api.close()
    assert recorder.verbs() == ["replace"]


def test_it_stops_while_it_waits(follow: Any, put_pod: Any, recorder: Any) -> None:
    """In the middle of a silent watch, at once; afterwards nobody is told."""
    informer = follow(silence=600)
    informer.stop()
    assert not informer._thread.is_alive()
    put_pod("late")
    assert recorder.verbs() == ["replace"]


def test_it_stops_before_it_has_begun(follow: Any, server: ApiServer, recorder: Any) -> None:
    """Also while the first list is on its way: it is not told any more."""
    server.stall(0.2, path_contains="/pods")
    follow(wait=False).stop()
    assert recorder.told == []


def test_before_the_first_word_the_lag_counts_from_its_own_beginning(follow: Any) -> None:
    """A server that has never answered is silent since this process asks it, not since the machine was started."""
    began = time.monotonic()
    informer = follow("/apis/nothing.example/v1/answers", wait=False)
    assert began <= informer.heard


def test_all_metrics_name_a_kind_alike(follow: Any) -> None:
    """A query can join lists, lags and unreadable objects by their kind, which is that of the API's objects."""
    before = metrics.relists.value("ResourceQuota")
    informer = follow(paths.QUOTAS, ResourceQuota)
    informer.measure()
    assert informer.kind == "ResourceQuota"
    assert metrics.relists.value(informer.kind) == before + 1
    assert f'hetero_informer_lag_seconds{{kind="{informer.kind}"}}' in "\n".join(metrics.informer_lag.lines())
