"""The cluster as the dashboard follows it: a ledger of its own, and scenes of it.

The API server may go away: what was read stays, is shown with its age, and is followed again when the server is back.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import numpy as np

from hetero import log
from hetero.config import PlacementSettings
from hetero.kube import objects, paths
from hetero.kube.client import Api
from hetero.kube.informer import SILENCE, Informer
from hetero.placement import Scorer
from hetero.placement.quota import Use
from hetero.placement.standing import Standing
from hetero.scheduler.cluster import Cluster
from hetero.vendor import Vendor
from hetero.web.known import Reports
from hetero.web.pods import Pods
from hetero.web.reasons import Reasons
from hetero.web.records import Freshness
from hetero.web.scene import Scene, counted, without_limit

_log = log.logger("dashboard")

BETWEEN = 3.0
"""Seconds that a watch may be away before the cluster is called out of step: it ends and begins again at times."""


class State:
    """What is known of a cluster.

    Args:
        vendors: The installed vendors by name.
        placement: The planner's defaults, which are the scheduler's.
        scorers: The plugins' say.
        clock: The time, seconds since 1970.

    Attributes:
        cluster: The ledger.
        pods: Handler for pods.
        reports: What the agents say.
        reasons: Why pods wait.
        following: Says whether the cluster is followed, and when it was last heard of; of a cluster that is filled by
            hand always, and now.
    """

    def __init__(
        self,
        vendors: Mapping[str, Vendor],
        placement: PlacementSettings = PlacementSettings(),  # noqa: B008 — frozen
        scorers: Iterable[Scorer] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = Cluster(vendors, placement, scorers)
        self.pods = Pods(self.cluster)
        self.reports = Reports()
        self.reasons = Reasons(self.cluster, self._promised)
        self.clock = clock
        self.following: Callable[[], tuple[bool, float]] = lambda: (True, clock())
        self._standing: Standing | None = None
        self._copied: tuple[Hashable, dict[str, Any]] = (None, {})
        self._scene: tuple[Hashable, Scene | None] = (None, None)

    def revision(self) -> Hashable:
        """Changes with every change of the ledger, the quotas and the pods."""
        with self.cluster.lock:
            return self._promised(), self.pods.revision

    def _promised(self) -> Hashable:
        """Changes with what is promised and allowed: all that the planner's answers hang on."""
        with self.cluster.lock:
            self._standing = self.cluster.planner.standing(self._standing)
            return self._standing.version, self.cluster.books.loosened

    def stamp(self) -> Hashable:
        """Changes with everything that a page could show, but the age of it."""
        return self.revision(), self.reports.revision, self.following()[0], self.reasons.late

    def scene(self) -> Scene:
        """As it is now; the lock is held for a few milliseconds at most. Not for several threads at once."""
        with self.cluster.lock:
            revision = self.revision()
            assert self._standing is not None  # noqa: S101 — by the line above
            standing = self._standing
            if self._copied[0] != revision:
                self._copied = revision, self._copy()
        copied = self._copied[1]
        if "slices" not in copied:
            copied["slices"] = counted(standing.shape, copied["on_card"])
            copied["unlimited"] = without_limit(standing.shape, copied["on_card"])
        known = self.reports.known(standing.shape)
        key, before = self._scene
        if before is None or before.known is not known or key != revision:
            vendors = self.cluster.vendors
            made = {"standing": standing, "known": known, "vendors": vendors, "reason": self.reasons}
            before = Scene(**made, **copied, freshness=self._freshness(known.times))  # type: ignore[arg-type]
            self._scene = revision, before
        return _aged(before, self._freshness(known.times))

    def _copy(self) -> dict[str, Any]:
        uses: list[Use] = self.cluster.planner.quotas_in_use()
        return {"pods": dict(self.pods.kept), "on_card": dict(self.pods.on_card), "quotas": tuple(uses)}

    def _freshness(self, times: Any) -> Freshness:
        now, (in_step, heard) = self.clock(), self.following()
        reported = times[~np.isnan(times)]
        return Freshness(
            time=now,
            in_step=in_step,
            heard=heard,
            nodes=len(self.cluster.nodes),
            reporting=int(reported.size),
            oldest=max(now - float(reported.min()), 0.0) if reported.size else None,
        )


def _aged(scene: Scene, freshness: Freshness) -> Scene:
    """The same scene at another time, with what was computed of it already."""
    aged = copy.copy(scene)
    object.__setattr__(aged, "freshness", freshness)
    return aged


class Following:
    """Informers that keep a state in step.

    Args:
        state: What is kept.
        api: The API server.
    """

    def __init__(self, state: State, api: Api) -> None:
        self._state = state
        self.informers: dict[str, Informer[Any]] = {
            "nodes": Informer(api, paths.NODES, objects.Node, state.cluster.nodes, packed=True),
            "pods": Informer(api, paths.PODS, objects.Pod, state.pods, packed=True),
            "resource quotas": Informer(api, paths.QUOTAS, objects.ResourceQuota, state.cluster.quotas),
        }
        state.following = self.following

    def start(self) -> None:
        """Begin to follow."""
        for informer in self.informers.values():
            informer.start()

    def stop(self) -> None:
        """End all threads."""
        for informer in self.informers.values():
            informer.stop()

    def waiting(self) -> str:
        """What has not been read yet; empty when everything has."""
        unread = [name for name, informer in self.informers.items() if not informer.synced.is_set()]
        return f"waiting for: {', '.join(unread)}" if unread else ""

    def nodes(self) -> list[str]:
        """Names of the nodes with devices."""
        with self._state.cluster.lock:
            return self._state.cluster.planner.names()

    def following(self) -> tuple[bool, float]:
        """Whether every collection is followed, and when the server was last heard of, seconds since 1970."""
        now = time.monotonic()
        ages = [now - informer.heard for informer in self.informers.values() if informer.synced.is_set()]
        if len(ages) < len(self.informers):
            return False, self._state.clock() - min(ages, default=now)
        apart = max(informer.apart for informer in self.informers.values())
        return apart < BETWEEN and max(ages) < SILENCE, self._state.clock() - min(ages)
