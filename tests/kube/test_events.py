"""Events arrive, are counted up, and are in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from hetero import metrics
from hetero.kube import events as module
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.kube.events import Events, cut
from hetero.kube.objects import Metadata
from hetero.kube.talk import BURST, EVERY
from hetero.testing.apiserver import ApiServer

POD = Metadata(name="p", namespace="default", uid="u1")


@pytest.fixture
def time() -> list[float]:
    """The clock, in its first element."""
    return [0.0]


@pytest.fixture
def events(api: Api, time: list[float]) -> Iterator[Events]:
    """Events that are posted to the server."""
    running = Events(api, "tester", clock=lambda: time[0])
    yield running
    running.stop()


def _posted(server: ApiServer) -> list[dict[str, Any]]:
    return server.objects("/api/v1/events")


def test_an_event_says_who_what_and_about_whom(events: Events, server: ApiServer) -> None:
    """Everything that ``kubectl describe pod`` looks for."""
    events.post(POD, "Warning", "FilteringFailed", "3/8 nodes: no")
    assert events.flush()
    [event] = _posted(server)
    about = {"kind": "Pod", "apiVersion": "v1", "namespace": "default", "name": "p", "uid": "u1"}
    assert event["involvedObject"] == about
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "FilteringFailed", "3/8 nodes: no")
    assert (event["count"], event["source"]) == (1, {"component": "tester"})
    assert event["firstTimestamp"] == event["lastTimestamp"]
    assert event["metadata"]["name"].startswith("p.")


def test_an_event_about_a_node_is_where_nodes_events_are(events: Events, server: ApiServer) -> None:
    """Nodes live in no namespace, their events in ``default``; ``kubectl describe node`` looks there."""
    events.post_node(Metadata(name="desk", uid="n1"), "Warning", "RuntimeWithoutCDI", "too old")
    assert events.flush()
    [event] = _posted(server)
    assert event["involvedObject"] == {"kind": "Node", "apiVersion": "v1", "name": "desk", "uid": "n1"}
    assert (event["metadata"]["namespace"], event["message"]) == ("default", "too old")


def test_equal_events_are_counted_in_one(events: Events, server: ApiServer) -> None:
    """Whether they wait together or come one after another."""
    for _ in range(3):
        events.post(POD, "Warning", "FilteringFailed", "no")
        assert events.flush()
    assert [event["count"] for event in _posted(server)] == [3]
    assert len(server.calls("POST", "/events")) == 1


def test_equal_events_that_wait_are_sent_as_one(events: Events, server: ApiServer) -> None:
    """While the server is slow they add up."""
    server.stall(600, method="POST")
    events.post(POD, "Normal", "First", "holds the thread up")
    assert server.wait(lambda: bool(server.calls("POST")))
    for _ in range(5):
        events.post(POD, "Warning", "FilteringFailed", "no")
    server.heal()
    assert events.flush()
    assert [event["count"] for event in _posted(server) if event["reason"] == "FilteringFailed"] == [5]
    assert len(server.calls("POST", "/events")) == 2


@pytest.mark.parametrize("field", ["uid", "reason", "message", "severity"])
def test_different_events_stay_apart(events: Events, server: ApiServer, field: str) -> None:
    """Another pod of the same name, another reason, another sentence, another severity."""
    other = {"uid": "u1", "reason": "A", "message": "m", "severity": "Normal"}
    for values in (other, {**other, field: "Warning"}):
        metadata = Metadata(name="p", namespace="default", uid=values["uid"])
        events.post(metadata, values["severity"], values["reason"], values["message"])  # type: ignore[arg-type]
    assert events.flush()
    assert [event["count"] for event in _posted(server)] == [1, 1]


def test_an_event_that_has_expired_is_made_anew(events: Events, server: ApiServer) -> None:
    """The server keeps them for an hour; the count goes on."""
    events.post(POD, "Normal", "A", "m")
    assert events.flush()
    server.remove(paths.event("default", _posted(server)[0]["metadata"]["name"]))
    events.post(POD, "Normal", "A", "m")
    assert events.flush()
    assert [event["count"] for event in _posted(server)] == [2]


def test_too_much_talk_about_one_pod_is_held_back(events: Events, server: ApiServer, time: list[float]) -> None:
    """A burst, then one now and then; others are still heard, and what was held back is in the count."""
    before = metrics.events.value("dropped")
    for _ in range(BURST + 5):
        events.post(POD, "Warning", "A", "m")
        assert events.flush()
    assert [event["count"] for event in _posted(server)] == [BURST]
    assert metrics.events.value("dropped") == before + 5
    events.post(Metadata(name="q", namespace="default", uid="u2"), "Normal", "A", "m")
    time[0] += EVERY
    events.post(POD, "Warning", "A", "m")
    assert events.flush()
    assert sorted(event["count"] for event in _posted(server)) == [1, BURST + 6]


@pytest.mark.parametrize("status", [0, 429, 500, 503])
@pytest.mark.parametrize("after", [False, True])
def test_trouble_is_waited_for(
    api: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch, status: int, after: bool
) -> None:
    """An event is sent again, and is there once, also when only the answer was lost."""
    monkeypatch.setattr("hetero.kube.backoff.Backoff.next", lambda self, asked=None: 0.001)
    events = Events(api, "tester")
    server.fail(status, path_contains="/events", times=2, after=after)
    events.post(POD, "Normal", "A", "m")
    assert events.flush()
    events.stop()
    assert [event["count"] for event in _posted(server)] == [1]


def test_what_cannot_be_posted_is_dropped_and_told(
    api: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few tries, or at once when it is refused; the next one is posted."""
    monkeypatch.setattr("hetero.kube.backoff.Backoff.next", lambda self, asked=None: 0.001)
    events, before = Events(api, "tester"), metrics.events.value("failed")
    server.fail(500, path_contains="/events", times=module.TRIES)
    server.fail(403, path_contains="/events")
    with capture_logs() as logs:
        events.post(POD, "Normal", "A", "m")
        events.post(POD, "Normal", "B", "m")
        assert events.flush()
    events.post(POD, "Normal", "C", "m")
    assert events.flush()
    events.stop()
    assert metrics.events.value("failed") == before + 2
    assert [line["reason"] for line in logs] == ["A", "B"]
    assert [event["reason"] for event in _posted(server)] == ["C"]


