"""A list that is kept small says what was put into it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.kube import paths
from hetero.kube.decoding import Codec
from hetero.kube.objects import Container, Metadata, Pod, PodSpec, PodStatus, Requirements
from hetero.kube.packed import Packed
from hetero.kube.snapshot import gather
from hetero.testing.apiserver import ApiServer

_words = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
_amounts = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans(), max_size=2)
_pods = st.builds(
    Pod,
    metadata=st.builds(Metadata, name=st.text(max_size=5), uid=st.text(max_size=5), annotations=st.none() | _words),
    spec=st.builds(
        PodSpec,
        node_name=st.none() | st.text(max_size=5),
        containers=st.tuples(
            st.builds(Container, resources=st.none() | st.builds(Requirements, limits=st.none() | _amounts))
        ),
    ),
    status=st.builds(PodStatus, phase=st.none() | st.text(max_size=5)),
)


def _pod(name: str, **notes: str) -> Pod:
    return Pod(Metadata(name=name, uid=name, annotations=notes or None))


@given(st.lists(st.lists(_pods, max_size=3), max_size=3))
@settings(max_examples=15)
def test_what_comes_out_is_what_went_in(batches: list[list[Pod]]) -> None:
    """Equal structs in their order, as often as one looks, whatever people write into their objects."""
    packed = Packed(Pod)
    for batch in batches:
        packed.extend(batch)
    everything = [item for batch in batches for item in batch]
    assert list(packed) == everything
    assert list(packed) == everything
    assert len(packed) == len(everything)


def test_an_empty_one_is_false() -> None:
    """As an empty list is."""
    assert not Packed(Pod)
    assert list(Packed(Pod)) == []


def test_it_begins_anew() -> None:
    """What came before is forgotten when the list's history is lost."""
    packed = Packed(Pod)
    packed.extend([_pod("a")])
    packed.clear()
    packed.extend([_pod("b")])
    assert (list(packed), len(packed)) == ([_pod("b")], 1)


def test_it_says_what_it_holds() -> None:
    """By value, for the structs are made anew."""
    packed = Packed(Pod)
    packed.extend([_pod("a"), _pod("b")])
    assert _pod("b") in packed
    assert _pod("c") not in packed


def test_it_is_small() -> None:
    """Objects of one kind are much alike: what is kept of a page is far less than its text."""
    packed = Packed(Pod)
    packed.extend(_pod(f"worker-{index}", note="the same long words in each" * 4) for index in range(500))
    assert sum(map(len, packed._batches)) < 500 * 20


def test_numbers_larger_than_a_word_are_kept() -> None:
    """A quantity may be any number; one that no machine word holds is no reason to fail."""
    packed = Packed(Pod)
    pod = Pod(Metadata(name="a"), PodSpec(containers=(Container("c", Requirements({"x": 10**30})),)))
    packed.extend([pod])
    assert list(packed) == [pod]


@pytest.mark.parametrize("times", [1, 2])
def test_pages_of_a_lost_history_are_dropped(server: ApiServer, times: int) -> None:
    """A page that came before the history was lost is not there twice, and what was deleted since is not there."""
    for name in ("a", "b", "c"):
        server.put(paths.PODS, {"metadata": {"name": name}, "spec": {"containers": [{"name": "c"}]}})
    api, packed = server.api(), Packed(Pod)
    packed.extend([_pod("gone")])
    server.fail(410, path_contains="continue", times=times)
    version = gather(api, paths.PODS, Codec(Pod), packed, page=2)
    api.close()
    assert [item.metadata.name for item in packed] == ["a", "b", "c"]
    assert version == list(packed)[-1].metadata.resource_version


def test_an_informer_tells_it_like_a_list(follow: Any, put_pod: Any, recorder: Any) -> None:
    """Handlers see the same objects, first and after every change."""
    for name in ("a", "b", "c"):
        put_pod(name)
    follow(page=2, packed=True)
    put_pod("d")
    assert recorder.wait(lambda: len(recorder.store) == 4)
    assert recorder.verbs() == ["replace", "put"]
    assert [item.metadata.name for item in recorder.told[0][1]] == ["a", "b", "c"]
