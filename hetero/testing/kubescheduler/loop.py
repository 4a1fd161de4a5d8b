"""The loop: one pod at a time is given a node, and bound by other threads while the next one is looked at."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Self

import msgspec

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.kube.informer import Informer
from hetero.log import logger
from hetero.testing.kubescheduler.extender import Extender, ExtenderFailed
from hetero.testing.kubescheduler.fitting import obstacle
from hetero.testing.kubescheduler.queue import Queue
from hetero.testing.kubescheduler.records import Amounts, Whole, requests
from hetero.testing.kubescheduler.totals import Totals

_log = logger("testing")

_IDLE = 0.5
"""Seconds after which a loop with nothing to do looks whether it shall end."""


class KubeScheduler:
    """A scheduler of an API server's pods, in threads of its own from ``with`` to its end.

    Args:
        api: The API server.
        extender: Who is asked about pods with devices, and binds them.
        name: Pods with this ``schedulerName`` are its business.
        binders: How many binds run at once.
        seed: Of the choice among nodes of equal score.
    """

    def __init__(
        self,
        api: Api,
        extender: Extender,
        *,
        name: str = "hetero-scheduler",
        binders: int = 16,
        seed: int = 0,
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self._api = api
        self._extender = extender
        self._name = name
        self._random = random.Random(seed)  # noqa: S311 — a test repeats what it did
        self._changed = threading.Condition()
        self._queue = Queue()
        self._pending: dict[str, Whole] = {}
        self._totals = Totals()
        self._binders = ThreadPoolExecutor(binders, "binder")
        self._events = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="kube-scheduler", daemon=True)
        self._informers = (
            Informer(api, paths.NODES, Whole, _Told(self._nodes_replaced, self._node_put, self._node_gone)),
            Informer(api, paths.PODS, Whole, _Told(self._pods_replaced, self._pod_put, self._pod_gone)),
        )

    def __enter__(self) -> Self:
        for informer in self._informers:
            informer.start()
        for informer in self._informers:
            informer.synced.wait(30)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        self._binders.shutdown()
        for informer in self._informers:
            informer.stop()

    def knows(self, nodes: int) -> bool:
        """True when it has heard of so many nodes: its watches of nodes and of pods are two."""
        with self._changed:
            return len(self._totals) >= nodes

    # --- what the API server says ---

    def _nodes_replaced(self, nodes: list[Whole]) -> None:
        with self._changed:
            self._totals.replace_nodes(nodes)
            self._wake()

    def _node_put(self, node: Whole) -> None:
        with self._changed:
            self._totals.put_node(node)
            self._wake()

    def _node_gone(self, node: Whole) -> None:
        with self._changed:
            self._totals.remove_node(node.name)
            self._wake()

    def _pods_replaced(self, pods: list[Whole]) -> None:
        with self._changed:
            there = {pod.metadata.uid for pod in pods}
            for uid in self._totals.held() | set(self._pending):
                if uid not in there:
                    self._forget(uid)
            for pod in pods:
                self._see(pod)
            self._wake()

    def _pod_put(self, pod: Whole) -> None:
        with self._changed:
            before = self._pending.get(pod.metadata.uid)
            self._see(pod)
            # A pod that waits, and be it told so once more, makes no room for another.
            if pod.node or pod.over:
                self._wake()
            elif before is not None and _said(before) != _said(pod):
                self._events += 1  # it may be the one that is looked at
                self._queue.changed(pod.metadata.uid, time.monotonic())
            self._changed.notify_all()

    def _pod_gone(self, pod: Whole) -> None:
        with self._changed:
            self._forget(pod.metadata.uid)
            self._wake()

    def _see(self, pod: Whole) -> None:
        uid = pod.metadata.uid
        if pod.over:
            self._forget(uid)
        elif pod.node:
            self._pending.pop(uid, None)
            self._queue.remove(uid)
            self._totals.hold(uid, pod.node, self._wanted(pod))
        elif pod.spec.get("schedulerName") == self._name and not pod.metadata.deletion_timestamp:
            self._pending[uid] = pod
            self._queue.add(uid, pod.spec.get("priority") or 0)

    def _forget(self, uid: str) -> None:
        self._pending.pop(uid, None)
        self._queue.remove(uid)
        self._totals.release(uid)

    def _wake(self) -> None:
        self._events += 1
        self._queue.wake(time.monotonic())
        self._changed.notify_all()

    def _wanted(self, pod: Whole) -> Amounts:
        return {name: value for name, value in requests(pod).items() if name not in self._extender.ignored}

    # --- one pod after another ---

    def _run(self) -> None:
        while (pod := self._next()) is not None:
            try:
                self._place(pod)
            except ExtenderFailed as error:
                self._failed(pod, "filter", error)

    def _next(self) -> Whole | None:
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                uid = self._queue.next(now)
                if uid is not None and uid in self._pending:
                    return self._pending[uid]
                if uid is None:
                    self._changed.wait(min(self._queue.due(now), _IDLE))
            return None

    def _place(self, pod: Whole) -> None:
        began = self._events
        asks = self._extender.interested(pod)
        names, reasons = self._fitting(pod)
        if names and asks:
            filtered = self._extender.filter(pod, names)
            names = filtered.fits
            reasons.update(filtered.failed.values())
            reasons.update(filtered.unresolvable.values())
        if not names:
            self._unschedulable(pod, reasons, began)
            return
        scores = self._extender.prioritize(pod, names) if asks and len(names) > 1 else {}
        best = max(scores.get(name, 0) for name in names)
        node = self._random.choice([name for name in names if scores.get(name, 0) == best])
        with self._changed:
            if pod.metadata.uid not in self._pending:
                return  # bound or gone while it was looked at
            self._totals.hold(pod.metadata.uid, node, self._wanted(pod))
        self._binders.submit(self._bind, pod, node, asks)

    def _fitting(self, pod: Whole) -> tuple[list[str], Counter[str]]:
        wanted = self._wanted(pod)
        names, reasons = [], Counter[str]()
        with self._changed:
            for node, free in self._totals.nodes():
                if reason := obstacle(pod, node, wanted, free):
                    reasons[reason] += 1
                else:
                    names.append(node.name)
        return names, reasons

    def _bind(self, pod: Whole, node: str, by_extender: bool) -> None:
        try:
            if by_extender:
                self._extender.bind(pod, node)
            else:
                self._bind_plain(pod, node)
            self.outcomes["bound"] += 1
        except (ExtenderFailed, ApiError) as error:
            self._failed(pod, "bind", error)

    def _bind_plain(self, pod: Whole, node: str) -> None:
        who = pod.metadata
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": who.name, "namespace": who.namespace, "uid": who.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        self._api.post(paths.binding(who.namespace, who.name), msgspec.json.encode(body))

    def _failed(self, pod: Whole, step: str, error: Exception) -> None:
        """Give back what was assumed, and try again after a while; unless the bind was seen to have happened."""
        self.outcomes[f"{step} failed"] += 1
        _log.debug("will try again", step=step, pod=pod.name, error=str(error))
        uid = pod.metadata.uid
        with self._changed:
            if uid in self._pending:
                self._totals.release(uid)
                self._queue.later(uid, time.monotonic())
                self._changed.notify_all()

    def _unschedulable(self, pod: Whole, reasons: Counter[str], began: int) -> None:
        """Say why, and wait for a change; one that came while the pod was looked at counts as well."""
        self.outcomes["unschedulable"] += 1
        told = "; ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        message = f"0/{len(self._totals)} nodes are available: {told}."
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        with self._changed:
            self._queue.shelve(pod.metadata.uid)
            if self._events != began:
                self._queue.wake(time.monotonic())
        # It may be gone by now, and whoever reads the condition reads the next one.
        with suppress(ApiError):
            path = f"{paths.pod(pod.metadata.namespace, pod.name)}/status"
            self._api.patch(path, msgspec.json.encode({"status": {"conditions": [condition]}}))


def _said(pod: Whole) -> tuple[object, ...]:
    """What a change of makes kube-scheduler look at a pod again; its status is not part of that."""
    return pod.metadata.annotations, pod.metadata.labels, pod.spec


class _Told:
    """An informer's handler made of three functions."""

    def __init__(
        self,
        replace: Callable[[list[Whole]], None],
        put: Callable[[Whole], None],
        remove: Callable[[Whole], None],
    ) -> None:
        self.replace: Any = replace
        self.put: Any = put
        self.remove: Any = remove