def test_a_full_queue_drops(events: Events, server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever posts is never held up, however slow the server is."""
    monkeypatch.setattr(module, "WAITING", 3)
    before = metrics.events.value("dropped")
    server.stall(600, method="POST")
    events.post(POD, "Normal", "First", "holds the thread up")
    assert server.wait(lambda: bool(server.calls("POST")))
    for index in range(5):
        events.post(POD, "Normal", "A", f"{index}")
    server.heal()
    assert events.flush()
    assert metrics.events.value("dropped") == before + 2
    assert len(_posted(server)) == 4


def test_a_defect_does_not_silence_the_others(events: Events, server: ApiServer) -> None:
    """Whatever one event is, the next one is posted."""
    with capture_logs() as logs:
        events.post(Metadata(name="p", namespace=None), "Normal", "A", "m")  # type: ignore[arg-type]
        events.post(POD, "Normal", "B", "m")
        assert events.flush()
    assert [event["reason"] for event in _posted(server)] == ["B"]
    assert len(logs) == 1


@pytest.mark.parametrize("letter", ["a", "ü", "界"])
def test_long_messages_are_cut(letter: str) -> None:
    """At 1024 bytes, not within a character."""
    assert cut(letter * 100) == letter * 100
    shortened = cut(letter * 2000)
    assert len(shortened.encode()) <= 1024 < len(shortened.encode()) + 8
    assert set(shortened) == {letter, "…"}


def test_stopping_posts_what_waits(api: Api, server: ApiServer) -> None:
    """And then the thread has gone."""
    events = Events(api, "tester")
    events.post(POD, "Normal", "A", "m")
    events.stop()
    assert len(_posted(server)) == 1
    assert not events._thread.is_alive()
