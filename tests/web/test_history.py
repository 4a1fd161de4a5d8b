"""What was: fixed questions, names that cannot change them, and a Prometheus that does not answer as it should."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from asking import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World, served

from hetero.errors import InvalidValue
from hetero.web.history import QUERIES, RANGES, Past, labels, promql
from hetero.web.problems import Refused
from hetero.web.queries import HistoryQuery
from hetero.web.records import History

NOW = 1_800_000_010.0


class Prometheus:
    """A server that answers a question with a rising line, or as a test says."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: bytes | None = None
        self.status = 200
        prometheus = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                prometheus.asked.append({"path": urlsplit(self.path).path, **given})
                body = prometheus.answer if prometheus.answer is not None else prometheus.line(given)
                self.send_response(prometheus.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/prefix/"

    @staticmethod
    def line(given: dict[str, str]) -> bytes:
        """From its second point on, with one that is no number."""
        start, step = int(given["start"]), int(given["step"])
        values = [[start + step, "0.25"], [start + 2 * step, "NaN"], [start + 3 * step, "0.5"]]
        result = [{"metric": {}, "values": values}]
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Prometheus]:
    """One for all tests."""
    made = Prometheus()
    yield made
    made.close()


@pytest.fixture
def prometheus(running: Prometheus) -> Prometheus:
    """It, as new."""
    running.asked.clear()
    running.answer, running.status = None, 200
    return running


def test_a_chart_has_a_value_for_each_time(prometheus: Prometheus) -> None:
    """None where there was none; times are whole steps, so that who asks a moment later is given the same."""
    past = Past(prometheus.url, clock=lambda: NOW)
    found = past.history(HistoryQuery(of="node", name="rack-0", range="6h"))
    assert (found.available, found.problem) == (True, "")
    assert [one.name for one in found.series] == [name for name, _ in QUERIES["node"]]
    length, step = RANGES["6h"]
    assert (len(found.times), found.times[1] - found.times[0]) == (length // step + 1, step)
    assert found.times[-1] == NOW // step * step
    assert all(len(one.values) == len(found.times) for one in found.series)
    assert found.series[0].values[:5] == (None, 0.25, None, 0.5, None)
    assert all('{node="rack-0"}' in one["query"] for one in prometheus.asked)
    assert {one["path"] for one in prometheus.asked} == {"/prefix/api/v1/query_range"}


def test_an_answer_is_kept_for_a_while(prometheus: Prometheus) -> None:
    """Many who look at a chart ask Prometheus once."""
    now = [NOW]
    past = Past(prometheus.url, clock=lambda: now[0])
    past.history(HistoryQuery())
    count = len(prometheus.asked)
    past.history(HistoryQuery())
    assert len(prometheus.asked) == count
    now[0] += 31
    past.history(HistoryQuery())
    assert len(prometheus.asked) == 2 * count


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (422, b'{"status": "error", "error": "too many points"}', "too many points"),
        (200, b"<html>", "not as Prometheus does"),
        (200, b'{"status": "success", "data": {"result": 1}}', "not as Prometheus does"),
        (200, b"\xff", "not as Prometheus does"),
        (503, b"", "answered 503"),
    ],
)
def test_what_is_no_answer_is_a_problem(prometheus: Prometheus, status: int, answer: bytes, words: str) -> None:
    """The page shows it where the chart would be."""
    prometheus.status, prometheus.answer = status, answer
    found = Past(prometheus.url).history(HistoryQuery())
    assert (found.available, found.series) == (True, ())
    assert words in found.problem


def test_a_prometheus_that_is_not_there_is_a_problem() -> None:
    """And none that is named is none."""
    assert "does not answer" in Past("http://127.0.0.1:1").history(HistoryQuery()).problem
    assert Past("").history(HistoryQuery()) == History(available=False)
    with pytest.raises(InvalidValue, match="is no URL"):
        Past("prometheus:9090")


@pytest.mark.parametrize(
    ("of", "name"),
    [
        ("cluster", "x"),
        ("node", ""),
        ("node", 'a"} or vector(1) #'),
        ("node", "a/b"),
        ("card", "a b"),
        ("workload", "pod"),
        ("workload", "/pod"),
        ("workload", "a/b/c"),
        ("workload", 'a"/b'),
    ],
)
def test_a_name_that_is_none_is_refused(of: Any, name: str) -> None:
    """It never gets near a question."""
    with pytest.raises(Refused, match="write"):
        labels(HistoryQuery(of=of, name=name))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["node", "card", "workload"]), st.text(max_size=40))
def test_no_name_changes_what_is_asked(of: Any, name: str) -> None:
    """A question differs from that about another name in the value of a label and in nothing else."""
    try:
        names = labels(HistoryQuery(of=of, name=name))
    except Refused:
        return
    for _, text in QUERIES[of]:
        asked = promql(text, names)
        for value in names.values():
            assert '"' not in value
            assert "\\" not in value
        assert asked.count('"') == text.count('"')
        assert asked.replace(f'"{names["NAME"]}"', '"NAME"').count("NAME") >= text.count("NAME")


def test_the_page_is_served(prometheus: Prometheus) -> None:
    """To who asks once and to who watches; refused names are the asker's own fault."""
    with served(World().state, past=Past(prometheus.url)) as client:
        assert client.get("/api/v1/history").read(History).available
        assert client.get("/api/v1/history?of=node&name=%22").status == 400
        assert client.get("/api/v1/history?range=2h").status == 400
        assert client.get("/api/v1/session").json()["history"] is True
        assert isinstance(client, Client)
