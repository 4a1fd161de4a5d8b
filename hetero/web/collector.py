"""Asks the agents of the nodes what is used, within a budget, and keeps the answers for as long as they are true."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from hetero import log, metrics
from hetero.errors import AgentError
from hetero.kube import objects
from hetero.monitoring.agents import AgentPod, merged
from hetero.monitoring.asking import Way
from hetero.monitoring.report import NodeReport
from hetero.web import records
from hetero.web.known import Reports
from hetero.web.turns import SELDOM, Turns

_log = log.logger("dashboard")

THREADS = 24
"""That ask at once: some may wait for an agent that does not answer."""

SECONDS = 3.0
"""That an agent has for its answer."""

LOOK = 0.05
"""Seconds between two looks whose turn it is."""

TIDY = 2.0
"""Seconds between two looks for what is too old, and for nodes that came or went; more while nobody looks."""

NO_AGENT = "no agent of hetero runs on it"


class Agents:
    """Handler of an informer of the agents' pods."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pods: dict[str, AgentPod] = {}

    def replace(self, items: Collection[AgentPod]) -> None:
        """These are all."""
        with self._lock:
            self._pods = {item.metadata.uid: _lean(item) for item in items}

    def put(self, item: AgentPod) -> None:
        """One is new or has changed."""
        with self._lock:
            self._pods[item.metadata.uid] = _lean(item)

    def remove(self, item: AgentPod) -> None:
        """One is gone."""
        with self._lock:
            self._pods.pop(item.metadata.uid, None)

    def by_node(self) -> dict[str, list[AgentPod]]:
        """Node to the agents on it, always in the same order."""
        found: dict[str, list[AgentPod]] = {}
        with self._lock:
            pods = sorted(self._pods.values(), key=lambda pod: pod.metadata.name)
        for pod in pods:
            if pod.node:
                found.setdefault(pod.node, []).append(pod)
        return found


class Collector:
    """Keeps reports fresh, in threads of its own.

    Args:
        agents: Where they are.
        way: How to reach them.
        reports: Where their answers go.
        nodes: Names of the nodes that are shown.
        rate: Questions in a second.
        clock: Seconds since 1970, for the age of what is known.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what it connects
        self,
        agents: Agents,
        way: Way,
        reports: Reports,
        nodes: Callable[[], Iterable[str]],
        rate: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._agents = agents
        self._way = way
        self._reports = reports
        self._nodes = nodes
        self._clock = clock
        self._turns = Turns(rate)
        self._lock = threading.Lock()
        self._by_node: dict[str, list[AgentPod]] = {}
        self._tidied = float("-inf")
        self._stopping = threading.Event()
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="ask")
        self._free = THREADS
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask nobody any more; answers under way are not waited for."""
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._thread.is_alive():
            self._thread.join(LOOK * 20)

    def seen(self, record: records.Record) -> None:
        """Somebody looks at a page."""
        with self._lock:
            self._turns.look(nodes_of(record), time.monotonic())

    def look(self) -> None:
        """Ask whose turn it is; forget what is too old."""
        now = time.monotonic()
        with self._lock:
            pause = TIDY * (SELDOM if self._turns.idle(now) else 1.0)
        if now - self._tidied >= pause:
            self._tidied = now
            self._tidy(now)
        with self._lock:
            chosen = self._turns.next(now, self._free)
            self._free -= len(chosen)
        for node in chosen:
            self._executor.submit(self._ask, node)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK):
            try:
                self.look()
            except Exception:  # a defect must not end the thread: everything would grow old without a word
                if not self._stopping.is_set():
                    _log.exception("an unexpected error while agents are asked")

    def _tidy(self, now: float) -> None:
        by_node, shown = self._agents.by_node(), set(self._nodes())
        with self._lock:
            self._by_node = by_node
            self._turns.only(by_node)
            patience = self._turns.patience(now)
        self._reports.only({*by_node, *shown})
        self._reports.expire(self._clock() - patience)
        for node in shown - by_node.keys():
            self._reports.fail(node, NO_AGENT)

    def _ask(self, node: str) -> None:
        well = False
        try:
            well = self._answered(node, self._by_node.get(node, []))
        except Exception:
            _log.exception("an unexpected error while an agent is asked", node=node)
        finally:
            metrics.usage_requests.add("answered" if well else "failed")
            with self._lock:
                self._free += 1
                self._turns.answered(node, well=well)

    def _answered(self, node: str, agents: list[AgentPod]) -> bool:
        parts: list[NodeReport] = []
        problem = "" if agents else NO_AGENT
        for agent in agents:
            try:
                parts.append(self._way.ask(agent))
            except AgentError as error:
                problem = error.reason
        if parts:
            self._reports.put(node, merged(parts), self._clock())
        if problem:
            self._reports.fail(node, problem)
        return not problem


def nodes_of(record: records.Record) -> Iterator[str]:
    """The nodes that a page shows something of."""
    if isinstance(record, records.Nodes):
        yield from (one.name for one in record.items)
    elif isinstance(record, records.NodeDetail):
        yield record.node.name
    elif isinstance(record, records.Overview):
        yield from (one.node for one in record.idle)
    elif isinstance(record, records.Cards | records.Workloads):
        yield from (one.node for one in record.items if one.node)
    elif isinstance(record, records.WorkloadDetail):
        yield from (one.node for one in record.held)


def _lean(pod: AgentPod) -> AgentPod:
    """Without what nobody asks for."""
    named = pod.metadata
    metadata = objects.Metadata(
        name=named.name, namespace=named.namespace, uid=named.uid, deletion_timestamp=named.deletion_timestamp
    )
    return AgentPod(metadata, pod.spec, pod.status)
