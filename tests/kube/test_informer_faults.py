"""An informer loses nothing and tells nothing twice or backwards, whatever the API server does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from hetero import metrics
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.backoff import Backoff
from hetero.kube.informer import Informer
from hetero.kube.objects import Pod
from hetero.testing.apiserver import ApiServer


def _watches(server: ApiServer) -> int:
    return len(server.calls("GET", "watch=true"))


def _lists(server: ApiServer) -> int:
    return len(server.calls("GET", "limit="))


@pytest.mark.parametrize("midline", [False, True])
def test_a_dropped_watch_is_resumed(
    follow: Any, server: ApiServer, put_pod: Any, *, recorder: Any, in_step: Any, midline: bool
) -> None:
    """From the last version, without a new list: what happened meanwhile is told, once, also when a line was cut."""
    follow()
    put_pod("a")
    assert recorder.wait(lambda: len(recorder.told) == 2)
    server.drop_watches(midline=midline)
    put_pod("b")
    assert in_step()
    assert recorder.verbs() == ["replace", "put", "put"]
    assert _lists(server) == 1


def test_lost_history_is_listed_anew(follow: Any, server: ApiServer, put_pod: Any, recorder: Any, in_step: Any) -> None:
    """410 within the stream: everything at once, without what vanished unseen."""
    put_pod("stays"), put_pod("goes")
    informer = follow()
    assert server.wait(lambda: _watches(server) == 1)
    with server.store.changed:
        server.remove(paths.pod("default", "goes"))
        server.compact()
    assert in_step()
    assert informer.version
    assert [name for _, name in recorder.store] == ["stays"]


def test_lost_history_on_connecting_is_listed_anew(
    follow: Any, server: ApiServer, put_pod: Any, recorder: Any, in_step: Any
) -> None:
    """410 as the answer to the watch."""
    put_pod("goes")
    follow()
    server.stop()
    server.remove(paths.pod("default", "goes"))
    put_pod("new")
    server.compact()
    server.start()
    assert in_step()
    assert recorder.verbs() == ["replace", "replace"]


def test_a_restart_loses_nothing(follow: Any, server: ApiServer, put_pod: Any, in_step: Any) -> None:
    """Five times, with changes while it is down."""
    follow()
    for index in range(5):
        server.stop()
        put_pod(f"p{index}")
        server.start()
        assert in_step()


@pytest.mark.parametrize("status", [429, 500, 503, 504, 0])
@pytest.mark.parametrize("what", ["limit=", "watch=true"])
def test_trouble_is_waited_for(
    follow: Any, server: ApiServer, put_pod: Any, *, recorder: Any, in_step: Any, status: int, what: str
) -> None:
    """Errors of lists and of watches, several in a row, and answers that never come; no list is needed afterwards."""
    put_pod("a")
    server.fail(status, path_contains=what, times=3)
    follow()
    put_pod("b")
    assert in_step()
    assert recorder.verbs()[0] == "replace"
    assert recorder.verbs().count("replace") == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_tried_again_and_told(
    follow: Any, server: ApiServer, put_pod: Any, in_step: Any, status: int
) -> None:
    """Rights may come later; meanwhile the log says what is missing and the failures are counted."""
    reason = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}[status]
    before = metrics.api_failures.value(reason)
    server.fail(status, path_contains="limit=", times=2)
    with capture_logs() as logs:
        follow()
    assert metrics.api_failures.value(reason) == before + 2
    assert [str(status) in line["error"] for line in logs if line["log_level"] == "warning"] == [True, True]
    put_pod("a")
    assert in_step()


def test_retry_after_is_respected(follow: Any, server: ApiServer) -> None:
    """A server that asks for a second gets it, however short the delays are otherwise."""
    server.fail(429, path_contains="limit=", retry_after=1)
    with capture_logs() as logs:
        follow()
    assert [line["retry_in"] for line in logs] == [1.0]


def test_a_page_that_is_too_late_begins_the_list_again(
    follow: Any, server: ApiServer, put_pod: Any, recorder: Any, in_step: Any
) -> None:
    """410 between two pages: what was read so far is thrown away, nothing of it is told."""
    for index in range(5):
        put_pod(f"p{index}")
    server.fail(410, path_contains="continue=")
    follow(page=2)
    assert in_step()
    assert recorder.verbs() == ["replace"]
    assert len(recorder.told[0][1]) == 5


def test_pages_that_are_always_too_late_are_read_as_one(
    follow: Any, server: ApiServer, put_pod: Any, recorder: Any
) -> None:
    """In a cluster that changes faster than it can be listed, the list is asked for in one piece."""
    for index in range(5):
        put_pod(f"p{index}")
    server.fail(410, path_contains="continue=", times=1000)
    follow(page=2)
    assert len(recorder.told[0][1]) == 5
    server.heal()


def test_a_silent_stream_is_given_up(follow: Any, server: ApiServer, put_pod: Any, recorder: Any, in_step: Any) -> None:
    """Nothing for as long as it may be silent: the watch begins again where it was."""
    follow(silence=0.2)
    assert server.wait(lambda: _watches(server) >= 3)
    put_pod("a")
    assert in_step()
    assert _lists(server) == 1


def test_what_happens_while_listing_is_not_lost(
    follow: Any, server: ApiServer, put_pod: Any, recorder: Any, in_step: Any
) -> None:
    """Between the list's version and the watch's beginning, however long the answer takes."""
    put_pod("a")
    server.stall(600, path_contains="limit=", after=True)
    follow(wait=False)
    assert server.wait(lambda: _lists(server) == 1)
    put_pod("a", changed="yes"), put_pod("b")
    server.heal()
    assert in_step()


def test_an_object_that_cannot_be_read_is_skipped(follow: Any, server: ApiServer, put_pod: Any, recorder: Any) -> None:
    """In a list and in a watch: it is named in the log and counted, and the others are told."""
    bad = {"metadata": {"name": "bad"}, "spec": {"priority": "high"}}
    before = metrics.unreadable_objects.value("Pod")
    server.put(paths.PODS, bad)
    put_pod("good")
    with capture_logs() as logs:
        follow()
        server.put(paths.PODS, {**bad, "metadata": {"name": "worse"}})
        put_pod("better")
        assert recorder.wait(lambda: len(recorder.store) == 2)
    assert sorted(name for _, name in recorder.store) == ["better", "good"]
    assert metrics.unreadable_objects.value("Pod") == before + 2
    assert [line["name"] for line in logs if line["log_level"] == "error"] == ["bad", "worse"]


def test_a_handler_that_fails_is_given_everything_anew(follow: Any, put_pod: Any, recorder: Any, in_step: Any) -> None:
    """Its defect is logged and costs no change."""
    broken = [True]

    class Failing:
        replace = staticmethod(recorder.replace)
        remove = staticmethod(recorder.remove)

        @staticmethod
        def put(item: Any) -> None:
            if broken.pop() if broken else False:
                raise KeyError("a defect")
            recorder.put(item)

    with capture_logs() as logs:
        follow(handler=Failing())
        put_pod("a")
        assert in_step()
    assert recorder.verbs() == ["replace", "replace"]
    assert any(line["log_level"] == "error" for line in logs)


class Scripted:
    """A server that says what it is told to, once."""

    timeout = 1.0

    def __init__(self, lists: list[str], watches: list[list[str]]) -> None:
        self.lists = [one.encode() for one in lists]
        self.watches = [[line.encode() for line in lines] for lines in watches]

    def get(self, path: str, query: Any, *, timeout: float) -> bytes:
        """The next list."""
        return self.lists.pop(0)

    def watch(self, path: str, query: Any, *, silence: float) -> Any:
        """The next watch; without one the server has gone."""
        if not self.watches:
            raise ApiError(0, "Unreachable", "gone")
        return _Lines(self.watches.pop(0))


class _Lines(list[bytes]):
    def close(self) -> None:
        """Nothing to close."""


def _pod(name: str, version: int) -> str:
    return f'{{"metadata":{{"name":"{name}","resourceVersion":"{version}"}}}}'


def _list(version: int, *pods: str) -> str:
    return f'{{"metadata":{{"resourceVersion":"{version}"}},"items":[{",".join(pods)}]}}'


@pytest.fixture
def scripted(recorder: Any) -> Iterator[Any]:
    """``scripted(lists, watches, told)``: what a recorder was told when it was told so many things."""
    running: list[Informer[Pod]] = []

    def run(lists: list[str], watches: list[list[str]], told: int) -> list[tuple[str, Any]]:
        server: Any = Scripted(lists, watches)
        running.append(Informer(server, paths.PODS, Pod, recorder, backoff=Backoff(0.001, 0.01)))
        running[-1].start()
        assert recorder.wait(lambda: len(recorder.told) >= told)
        return [
            (verb, [one.metadata.name for one in item] if verb == "replace" else item.metadata.name)
            for verb, item in recorder.told
        ]

    yield run
    for informer in running:
        informer.stop()


def test_a_history_that_was_rewritten_is_noticed(scripted: Any) -> None:
    """Versions that go back, as after a restore from a backup: nothing older is told, everything is listed anew."""
    line = f'{{"type":"MODIFIED","object":{_pod("a", 20)}}}'
    told = scripted([_list(50, _pod("a", 40)), _list(21, _pod("a", 20), _pod("b", 21))], [[line]], 2)
    assert told == [("replace", ["a"]), ("replace", ["a", "b"])]


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"MODIFIED","obj',
        '{"type":"MODIFIED"}',
        '{"type":"MODIFIED","object":{"spec":{}}}',
        "<html>a proxy has something to say</html>",
        '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}',
        '{"type":"ERROR","object":{"kind":"Status","code":400}}',
    ],
)
def test_a_line_that_says_nothing_leads_to_a_list(scripted: Any, line: str) -> None:
    """What cannot be known from a stream is asked for; the thread goes on."""
    good = f'{{"type":"ADDED","object":{_pod("b", 2)}}}'
    told = scripted([_list(1), _list(3, _pod("c", 3))], [[good, line, good]], 3)
    assert told == [("replace", []), ("put", "b"), ("replace", ["c"])]


@pytest.mark.parametrize("code", [429, 500, 503, 504])
def test_trouble_within_a_stream_is_waited_for(scripted: Any, code: int) -> None:
    """The watch goes on from its version, without a list."""
    error = f'{{"type":"ERROR","object":{{"kind":"Status","code":{code}}}}}'
    good = f'{{"type":"ADDED","object":{_pod("b", 2)}}}'
    assert scripted([_list(1)], [[error], [good]], 2) == [("replace", []), ("put", "b")]


def test_a_list_that_is_none_is_asked_for_again(scripted: Any) -> None:
    """A proxy's page, for example."""
    assert scripted(["<html>", '{"items":[]}', _list(1, _pod("a", 1))], [], 1) == [("replace", ["a"])]


def test_a_list_of_null_is_empty(scripted: Any) -> None:
    """As Go writes a list without items."""
    assert scripted(['{"metadata":{"resourceVersion":"1"},"items":null}'], [], 1) == [("replace", [])]
