"""Asks agents what is used on their nodes: each at its own address, or by way of the API server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import urllib3
from urllib3.exceptions import HTTPError

from hetero.errors import AgentError, ApiError
from hetero.kube import bounded, failures, paths
from hetero.kube.client import Api
from hetero.monitoring import agents
from hetero.monitoring.agents import AgentPod
from hetero.monitoring.report import PATH, NodeReport

SECONDS = 5.0
"""That an agent has for its answer."""

THREADS = 32
"""That ask at once."""

_WORDS = {
    "Unreachable": "cannot be reached: look whether a network policy keeps it from answering",
    "Timeout": "did not answer in time",
    "Disconnected": "broke off in the middle of its answer",
}


class Way(Protocol):
    """How to reach an agent. For many threads at once."""

    def ask(self, agent: AgentPod) -> NodeReport:
        """What it knows.

        Raises:
            AgentError: It does not run, does not answer, or not with a report.
        """


class Direct:
    """At the addresses of their pods: from within the cluster.

    Args:
        seconds: For an answer.
        port: Where they listen.
    """

    def __init__(self, seconds: float = SECONDS, port: int = agents.PORT) -> None:
        self._seconds = seconds
        self._port = port
        # Few connections are kept: agents are asked one after another, and thousands of idle ones help nobody.
        self._pool = urllib3.PoolManager(num_pools=THREADS, maxsize=1, headers={"User-Agent": "hetero"})

    def ask(self, agent: AgentPod) -> NodeReport:
        """See :class:`Way`."""
        _require(agent)
        timeout = urllib3.Timeout(connect=self._seconds, read=self._seconds)
        try:
            response = self._pool.request(
                "GET", self._url(agent), timeout=timeout, retries=False, redirect=False, preload_content=False
            )
            body = bounded.read(response, agents.MOST, self._seconds)
        except HTTPError as error:
            raise AgentError(agent.node, _unanswered(failures.word(error), str(error))) from error
        if response.status != 200:
            raise AgentError(agent.node, f"its agent answered {response.status}: its release may be an older one")
        return agents.decoded(body, agent.node)

    def close(self) -> None:
        """Give up the connections."""
        self._pool.clear()

    def _url(self, agent: AgentPod) -> str:
        host = f"[{agent.address}]" if ":" in agent.address else agent.address
        return f"http://{host}:{self._port}{PATH}"


class Relayed:
    """By way of the API server, which needs the right to ``get`` the pods' ``proxy``: from anywhere.

    Args:
        api: The server.
        seconds: For an answer.
        port: Where agents listen.
    """

    def __init__(self, api: Api, seconds: float = SECONDS, port: int = agents.PORT) -> None:
        self._api = api
        self._seconds = seconds
        self._port = port

    def ask(self, agent: AgentPod) -> NodeReport:
        """See :class:`Way`."""
        _require(agent)
        named = agent.metadata
        path = paths.relayed(named.namespace, named.name, self._port, PATH)
        try:
            return agents.decoded(self._api.relayed(path, limit=agents.MOST, seconds=self._seconds), agent.node)
        except ApiError as error:
            raise AgentError(agent.node, _refused(error, agent)) from error


@dataclass
class Asked:
    """What came of asking many agents.

    Attributes:
        reports: By node; of a node whose agents did not all answer, what the others know.
        problems: By node: why its use, or some of it, is not known.
    """

    reports: Mapping[str, NodeReport] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


def ask_all(way: Way, pods: Iterable[AgentPod], *, seconds: float = 30.0, threads: int = THREADS) -> Asked:
    """Ask many agents at once. Whoever has not answered after so many seconds is not waited for.

    Args:
        way: How to reach them.
        pods: The agents; those without a node are left out.
        seconds: For all of them together.
        threads: That ask at once.
    """
    until = time.monotonic() + seconds
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ask")
    asked = [(agent, pool.submit(way.ask, agent)) for agent in pods if agent.node]
    found: dict[str, list[NodeReport]] = {}
    problems: dict[str, str] = {}
    try:
        for agent, answer in asked:
            try:
                found.setdefault(agent.node, []).append(_answer(agent, answer, until, seconds))
            except AgentError as error:
                problems[agent.node] = error.reason
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return Asked({node: agents.merged(parts) for node, parts in found.items() if parts}, problems)


def _answer(agent: AgentPod, answer: Future[NodeReport], until: float, seconds: float) -> NodeReport:
    try:
        return answer.result(max(0.0, until - time.monotonic()))
    except TimeoutError:
        raise AgentError(agent.node, f"its agent was not heard of within {seconds:g} s") from None


def _require(agent: AgentPod) -> None:
    if agent.problem:
        raise AgentError(agent.node, agent.problem)


def _unanswered(word: str, detail: str) -> str:
    return f"its agent {_WORDS[word]} ({detail})"


def _refused(error: ApiError, agent: AgentPod) -> str:
    """Why the API server does not give an agent's answer."""
    if error.status == 403:
        return f"you may not reach agents: ask for the right to get pods/proxy in namespace {agent.metadata.namespace}"
    if error.status == 404:
        return "its agent is gone, or of a release that reports nothing yet"
    if error.status == 0:
        return str(error)
    return f"its agent cannot be reached: {error.message.partition(': ')[2] or error.message}"
