"""Pages and lines are read into structs; what cannot be read costs nothing but itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hetero.errors import ApiError
from hetero.kube.decoding import Codec
from hetero.kube.objects import Node, Pod

PODS = Codec(Pod)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "items", "type", "object", "name", "spec", "resourceVersion"]), inner
        )
    ),
    max_leaves=12,
)


def _page(*items: Any, **metadata: Any) -> bytes:
    return json.dumps({"kind": "PodList", "metadata": {"resourceVersion": "9", **metadata}, "items": items}).encode()


def _line(kind: str, item: Any) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode()


def _pod(name: str, version: str = "5", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "team", "resourceVersion": version}, "spec": spec}


def test_a_page_is_its_objects_and_where_the_next_one_is() -> None:
    """Fields that nobody reads are skipped."""
    metadata, items = PODS.page(
        _page(_pod("a", unknown=[1, {"x": 2}]), _pod("b", nodeName="n"), **{"continue": "more"})
    )
    assert (metadata.resource_version, metadata.continue_) == ("9", "more")
    assert [(item.metadata.name, item.spec.node_name) for item in items] == [("a", None), ("b", "n")]


@pytest.mark.parametrize(
    "bad", [_pod("bad", priority="high"), 3, None, {}, {"metadata": 3}, {"metadata": {"name": [1]}}]
)
def test_an_object_that_cannot_be_read_costs_itself(bad: Any) -> None:
    """The others of its page are told."""
    with capture_logs() as logs:
        _, items = PODS.page(_page(_pod("a"), bad, _pod("b")))
    assert [item.metadata.name for item in items] == ["a", "b"]
    assert [line["kind"] for line in logs] == ["Pod"]


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"items":[]}', b'{"metadata":{},"items":3}'])
def test_what_is_no_list_is_an_error(raw: bytes) -> None:
    """Nothing may be taken for an empty cluster."""
    with pytest.raises(ApiError, match="Unreadable: a list of Pod"):
        PODS.page(raw)


@pytest.mark.parametrize(("kind", "gone"), [("ADDED", False), ("MODIFIED", False), ("DELETED", True)])
def test_a_line_is_a_change(kind: str, gone: bool) -> None:
    """Of an object, to a version."""
    change = PODS.change(_line(kind, _pod("a", "7")))
    assert (change.version, change.gone) == ("7", gone)
    assert change.item is not None
    assert change.item.metadata.name == "a"


def test_a_bookmark_is_a_version_alone() -> None:
    """For any kind."""
    line = _line("BOOKMARK", {"kind": "Node", "metadata": {"resourceVersion": "12", "creationTimestamp": None}})
    change = Codec(Node).change(line)
    assert (change.version, change.item, change.gone) == ("12", None, False)


def test_an_error_is_raised_with_its_code() -> None:
    """So that who follows can tell lost history from trouble."""
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    with pytest.raises(ApiError, match="answered 410 Expired: too old") as caught:
        PODS.change(_line("ERROR", status))
    assert caught.value.status == 410


def test_a_change_that_cannot_be_read_moves_on() -> None:
    """Its version counts, so that it is not asked for for ever."""
    with capture_logs() as logs:
        change = PODS.change(_line("MODIFIED", _pod("bad", "8", priority="high")))
    assert (change.version, change.item) == ("8", None)
    assert [(line["namespace"], line["name"]) for line in logs] == [("team", "bad")]


@given(JSON)
def test_any_json_is_a_page_or_an_error(document: Any) -> None:
    """Whatever a proxy may say: never another exception."""
    with capture_logs():
        try:
            metadata, items = PODS.page(json.dumps(document).encode())
        except ApiError:
            return
    assert isinstance(metadata.resource_version, str)
    assert all(isinstance(item, Pod) for item in items)


@given(st.sampled_from(["ADDED", "DELETED", "BOOKMARK", "ERROR", "OTHER"]), JSON)
def test_any_line_is_a_change_or_an_error(kind: str, document: Any) -> None:
    """So that the thread that follows goes on."""
    with capture_logs():
        try:
            change = PODS.change(_line(kind, document))
        except ApiError:
            return
    assert isinstance(change.version, str)


@given(st.binary(max_size=40))
def test_any_bytes_are_an_error(raw: bytes) -> None:
    """Half lines, other encodings."""
    for read in (PODS.page, PODS.change):
        with pytest.raises(ApiError):
            read(raw)
