"""The whole dashboard over an API server in memory: what is followed, asked and served, and what if it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from asking import Client, Watch
from world import vendors

from hetero import metrics
from hetero.config import DashboardSettings, Settings
from hetero.errors import InvalidValue
from hetero.kube import paths
from hetero.listening import Address
from hetero.testing.agents import HollowAgents
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import fake_node
from hetero.testing.hollow import hollow_node
from hetero.web import state
from hetero.web.records import NodeDetail, Overview, Workloads
from hetero.web.service import Service, decided, namespace

HERE = Address("127.0.0.1", 9446)


class Board:
    """A service and a browser."""

    def __init__(self, service: Service, client: Client) -> None:
        self.service, self.client = service, client

    def overview(self) -> Overview:
        return self.client.get("/api/v1/overview").read(Overview)

    def until(self, true: Callable[[], object], seconds: float = 120.0) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextmanager
def board(server: ApiServer, **own: Any) -> Iterator[Board]:
    """A dashboard of a server until the end of the block."""
    named = {"auth": "none", "agents": "proxy", **own}
    service = Service(server.api(), vendors(), (), Settings(dashboard=DashboardSettings(**named)), HERE)
    service.start()
    client = Client(service.pages)
    try:
        found = Board(service, client)
        found.until(lambda: not service.waiting())
        yield found
    finally:
        service.retire()
        service.stop()
        client.close()


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Two nodes."""
    with ApiServer() as server:
        for name in ("a", "b"):
            server.put(paths.NODES, hollow_node(fake_node(name, 2), vendors()))
        yield server


def test_what_agents_say_is_shown_with_its_age(server: ApiServer) -> None:
    """A node whose agent is silent is shown with the reason, and its figures as not known."""
    agents = HollowAgents(server, vendors())
    agents.deploy()
    agents.silent = {"b"}
    with board(server) as there:
        there.until(lambda: there.overview().freshness.reporting == 1)
        found = there.overview()
        [fake] = found.vendors
        assert (fake.cards, fake.memory.used is not None) == (4, True)
        assert fake.memory.known == fake.memory.capacity / 2
        assert found.freshness.oldest is not None
        there.until(lambda: "cannot be reached" in there.client.get("/api/v1/nodes/b").read(NodeDetail).node.problem)
        agents.silent = set()
        there.service.measure()
    assert metrics.usage_requests.value("answered") > 0
    assert metrics.usage_requests.value("failed") > 0


def test_a_pod_that_only_says_that_it_is_an_agent_is_not_asked(server: ApiServer) -> None:
    """Anybody may label a pod: one in another namespace is believed nothing."""
    HollowAgents(server, vendors()).deploy()
    with board(server, namespace="elsewhere") as there:
        there.until(lambda: "no agent" in there.client.get("/api/v1/nodes/a").read(NodeDetail).node.problem)
        assert there.overview().freshness.reporting == 0


