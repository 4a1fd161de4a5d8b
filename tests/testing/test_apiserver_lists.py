"""Lists in pages and watches of the server in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A server with five nodes."""
    with ApiServer(bookmark_every=0.05) as running:
        for index in range(5):
            running.put(paths.NODES, {"metadata": {"name": f"n{index}", "labels": {"odd": str(index % 2)}}})
        yield running


def _list(api: Api, **query: str) -> Any:
    return json.loads(api.get(paths.NODES, query))


def _names(found: Any) -> list[str]:
    return [item["metadata"]["name"] for item in found["items"]]


def _watch(api: Api, count: int, **query: str) -> list[tuple[str, Any]]:
    """The first lines of a watch."""
    watch = api.watch(paths.NODES, query, silence=20)
    lines = []
    for line in watch:
        event = json.loads(line)
        lines.append((event["type"], event["object"]))
        if len(lines) == count:
            break
    watch.close()
    return lines


def _told(lines: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    return [(kind, item["metadata"].get("name", "")) for kind, item in lines]


def test_a_list_has_everything_and_its_version(api: Api, server: ApiServer) -> None:
    """In the order of names."""
    found = _list(api)
    assert found["kind"] == "NodeList"
    assert _names(found) == ["n0", "n1", "n2", "n3", "n4"]
    assert found["metadata"] == {"resourceVersion": str(server.store.version)}


def test_pages_are_of_one_version(api: Api, server: ApiServer) -> None:
    """What changes between two pages is in none of them."""
    first = _list(api, limit="2")
    server.put(paths.NODES, {"metadata": {"name": "n3", "labels": {"new": "yes"}}})
    server.put(paths.NODES, {"metadata": {"name": "n9"}})
    server.remove(paths.node("n4"))
    second = _list(api, limit="2", **{"continue": first["metadata"]["continue"]})
    third = _list(api, limit="2", **{"continue": second["metadata"]["continue"]})
    assert [_names(page) for page in (first, second, third)] == [["n0", "n1"], ["n2", "n3"], ["n4"]]
    assert "new" not in second["items"][1]["metadata"]["labels"]
    assert "continue" not in third["metadata"]
    assert len({page["metadata"]["resourceVersion"] for page in (first, second, third)}) == 1
    assert _names(_list(api)) == ["n0", "n1", "n2", "n3", "n9"]


def test_pages_whose_history_is_lost_are_refused(api: Api, server: ApiServer) -> None:
    """410, as for a watch; a token that is none is 400."""
    following = _list(api, limit="2")["metadata"]["continue"]
    server.compact()
    for token, status in ((following, 410), ("nonsense", 400)):
        with pytest.raises(ApiError) as caught:
            _list(api, limit="2", **{"continue": token})
        assert caught.value.status == status


def test_lists_are_of_a_namespace_or_of_all(api: Api, server: ApiServer) -> None:
    """By path."""
    for namespace in ("a", "b"):
        server.put(paths.PODS, {"metadata": {"name": "p", "namespace": namespace}, "spec": {}})
    assert len(json.loads(api.get(paths.PODS))["items"]) == 2
    [pod] = json.loads(api.get(paths.pods("b")))["items"]
    assert pod["metadata"]["namespace"] == "b"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"labelSelector": "odd=1"}, ["n1", "n3"]),
        ({"labelSelector": "odd==1"}, ["n1", "n3"]),
        ({"labelSelector": "odd!=1"}, ["n0", "n2", "n4"]),
        ({"labelSelector": "odd in (1, 7)"}, ["n1", "n3"]),
        ({"labelSelector": "odd notin (1)"}, ["n0", "n2", "n4"]),
        ({"labelSelector": "odd,!even"}, ["n0", "n1", "n2", "n3", "n4"]),
        ({"labelSelector": "!odd"}, []),
        ({"fieldSelector": "metadata.name=n2"}, ["n2"]),
        ({"fieldSelector": "metadata.name!=n2", "labelSelector": "odd=0"}, ["n0", "n4"]),
        ({"fieldSelector": "spec.nothing="}, ["n0", "n1", "n2", "n3", "n4"]),
    ],
)
def test_selectors_select(api: Api, query: dict[str, str], names: list[str]) -> None:
    """Labels by equality, sets and presence; fields by equality; all of them together."""
    assert _names(_list(api, **query)) == names


