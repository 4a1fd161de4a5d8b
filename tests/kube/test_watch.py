"""A stream is cut into whole lines, wherever the network cuts it."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.kube.watch import whole_lines
from hetero.testing.apiserver import ApiServer


@given(st.lists(st.binary(min_size=1, max_size=6).map(lambda line: line.replace(b"\n", b"x"))), st.data())
def test_lines_are_whole_wherever_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    """The same lines come out as went in, for any cuts."""
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert list(whole_lines(chunks)) == lines


def test_half_a_line_is_dropped() -> None:
    """It was cut off, and what it would have said is told again."""
    assert list(whole_lines([b"one\ntw"])) == [b"one"]
    assert list(whole_lines([b"tw"])) == list(whole_lines([])) == []


def test_empty_lines_say_nothing() -> None:
    """Some proxies keep a stream alive with them."""
    assert list(whole_lines([b"\n\none\n", b"\n", b"two\n\n"])) == [b"one", b"two"]


def test_a_watch_that_is_dropped_ends(api: Api, server: ApiServer) -> None:
    """Between lines it ends; within one it breaks, and the half line is not told."""
    begin = {"resourceVersion": str(server.store.version)}
    watch = api.watch(paths.NODES, begin)
    server.put(paths.NODES, {"metadata": {"name": "n"}})
    server.drop_watches()
    assert len(list(watch)) <= 1
    broken = iter(api.watch(paths.NODES, begin))
    assert b'"ADDED"' in next(broken)
    server.drop_watches(midline=True)
    with pytest.raises(ApiError, match="Disconnected: watch"):
        next(broken)


def test_silence_is_given_up(api: Api, server: ApiServer) -> None:
    """After as long as the caller allows."""
    watch = api.watch(paths.NODES, {"resourceVersion": str(server.store.version)}, silence=0.1)
    with pytest.raises(ApiError, match="Timeout: watch"):
        list(watch)


def test_another_thread_can_close_it(api: Api, server: ApiServer) -> None:
    """While it waits for a line; before it is read; twice; after its end."""
    begin = {"resourceVersion": str(server.store.version)}
    watch = api.watch(paths.NODES, begin)
    server.put(paths.NODES, {"metadata": {"name": "n"}})
    lines = iter(watch)
    next(lines)
    closer = threading.Thread(target=watch.close)
    closer.start()
    assert list(lines) == []
    closer.join()
    watch.close()
    unread = api.watch(paths.NODES, begin)
    unread.close()
    assert list(unread) == []


@pytest.mark.parametrize("status", [401, 410, 503, 0])
def test_a_watch_that_is_refused_is_an_error(api: Api, server: ApiServer, status: int) -> None:
    """At once, not at its first line."""
    server.fail(status)
    with pytest.raises(ApiError) as caught:
        api.watch(paths.NODES)
    assert caught.value.status == status
