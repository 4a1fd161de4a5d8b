"""The agent's page over a real socket."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from hetero import listening, metrics
from hetero.agent.page import MOST, Page
from hetero.monitoring.report import NodeReport


class Served:
    """A page that runs, and what it was asked."""

    def __init__(self) -> None:
        self.broken = self.waiting = ""
        self.measured = 0
        self.opened = listening.listen(listening.address("127.0.0.1:0", "x"), "x")
        self.port = self.opened.getsockname()[1]
        self.report = NodeReport(node="desk", time=1.5)
        self.page = Page(self.opened, lambda: self.broken, lambda: self.waiting, self._exposed, lambda: self.report)
        self.page.start()

    def _exposed(self) -> str:
        self.measured += 1
        return "hetero_agent_ready 1\n"

    def get(self, path: str) -> tuple[int, str, str]:
        """Status, type and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.headers["content-type"], answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    """On a free port."""
    made = Served()
    yield made
    made.page.stop()


def test_an_agent_that_runs_is_healthy_and_ready_when_nothing_is_waited_for(served: Served) -> None:
    """The kubelet restarts what is not healthy, and shows what is not ready with the reason."""
    assert served.get("/healthz")[::2] == (200, "ok")
    assert served.get("/readyz?verbose")[::2] == (200, "ok")
    served.waiting = "waiting for: the devices"
    assert served.get("/readyz")[::2] == (503, "waiting for: the devices")
    assert served.get("/healthz")[0] == 200


def test_an_agent_that_only_the_next_one_can_help_is_not_healthy(served: Served) -> None:
    """The kubelet starts it anew, and its event has the sentence."""
    served.broken = "/var/run/cdi: removed"
    assert served.get("/healthz")[::2] == (503, "/var/run/cdi: removed")


def test_metrics_are_brought_up_to_date_when_they_are_asked_for(served: Served) -> None:
    """And not before."""
    served.get("/readyz")
    assert served.measured == 0
    status, kind, text = served.get("/metrics")
    assert (status, kind, served.measured) == (200, metrics.CONTENT_TYPE, 1)
    assert text == "hetero_agent_ready 1\n"


def test_use_is_told_as_a_record_that_others_read(served: Served) -> None:
    """As JSON, for the dashboard and for ``hetero top --cluster``."""
    status, kind, text = served.get("/usage")
    assert (status, kind) == (200, "application/json")
    assert msgspec.json.decode(text, type=NodeReport) == served.report


def test_other_paths_say_which_there_are(served: Served) -> None:
    """A person looks for them by hand."""
    assert served.get("/")[::2] == (404, "there are /healthz, /readyz, /metrics and /usage")


def test_clients_that_go_away_are_nobodys_business(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """No trace on standard error, and the next one is answered."""
    for text in (b"GET /metrics HTTP/1.1\r\n\r\n", b"GET /metr", b""):
        with socket.create_connection(("127.0.0.1", served.port), timeout=120) as client:
            client.sendall(text)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not closed
    assert served.get("/healthz")[0] == 200
    assert "Traceback" not in capsys.readouterr().err


def test_whoever_opens_many_connections_keeps_nobody_out(served: Served) -> None:
    """Any pod of the cluster can: the oldest go, and as many threads as before are left."""
    before = threading.active_count()
    with contextlib.ExitStack() as crowd:
        clients = [
            crowd.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=120))
            for _ in range(3 * MOST)
        ]
        assert served.get("/healthz")[0] == 200
        assert clients[0].recv(1) == b""
        for _ in range(2000):
            if threading.active_count() <= before + MOST:
                break
            threading.Event().wait(0.01)
        assert threading.active_count() <= before + MOST
    assert served.get("/healthz")[0] == 200


def test_a_page_that_is_stopped_is_gone(served: Served) -> None:
    """Its port is free again."""
    other = Served()
    other.page.stop()
    with pytest.raises(OSError):  # noqa: PT011 — refused or reset, as the kernel likes
        other.get("/healthz")
