"""Agents are asked at their addresses or by way of the API server; who does not answer holds up nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec
import pytest

from hetero.errors import AgentError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.monitoring import agents
from hetero.monitoring.agents import AgentPod
from hetero.monitoring.asking import Asked, Direct, Relayed, Way, ask_all
from hetero.monitoring.report import DeviceReport, NodeReport
from hetero.testing.apiserver import ApiServer, Proxied
from hetero.testing.apiserver.refusals import refused
from hetero.testing.apiserver.wire import Answer, Listener, Request

REPORT = NodeReport(node="a", time=5.0, devices=(DeviceReport(uuid="fake-0", vendor="fake", model="F"),))
BODY = msgspec.json.encode(REPORT)


def pod(node: str = "a", name: str = "", address: str = "127.0.0.1", phase: str = "Running") -> AgentPod:
    """An agent's pod."""
    shown = {
        "metadata": {"name": name or f"agent-{node}", "namespace": "hetero-system"},
        "spec": {"nodeName": node},
        "status": {"phase": phase, "podIP": address},
    }
    return msgspec.convert(shown, AgentPod)


PATIENT = 60.0
"""Seconds for an answer that comes."""


class Listen(Protocol):
    """Starts an agent, and gives who asks it for so many seconds."""

    def __call__(self, respond: Callable[[Request], Answer | None], seconds: float = PATIENT) -> Direct: ...


@pytest.fixture
def listen() -> Iterator[Listen]:
    """An agent on loopback that answers as the test says; gives who asks it."""
    opened: list[Any] = []

    def start(respond: Callable[[Request], Answer | None], seconds: float = PATIENT) -> Direct:
        listener = Listener(respond)
        way = Direct(seconds=seconds, port=listener.port)
        opened.extend((way, listener))
        return way

    yield start
    for one in opened:
        one.close()


def _reason(way: Way, agent: AgentPod) -> str:
    with pytest.raises(AgentError) as caught:
        way.ask(agent)
    assert caught.value.node == agent.node
    return caught.value.reason


def test_an_agent_is_asked_at_its_address(listen: Listen) -> None:
    """For ``/usage``, again and again."""
    seen = []

    def respond(request: Request) -> Answer:
        seen.append(request.target)
        return Answer(body=BODY)

    way = listen(respond)
    assert [way.ask(pod()), way.ask(pod())] == [REPORT, REPORT]
    assert seen == ["/usage", "/usage"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "broke off in the middle of its answer"),
        (Answer(404, b"no"), "answered 404: its release may be an older one"),
        (Answer(body=b"ok"), "is no report"),
        (Answer(302, headers={"Location": "http://127.0.0.1:1/"}), "answered 302"),
    ],
)
def test_a_wrong_answer_is_a_sentence(listen: Listen, answer: Answer | None, said: str) -> None:
    """Nothing is asked elsewhere because an agent says so."""
    assert said in _reason(listen(lambda _: answer), pod())


def test_a_long_answer_is_given_up(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it fills the memory of who asks."""
    monkeypatch.setattr(agents, "MOST", 1 << 17)
    endless = (b"x" * 4096 for _ in iter(int, 1))
    assert "longer than 131072 bytes" in _reason(listen(lambda _: Answer(stream=endless)), pod())


def test_a_slow_answer_is_given_up(listen: Listen) -> None:
    """One that does not begin, and one that goes on a little at a time."""
    going = threading.Event()

    def drip() -> Iterator[bytes]:
        while not going.wait(0.05):
            yield b" " * 70_000

    assert "did not answer in time" in _reason(listen(lambda _: Answer(stream=drip()), 0.5), pod())
    going.set()


def test_nobody_listens(listen: Listen) -> None:
    """The address is there, and no agent at it."""
    way = listen(lambda _: None)
    assert "cannot be reached" in _reason(Direct(PATIENT, 1), pod())
    assert "does not run (Pending)" in _reason(way, pod(phase="Pending"))


@pytest.fixture
def relayed(api_server: ApiServer, api: Api) -> Relayed:
    """By way of an API server that has the agent's pod."""
    api_server.put(paths.PODS, msgspec.to_builtins(pod()))
    return Relayed(api, PATIENT)


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    """A server that runs."""
    with ApiServer() as running:
        yield running


@pytest.fixture
def api(api_server: ApiServer) -> Iterator[Api]:
    """A client of it."""
    client = api_server.api()
    yield client
    client.close()


def test_an_agent_is_asked_by_way_of_the_api_server(api_server: ApiServer, relayed: Relayed) -> None:
    """At its port and path."""
    seen = []

    def serve(asked: Proxied) -> bytes:
        seen.append(asked)
        return BODY

    api_server.proxy(serve)
    assert relayed.ask(pod()) == REPORT
    assert seen == [Proxied("hetero-system", "agent-a", "9445", "/usage")]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "ask for the right to get pods/proxy in namespace hetero-system"),
        (404, "gone, or of a release that reports nothing yet"),
        (503, "its agent cannot be reached: "),
        (0, "the API server did not answer, Disconnected"),
    ],
)
def test_what_the_api_server_says_is_told(api_server: ApiServer, relayed: Relayed, status: int, said: str) -> None:
    """In words about the agent, and what to do."""
    api_server.fail(status, path_contains="/proxy/")
    assert said in _reason(relayed, pod())


def test_what_an_agent_says_by_the_api_server_is_told(api_server: ApiServer, relayed: Relayed) -> None:
    """Without the path of the request."""

    def serve(_: Proxied) -> bytes:
        raise refused(503, "the drivers are not looked at yet")

    api_server.proxy(serve)
    assert _reason(relayed, pod()) == "its agent cannot be reached: the drivers are not looked at yet"


class Fixed:
    """A way on which some answer, some refuse and some never come back."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def ask(self, agent: AgentPod) -> NodeReport:
        """By the name of the node."""
        if agent.metadata.name == "stuck":
            self.over.wait(PATIENT)
        if agent.node == "bad":
            raise AgentError("bad", "is broken")
        return NodeReport(node=agent.node, time=float(len(agent.metadata.name)))


def test_all_are_asked() -> None:
    """Reports by node, those of one node as one, and a sentence for each that has none."""
    pods = [pod("a", "one"), pod("a", "another"), pod("b"), pod("bad"), pod("")]
    found = ask_all(Fixed(), pods)
    assert {node: report.time for node, report in found.reports.items()} == {"a": 3.0, "b": 7.0}
    assert found.problems == {"bad": "is broken"}
    assert ask_all(Fixed(), []) == Asked()


def test_one_that_hangs_holds_up_nobody() -> None:
    """What the others answered is there; of its node what another agent knows."""
    way = Fixed()
    pods = [pod("a", "stuck"), pod("a", "well"), pod("b")]
    found = ask_all(way, pods, seconds=0.2)
    way.over.set()
    assert set(found.reports) == {"a", "b"}
    assert found.problems == {"a": "its agent was not heard of within 0.2 s"}
