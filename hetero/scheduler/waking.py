"""Has kube-scheduler look again at refused pods that fit now, by a change of an annotation of theirs.

Late and rare: kube-scheduler has its own turn first, few pods are woken at once, and each ever more seldom, since what
keeps it may be no device of ours.
Source: Kubernetes, pkg/scheduler/eventhandlers.go, updatePodInSchedulingQueue: a pod that an extender refused is moved
by any update of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from hetero import log, metrics
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.model.annotations import RETRY
from hetero.model.ask import PodAsk
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.refused import Waiting

_log = log.logger("scheduler")

AT_ONCE = 16
"""Pods that are woken at most, each time that is looked."""

KINDS = 16
"""Kinds of pods that are judged at most, each time: one that was not asked for lately costs some 10 ms."""


class Patching(Protocol):
    """As much of an API server as waking needs (:class:`hetero.kube.client.Api`)."""

    def patch(self, path: str, body: bytes) -> bytes:
        """Change what is at a path."""


class Waking:
    """Wakes pods. For one thread that looks every half a second or so.

    Args:
        cluster: Where there may be room.
        server: The API server.
        now: Milliseconds, by the calendar: what is written differs from what any earlier process wrote.
    """

    def __init__(
        self, cluster: Cluster, server: Patching, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._cluster = cluster
        self._server = server
        self._now = now

    def look(self) -> None:
        """Wake those that fit now. Costs something only when there may be more room than before.

        Pods of one kind are judged once, and :data:`KINDS` kinds at most; the lock is held for one at a time. Who does
        not fit is left until there is more room again, who was not judged comes next time.
        """
        cluster = self._cluster
        with cluster.lock:
            cluster.books.expire()
            at = cluster.books.loosened
            due = list(cluster.refused.due(at))
        fits: dict[tuple[PodAsk, int], bool] = {}
        left = AT_ONCE
        for one in due:
            kind = msgspec.structs.replace(one.ask, name="", uid=""), one.priority
            if left and (kind in fits or len(fits) < KINDS):
                left -= self._judge(one, kind, fits, at)

    def _judge(self, one: Waiting, kind: tuple[PodAsk, int], fits: dict[tuple[PodAsk, int], bool], at: int) -> bool:
        """True when the pod was woken."""
        with self._cluster.lock:
            if not self._cluster.refused.waits(one):
                return False
            if kind not in fits:
                fits[kind] = self._fits(one)
            if not fits[kind]:
                one.at = at
                return False
            self._cluster.refused.woken(one, at)
        self._wake(one)
        return True

    def _fits(self, one: Waiting) -> bool:
        nominations = self._cluster.nominations
        best, _ = self._cluster.planner.options(one.ask).top(None, len(nominations) + 1)
        return len(nominations.kept_from(one.ask, one.priority, best)) < len(best)

    def _wake(self, one: Waiting) -> None:
        pod = one.pod
        body = msgspec.json.encode({"metadata": {"uid": pod.uid, "annotations": {RETRY: str(self._now())}}})
        try:
            self._server.patch(paths.pod(pod.namespace, pod.name), body)
        except ApiError as error:
            metrics.woken.add("failed")
            _log.warning("a refused pod could not be woken", pod=f"{pod.namespace}/{pod.name}", reason=str(error))
            if error.status in (404, 409):  # gone, or another pod of its name
                with self._cluster.lock:
                    self._cluster.refused.drop(one.ask.key)
            return
        metrics.woken.add("woken")
        _log.info("a refused pod fits now and is looked at again", pod=f"{pod.namespace}/{pod.name}")
