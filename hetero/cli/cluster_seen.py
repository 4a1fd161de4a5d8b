"""The cluster that ``hetero top --cluster`` looks at: read once or followed, and its agents asked what is used."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hetero.cli.context import Context
from hetero.errors import ApiError, InvalidValue

if TYPE_CHECKING:
    from hetero.kube.client import Api
    from hetero.monitoring.agents import AgentPod
    from hetero.monitoring.asking import Way
    from hetero.web.scene import Scene

RATE = 200
"""Agents that are asked in a second, by way of the API server."""

PATIENCE = 60.0
"""Seconds for all agents together when everything is looked at once; those of 5,000 nodes take about half."""

ANEW = 15.0
"""Seconds after which the agents' pods are listed again: nodes come and go."""


class Seen:
    """The cluster, and what is used of it.

    Args:
        api: The API server.
        context: Settings and plugins.
        namespace: Where hetero's agents are; empty: where there are any.

    Raises:
        ApiError: The server refused, or did not answer.
        InvalidValue: There are agents in several namespaces.
    """

    def __init__(self, api: Api, context: Context, namespace: str = "") -> None:
        from hetero.monitoring.asking import Relayed
        from hetero.web.state import Following, State

        plugins = context.plugins
        self._api = api
        self._namespace = namespace
        self._state = State(plugins.vendors, context.settings.placement, plugins.scorers.values())
        self._following: Following | None = None
        self._way: Way = Relayed(api)
        self._read()
        self._agents = agents(api, namespace)
        self._listed = time.monotonic()
        self._turn = 0

    def _read(self) -> None:
        from hetero.kube import objects, paths
        from hetero.kube.decoding import Codec
        from hetero.kube.snapshot import snapshot

        state = self._state
        # Nodes first: a pod that is bound meanwhile is charged, and never on a node that is not there yet.
        state.cluster.quotas.replace(snapshot(self._api, paths.QUOTAS, Codec(objects.ResourceQuota))[1])
        state.cluster.nodes.replace(snapshot(self._api, paths.NODES, Codec(objects.Node))[1])
        state.pods.replace(snapshot(self._api, paths.PODS, Codec(objects.Pod))[1])

    def follow(self) -> None:
        """Keep in step from now on, until :meth:`stop`."""
        from hetero.web.state import Following

        self._following = Following(self._state, self._api)
        self._following.start()
        until = time.monotonic() + self._api.timeout
        for informer in self._following.informers.values():
            informer.synced.wait(max(0.0, until - time.monotonic()))

    def stop(self) -> None:
        """End what :meth:`follow` began."""
        if self._following is not None:
            self._following.stop()

    def scene(self) -> Scene:
        """As it is now."""
        return self._state.scene()

    def lacks(self, namespace: str) -> bool:
        """Whether the API server says that there is no such namespace; one who may not ask does not know."""
        from hetero.kube import paths

        try:
            self._api.get(paths.namespace(namespace))
        except ApiError as error:
            return error.status == 404
        return False

    def ask(self, nodes: Iterable[str]) -> None:
        """Ask the agents of these nodes, all of them."""
        wanted = set(nodes)
        self._asked(wanted, [one for one in self._agents if one.node in wanted], PATIENCE)

    def ask_on(self, first: Iterable[str], seconds: float) -> None:
        """Ask the agents of some nodes, and of the others as many as their turn has come in this time.

        Args:
            first: Nodes that somebody looks at.
            seconds: Between two calls of this.
        """
        if time.monotonic() - self._listed > ANEW:
            self._agents, self._listed = agents(self._api, self._namespace), time.monotonic()
        wanted = set(first)
        others = [one for one in self._agents if one.node not in wanted]
        count = min(len(others), max(1, int(RATE * seconds) - len(wanted)))
        turn = [others[(self._turn + place) % len(others)] for place in range(count)]
        self._turn += count
        looked = [one for one in self._agents if one.node in wanted]
        self._asked(wanted | {one.node for one in turn}, [*looked, *turn], max(1.0, seconds))
        every = len(self._agents) / RATE + seconds
        self._state.reports.expire(self._state.clock() - max(3 * every, 10.0))

    def _asked(self, nodes: set[str], pods: Iterable[AgentPod], seconds: float) -> None:
        from hetero.monitoring.asking import ask_all

        asked = ask_all(self._way, pods, seconds=seconds)
        now = self._state.clock()
        for node, report in asked.reports.items():
            self._state.reports.put(node, report, now)
        for node, problem in asked.problems.items():
            self._state.reports.fail(node, problem)
        for node in nodes - {one.node for one in self._agents}:
            self._state.reports.fail(node, "no agent of hetero runs on it, or its pod is in another namespace")


def agents(api: Api, namespace: str = "") -> list[AgentPod]:
    """The agents' pods.

    Anybody may label a pod like an agent's, so only those of one namespace are believed.

    Args:
        api: The API server.
        namespace: Where they are; empty: the only one that has any.

    Raises:
        InvalidValue: Several namespaces have such pods.
    """
    from hetero.kube import paths
    from hetero.kube.decoding import Codec
    from hetero.kube.snapshot import snapshot
    from hetero.monitoring.agents import QUERY, AgentPod

    path = paths.pods(namespace) if namespace else paths.PODS
    _, found = snapshot(api, path, Codec(AgentPod), QUERY)
    places = sorted({one.metadata.namespace for one in found})
    if len(places) > 1:
        reason = "are all namespaces with pods that are labelled as agents; name the one that hetero is installed in"
        raise InvalidValue("--agents", ", ".join(places), reason)
    return found
