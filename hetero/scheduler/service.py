"""The shared scheduler, put together: the cluster followed by informers, the verbs, and the webhook."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from hetero import log, metrics
from hetero.admission.review import Reviewer
from hetero.config import Settings
from hetero.kube import objects, paths
from hetero.kube.client import Api
from hetero.kube.events import Events
from hetero.kube.informer import Informer
from hetero.peer_metrics import Names
from hetero.placement import Scorer
from hetero.scheduler import app, ledger
from hetero.scheduler.binder import Binder
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.drift import Drift
from hetero.scheduler.extender import Extender
from hetero.scheduler.foreign import Foreign
from hetero.scheduler.peers import Source
from hetero.scheduler.posting import Posting
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.scheduler.waking import Waking
from hetero.vendor import Vendor

_log = log.logger("scheduler")

COMPONENT = "hetero-scheduler"

LOOK = 0.5
"""Seconds between two looks at what no event tells of: outcomes that are not known, promises that expire."""


class Service:
    """One scheduler process.

    Args:
        api: The API server.
        vendors: The installed vendors by name.
        scorers: The plugins' say.
        settings: All of them.

    Raises:
        InvalidValue: ``vendors.foreign`` names a vendor that is not installed.

    Attributes:
        cluster: What is decided from.
        extender: The application for kube-scheduler.
        public: The application for the API server.
    """

    def __init__(self, api: Api, vendors: Mapping[str, Vendor], scorers: Iterable[Scorer], settings: Settings) -> None:
        own = settings.scheduler
        self.cluster = Cluster(vendors, settings.placement, scorers, grant_seconds=own.grant_seconds)
        foreign = Foreign(vendors, settings.vendors.foreign, self.cluster.device)
        self._stopping = threading.Event()
        self._events = Events(api, COMPONENT)
        self._informers: dict[str, Informer[Any]] = {
            "nodes": Informer(api, paths.NODES, objects.Node, self.cluster.nodes),
            "pods": Informer(api, paths.PODS, objects.Pod, self.cluster.pods),
            "resource quotas": Informer(api, paths.QUOTAS, objects.ResourceQuota, self.cluster.quotas),
        }
        self._executor = ThreadPoolExecutor(own.bind_threads, thread_name_prefix="bind")
        recent, telling = Recent(), Telling(self._events, success=own.success_events)
        self._binder = Binder(
            self.cluster, recent, Posting(api), telling, self.in_step, annotations=foreign.annotations
        )
        self._waking = Waking(self.cluster, api)
        self._drift = Drift(self.cluster)
        self._looking = threading.Thread(target=self._look, name="look after pods", daemon=True)
        verbs = Extender(self.cluster, recent, telling, self.in_step)
        reviewer = Reviewer(vendors, settings.admission, self.cluster.quota_refusal)
        names = Names(current=settings.metrics.peer_names, legacy=settings.metrics.legacy_names)
        common = app.common(self.waiting, self.measure, more=Source(self.cluster, names).pieces if names else None)
        limit = own.body_mib << 20
        self.extender: Starlette = app.extender(
            app.Verbs(
                verbs.filter, verbs.prioritize, verbs.preempt, app.binding(self._binder.bind), verbs.keep_promise
            ),
            executor=self._executor,
            common=[*common, Route("/ledger", ledger.endpoint(self.cluster))],
            limit=limit,
        )
        self.public: Starlette = app.public(webhook=reviewer.review, common=common, limit=limit)

    def start(self, in_step: Callable[[], None] = lambda: None) -> None:
        """Begin to follow the cluster.

        Args:
            in_step: Called once, by another thread, when the whole cluster has been read.
        """
        self._once_in_step = in_step
        for informer in self._informers.values():
            informer.start()
        self._looking.start()

    def stop(self) -> None:
        """End all threads; Bindings under way are finished first."""
        self._stopping.set()
        self._executor.shutdown(wait=True)
        for informer in self._informers.values():
            informer.stop()
        self._events.stop()

    def retire(self) -> None:
        """Say that no more is taken, before the listeners close."""
        self._stopping.set()

    def in_step(self) -> bool:
        """True when the whole cluster has been read once. It stays so.

        When the API server cannot be reached afterwards, the ledger is the best that there is: pods that go are not
        seen to go, and no device is promised twice.
        """
        synced = all(informer.synced.is_set() for informer in self._informers.values())
        metrics.ready.set(int(synced))
        return synced

    def waiting(self) -> str:
        """What keeps this process from being ready; empty when it is."""
        if self._stopping.is_set():
            return "stopping"
        unread = [name for name, informer in self._informers.items() if not informer.synced.is_set()]
        self.in_step()
        return f"waiting for: {', '.join(unread)}" if unread else ""

    def measure(self) -> None:
        """Bring the gauges up to date."""
        self.cluster.measure()
        for informer in self._informers.values():
            informer.measure()

    def _look(self) -> None:
        while not self.in_step():
            if self._stopping.wait(LOOK):
                return
        self._once_in_step()
        while not self._stopping.wait(LOOK):
            for action in (self._binder.settle, self._waking.look, self._drift.look):
                try:
                    action()
                except Exception:  # a defect must not end the thread: rooms would be kept, and pods wait, for ever
                    _log.exception("an unexpected error", action=action.__qualname__)
