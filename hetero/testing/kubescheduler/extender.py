"""An extender as kube-scheduler calls it: four verbs of HTTP, names of nodes rather than nodes.

Source: kube-scheduler's extender/v1 types and pkg/scheduler/extender.go of Kubernetes 1.36; keys are Go's names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import urllib3

from hetero.errors import HeteroError
from hetero.testing.kubescheduler.records import Whole, asked_names


class ExtenderFailed(HeteroError):
    """The extender did not answer, or answered with an error."""


class Filtered(NamedTuple):
    """What a filter says: the nodes that fit, and the others with their reasons."""

    fits: list[str]
    failed: dict[str, str]
    unresolvable: dict[str, str]


class Extender:
    """Client of one extender. Thread-safe.

    Args:
        url: ``urlPrefix`` of the configuration.
        managed: Resources whose pods the extender is asked about; empty for all pods.
        ignored: Those of them that kube-scheduler's own totals leave out.
        timeout: Seconds, ``httpTimeout``.
        connections: How many are kept open.
    """

    def __init__(
        self,
        url: str,
        managed: Iterable[str] = (),
        ignored: Iterable[str] = (),
        *,
        timeout: float = 5.0,
        connections: int = 32,
    ) -> None:
        self.url = url.rstrip("/")
        self.managed = frozenset(managed)
        self.ignored = frozenset(ignored)
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            timeout=urllib3.Timeout(timeout),
            retries=False,
            headers={"Content-Type": "application/json"},
        )

    def interested(self, pod: Whole) -> bool:
        """True when the pod names a resource of the extender's."""
        return not self.managed or not self.managed.isdisjoint(asked_names(pod))

    def filter(self, pod: Whole, names: Sequence[str]) -> Filtered:
        """Which of the nodes fit.

        Raises:
            ExtenderFailed: It did not say, or named a node that it was not asked about.
        """
        answer = self._send("filter", {"Pod": pod, "Nodes": None, "NodeNames": names})
        if answer.get("Error"):
            raise ExtenderFailed(answer["Error"])
        fits = answer.get("NodeNames") or []
        if strangers := set(fits) - set(names):
            raise ExtenderFailed(f"it names {', '.join(sorted(strangers))}, which was not in the list of nodes")
        return Filtered(fits, answer.get("FailedNodes") or {}, answer.get("FailedAndUnresolvableNodes") or {})

    def prioritize(self, pod: Whole, names: Sequence[str]) -> dict[str, int]:
        """The score of each node, from 0 to 10; of none when the extender fails, as kube-scheduler has it."""
        try:
            answer = self._send("prioritize", {"Pod": pod, "Nodes": None, "NodeNames": names})
        except ExtenderFailed:
            return {}
        return {row["Host"]: row["Score"] for row in answer}

    def bind(self, pod: Whole, node: str) -> None:
        """Bind a pod to a node.

        Raises:
            ExtenderFailed: It could not, or nobody knows.
        """
        who = pod.metadata
        named = {"PodName": who.name, "PodNamespace": who.namespace, "PodUID": who.uid, "Node": node}
        if error := self._send("bind", named).get("Error"):
            raise ExtenderFailed(error)

    def _send(self, verb: str, document: Mapping[str, Any]) -> Any:
        try:
            answer = self._pool.request("POST", f"{self.url}/{verb}", body=msgspec.json.encode(document))
            if answer.status == 200:
                return msgspec.json.decode(answer.data)
        except (urllib3.exceptions.HTTPError, msgspec.DecodeError) as error:
            raise ExtenderFailed(f"{verb}: {error}") from error
        raise ExtenderFailed(f"{verb}: answered with code {answer.status}")