def test_an_api_server_that_goes_away_and_returns(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known stays on the page, which says so; who watches goes on watching."""
    monkeypatch.setattr(state, "BETWEEN", 0.1)
    with board(server) as there:
        watch = Watch(there.client, "/api/v1/nodes")
        assert watch.document()["freshness"]["in_step"] is True
        server.stop()
        there.until(lambda: not there.overview().freshness.in_step)
        away = there.overview()
        assert (away.cards, away.nodes) == (4, 2)
        assert away.freshness.heard <= away.freshness.time
        assert there.service.waiting() == ""
        server.start()
        server.put(paths.NODES, hollow_node(fake_node("c", 2), vendors()))
        there.until(lambda: there.overview().nodes == 3)
        there.until(lambda: there.overview().freshness.in_step)
        while watch.document()["total"] != 3:
            pass
        watch.close()


def test_pods_come_wait_and_go(server: ApiServer) -> None:
    """As the API server tells of them."""
    limits = {"fake.example/npu": "1", "fake.example/npumem": "999999"}
    container = {"name": "main", "image": "x", "resources": {"limits": limits}}
    with board(server) as there:
        server.put(paths.pods("team"), {"metadata": {"name": "w"}, "spec": {"containers": [container]}})
        there.until(lambda: there.overview().waiting_total == 1)
        [waiting] = there.client.get("/api/v1/workloads").read(Workloads).items
        assert (waiting.namespace, waiting.pod, waiting.state) == ("team", "w", "waiting")
        assert "2/2 nodes" in waiting.reason
        server.remove(paths.pod("team", "w"))
        there.until(lambda: there.overview().waiting_total == 0)


def test_it_is_not_ready_before_it_has_read_everything(server: ApiServer) -> None:
    """And says what it waits for; a page is answered all the same."""
    server.stall(30, method="GET", path_contains=paths.PODS)
    settings = Settings(dashboard=DashboardSettings(auth="none", agents="proxy"))
    service = Service(server.api(), vendors(), (), settings, HERE)
    probes, pages = Client(service.probes), Client(service.pages)
    service.start()
    try:
        deadline = time.monotonic() + 120
        while (answer := probes.get("/readyz")).body != b"waiting for: pods":
            assert time.monotonic() < deadline
        assert answer.status == 503
        assert probes.get("/healthz").status == 200
        assert pages.get("/api/v1/overview").read(Overview).freshness.in_step is False
        server.heal()
        while probes.get("/readyz").status != 200:
            assert time.monotonic() < deadline
        text = probes.get("/metrics").body.decode()
        assert "hetero_dashboard_watchers 0\n" in text
        assert "hetero_scheduler_nodes" not in text
        service.retire()
        assert probes.get("/readyz").body == b"stopping"
    finally:
        server.heal()
        service.stop()
        probes.close()
        pages.close()


def test_nothing_is_written_to_the_api_server(server: ApiServer) -> None:
    """Whatever is looked at."""
    HollowAgents(server, vendors()).deploy()
    with board(server) as there:
        there.until(lambda: there.overview().freshness.reporting == 2)
        manifest = "{kind: Pod, apiVersion: v1, metadata: {name: x}, spec: {containers: [{name: c}]}}"
        there.client.post("/api/v1/plan", {"manifest": manifest})
    assert {call.method for call in server.calls()} == {"GET"}


@pytest.mark.parametrize(
    ("own", "host", "inside", "found"),
    [
        ({}, "127.0.0.1", False, ("none", "proxy")),
        ({}, "127.0.0.1", True, ("token", "direct")),
        ({}, "0.0.0.0", False, ("token", "proxy")),
        ({"auth": "token", "agents": "direct"}, "127.0.0.1", False, ("token", "direct")),
    ],
)
def test_what_is_left_open_is_decided_safely(own: Any, host: str, inside: bool, found: tuple[str, str]) -> None:
    """Nobody logs in on one's own machine alone."""
    assert decided(DashboardSettings(**own), Address(host, 1), inside=inside) == found


def test_pages_without_log_in_are_not_shown_to_others() -> None:
    """Said in one sentence, before anything listens."""
    with pytest.raises(InvalidValue, match="without logging in; write token or proxy, or listen on 127"):
        decided(DashboardSettings(auth="none"), Address("0.0.0.0", 9446), inside=False)


def test_agents_are_looked_for_where_the_dashboard_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is said otherwise."""
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    assert namespace(DashboardSettings()) == "hetero-system"
    monkeypatch.setenv("POD_NAMESPACE", "mine")
    assert namespace(DashboardSettings()) == "mine"
    assert namespace(DashboardSettings(namespace="theirs")) == "theirs"


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"auth": "password"}, "write token, proxy or none"),
        ({"agents": "push"}, "write direct or proxy"),
        ({"requests_per_second": 0}, "greater than 0"),
        ({"api_timeout": float("nan")}, "greater than 0"),
        ({"tls_cert": "x"}, "belong together"),
        ({"auth": "proxy"}, "trusted_proxies is empty"),
        ({"auth": "proxy", "trusted_proxies": ("10.0.0.1", "::/0")}, "::/0 is everybody"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "no address and no network"),
        ({"user_header": "X User"}, "the name of a header"),
    ],
)
def test_settings_that_cannot_be_are_refused(own: Any, words: str) -> None:
    """With what to write instead."""
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"dashboard": own}, Settings)
