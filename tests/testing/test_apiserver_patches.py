"""Merge patches and JSON patches are those of the RFCs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.testing.apiserver.patches import merged, patched
from hetero.testing.apiserver.refusals import Refused

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches(document: Any, patch: Any, result: Any) -> None:
    """The examples of RFC 7386, appendix A."""
    before = copy.deepcopy(document)
    assert merged(document, patch) == result
    assert document == before


@given(DOCUMENTS, DOCUMENTS)
def test_merging_twice_is_merging_once(document: Any, patch: Any) -> None:
    """Sent again after a lost answer, a merge patch changes nothing."""
    once = merged(document, patch)
    assert merged(once, patch) == once


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "x"}], {"foo": ["bar", "x", "baz"]}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["x"]}], {"foo": ["bar", ["x"]]}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/1", "value": "x"}], {"foo": ["bar", "x"]}),
        ({"baz": 1, "foo": 2}, [{"op": "remove", "path": "/baz"}], {"foo": 2}),
        ({"foo": [1, 2, 3]}, [{"op": "remove", "path": "/foo/1"}], {"foo": [1, 3]}),
        ({"baz": 1}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
        ({"a": [1]}, [{"op": "replace", "path": "/a/0", "value": 2}], {"a": [2]}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}], {"a": 1}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": [2]}], [2]),
        ({"a": 1}, [{"op": "add", "path": "", "value": [2]}], [2]),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"a/b": 1}, [{"op": "replace", "path": "/a~1b", "value": 2}], {"a/b": 2}),
        (
            {"a": None},
            [{"op": "add", "path": "/a", "value": {}}, {"op": "add", "path": "/a/b", "value": 1}],
            {"a": {"b": 1}},
        ),
    ],
)
def test_json_patches(document: Any, patch: Any, result: Any) -> None:
    """The examples of RFC 6902, appendix A, and pointers with escapes."""
    before = copy.deepcopy(document)
    assert patched(document, patch) == result
    assert document == before


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({}, 400),
        ([3], 400),
        ([{"op": "add"}], 400),
        ([{"op": "add", "path": "/b"}], 400),
        ([{"op": "spoil", "path": "/a", "value": 1}], 400),
        ([{"op": "add", "path": "b", "value": 1}], 400),
        ([{"op": "add", "path": "/x/y", "value": 1}], 422),
        ([{"op": "add", "path": "/a/y", "value": 1}], 422),
        ([{"op": "add", "path": "/l/3", "value": 1}], 422),
        ([{"op": "add", "path": "/l/01", "value": 1}], 422),
        ([{"op": "add", "path": "/l/x", "value": 1}], 422),
        ([{"op": "remove", "path": "/x"}], 422),
        ([{"op": "remove", "path": "/l/2"}], 422),
        ([{"op": "remove", "path": "/l/-"}], 422),
        ([{"op": "replace", "path": "/x", "value": 1}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "test", "path": "/x", "value": None}], 422),
        ([{"op": "move", "from": "/x", "path": "/y"}], 422),
        ([{"op": "copy", "path": "/y"}], 400),
    ],
)
def test_json_patches_that_do_not_apply_are_refused(patch: Any, code: int) -> None:
    """Nothing is guessed: no parent is made, nothing missing is removed, replaced or tested."""
    document = {"a": 1, "l": [1, 2]}
    with pytest.raises(Refused) as caught:
        patched(document, patch)
    assert caught.value.code == code
    assert document == {"a": 1, "l": [1, 2]}


@given(st.dictionaries(st.text(max_size=3), DOCUMENTS, max_size=4), st.text(max_size=4), DOCUMENTS)
def test_what_is_added_is_there_and_can_be_removed(document: Any, key: str, value: Any) -> None:
    """Under any key, however it has to be escaped."""
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    added = patched(document, [{"op": "add", "path": path, "value": value}])
    assert added == {**document, key: value}
    removed = patched(added, [{"op": "remove", "path": path}])
    assert removed == {name: one for name, one in document.items() if name != key}