@pytest.mark.parametrize("query", [{"labelSelector": "a ~ b"}, {"fieldSelector": "name"}, {"labelSelector": "a in b"}])
def test_selectors_that_are_none_are_refused(api: Api, query: dict[str, str]) -> None:
    """400, not everything."""
    with pytest.raises(ApiError) as caught:
        _list(api, **query)
    assert caught.value.status == 400


# Watches


def test_a_watch_without_a_version_begins_with_what_is_there(api: Api) -> None:
    """One line for each object, as if it were new."""
    assert _told(_watch(api, 5)) == [("ADDED", f"n{index}") for index in range(5)]


def test_a_watch_goes_on_from_its_version(api: Api, server: ApiServer) -> None:
    """Everything since then, in order, with the version of each change; what is gone as it was last."""
    begin = str(server.store.version)
    server.put(paths.NODES, {"metadata": {"name": "n9"}})
    server.put(paths.NODES, {"metadata": {"name": "n9", "labels": {"a": "b"}}})
    server.remove(paths.node("n9"))
    lines = _watch(api, 3, resourceVersion=begin)
    assert _told(lines) == [("ADDED", "n9"), ("MODIFIED", "n9"), ("DELETED", "n9")]
    versions = [int(item["metadata"]["resourceVersion"]) for _, item in lines]
    assert versions == [int(begin) + 1, int(begin) + 2, int(begin) + 3]
    assert lines[2][1]["metadata"]["labels"] == {"a": "b"}


def test_a_watch_sees_its_selection(api: Api, server: ApiServer) -> None:
    """What comes into it is new, what leaves it is gone, what stays outside is not told."""
    begin = str(server.store.version)
    for name, odd in (("n0", "1"), ("n1", "0"), ("n2", "2"), ("n3", "1")):
        server.put(paths.NODES, {"metadata": {"name": name, "labels": {"odd": odd}}})
    server.remove(paths.node("n3"))
    lines = _watch(api, 3, resourceVersion=begin, labelSelector="odd=1")
    assert _told(lines) == [("ADDED", "n0"), ("DELETED", "n1"), ("MODIFIED", "n3")] or _told(lines) == [
        ("ADDED", "n0"),
        ("DELETED", "n1"),
        ("DELETED", "n3"),
    ]


def test_bookmarks_come_to_who_asks(api: Api, server: ApiServer) -> None:
    """After some silence, with the version of the whole cluster."""
    begin = str(server.store.version)
    server.put(paths.PODS, {"metadata": {"name": "p"}, "spec": {}})
    [(kind, item)] = _watch(api, 1, resourceVersion=begin, allowWatchBookmarks="true")
    assert kind == "BOOKMARK"
    assert item["kind"] == "Node"
    assert int(item["metadata"]["resourceVersion"]) == server.store.version


def test_a_watch_ends_when_its_time_is_over(api: Api) -> None:
    """As asked for; without bookmarks nothing comes."""
    version = _list(api)["metadata"]["resourceVersion"]
    assert list(api.watch(paths.NODES, {"resourceVersion": version, "timeoutSeconds": "0"})) == []


def test_versions_that_cannot_be_watched_are_refused(api: Api, server: ApiServer) -> None:
    """Too old: 410. Not reached yet: 504."""
    old = str(server.store.version)
    server.compact()
    for version, status in ((old, 410), (str(server.store.version + 5), 504)):
        with pytest.raises(ApiError) as caught:
            api.watch(paths.NODES, {"resourceVersion": version})
        assert caught.value.status == status


def test_a_watch_whose_history_is_lost_says_so(api: Api, server: ApiServer) -> None:
    """A line of its own, and the end."""
    watch = iter(api.watch(paths.NODES, {"resourceVersion": str(server.store.version)}))
    server.compact()
    line = json.loads(next(watch))
    assert (line["type"], line["object"]["code"], line["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert list(watch) == []
