"""Rounds of pods in a cluster: all of a round are created while kube-scheduler is stopped, then it goes on.

So all of them wait at once, and what is measured is binding, not creating. Who is bound is seen by a watch.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hetero.errors import ApiError
from hetero.kube.client import Api
from hetero.kube.objects import Pod
from hetero.kube.watch import Watch
from tests.bench.objects import Json

PODS = "/api/v1/namespaces/default/pods"
CREATORS = 8
TICKS = 100  # of the kernel's clock per second, as sysconf tells on Linux


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What a round came to.

    Attributes:
        kind: Of its pods.
        pods: How many.
        bound: How many were bound in time.
        seconds: From when kube-scheduler went on until the last was bound.
        cpu_ms: Processor time of each program for a pod.
    """

    kind: str
    pods: int
    bound: int
    seconds: float
    cpu_ms: dict[str, float]

    @property
    def rate(self) -> float:
        """Pods bound per second."""
        return self.bound / self.seconds


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


_events = msgspec.json.Decoder(_Event)
_pods = msgspec.json.Decoder(Pod)


class Bound:
    """Follows who has got a node. Started before the first pod of a round is created.

    Args:
        api: The API server.
        label: A selector that only pods of the round match.
    """

    def __init__(self, api: Api, label: str) -> None:
        self._api, self._label = api, label
        self._closed = False
        self._watch = self._again()
        self._names: set[str] = set()
        self._changed = threading.Condition()
        self.last = 0.0
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def wait(self, count: int, seconds: float) -> int:
        """Wait until so many are bound, or time is up; how many are."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._names) >= count, seconds)
            return len(self._names)

    def close(self) -> None:
        """End the watch."""
        self._closed = True
        self._watch.close()
        self._thread.join(10)

    def _again(self) -> Watch:
        return self._api.watch(PODS, {"labelSelector": self._label})

    def _follow(self) -> None:
        """A watch that ends begins again with all pods as they are: nobody bound meanwhile is missed."""
        while not self._closed:
            try:
                for line in self._watch:
                    self._read(_events.decode(line))
            except ApiError:
                pass
            if not self._closed:
                self._watch = self._again()

    def _read(self, event: _Event) -> None:
        # Cheap first: it shares the processors with what is measured.
        if event.type in ("ADDED", "MODIFIED") and b'"nodeName":' in bytes(event.object):
            self._saw(_pods.decode(event.object).metadata.name)

    def _saw(self, name: str) -> None:
        with self._changed:
            if name not in self._names:
                self._names.add(name)
                self.last = time.perf_counter()
                self._changed.notify_all()


class Rounds:
    """Makes rounds in one cluster.

    Args:
        api: The API server, as somebody who may do everything.
        scheduler: Process id of kube-scheduler.
        programs: Those whose processor time is told, by name.
    """

    def __init__(self, api: Api, scheduler: int, programs: Mapping[str, int]) -> None:
        self._api, self._scheduler, self._programs = api, scheduler, programs
        self._count = 0

    def run(self, kind: str, make: Callable[[str], Json], pods: int, seconds: float = 120.0) -> Round:
        """Create so many pods, let them be bound, and delete them.

        Args:
            kind: What the round is called.
            make: A pod by its name.
            pods: How many.
            seconds: Until those not bound are given up.
        """
        self._count += 1
        label = f"round-{self._count}"
        names = [f"{kind}-{label}-{number}" for number in range(pods)]
        bound = Bound(self._api, f"bench={label}")
        try:
            with self._stopped():
                self._create([_labelled(make(name), label) for name in names])
                before = self._cpu()
            start = time.perf_counter()
            done = bound.wait(pods, seconds)
            cpu = {name: (spent - before[name]) * 1000 / max(done, 1) for name, spent in self._cpu().items()}
            return Round(kind=kind, pods=pods, bound=done, seconds=max(bound.last - start, 0.001), cpu_ms=cpu)
        finally:
            bound.close()
            self._delete(names)

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        os.kill(self._scheduler, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._scheduler, signal.SIGCONT)

    def _create(self, pods: Sequence[Json]) -> None:
        with ThreadPoolExecutor(CREATORS) as threads:
            list(threads.map(lambda pod: self._api.post(PODS, msgspec.json.encode(pod)), pods))

    def _delete(self, names: Sequence[str]) -> None:
        with ThreadPoolExecutor(CREATORS) as threads:
            list(threads.map(lambda name: self._api.delete(f"{PODS}/{name}", b'{"gracePeriodSeconds":0}'), names))

    def _cpu(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._programs.items()}


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has had, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _labelled(pod: Json, label: str) -> Json:
    pod["metadata"].setdefault("labels", {})["bench"] = label
    return pod
