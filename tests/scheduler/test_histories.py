"""Random histories of pods, faults of the API server and restarts: nothing given twice, and nothing left over."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sent import Events, args, shown

from hetero.errors import ApiError
from hetero.kube import objects
from hetero.kube.objects import PodStatus
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.placement import Placement
from hetero.placement.charges import charges
from hetero.scheduler.binder import SETTLED_AFTER, Binder
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.extender import Extender
from hetero.scheduler.posting import Posting
from hetero.scheduler.protocol import BindingArgs
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.testing.fake import MEMORY_MIB, SLOTS_PER_DEVICE, fake_node

NODES = {name: fake_node(name, 1) for name in ("a", "b")}
CAPACITY = {"slots": SLOTS_PER_DEVICE, "memory": MEMORY_MIB, "cores": 100}

UNREACHABLE, TIMEOUT = ApiError(0, "Unreachable", "refused"), ApiError(0, "Timeout", "no answer")
FORBIDDEN, BUSY = ApiError(403, "Forbidden", "no"), ApiError(429, "TooManyRequests", "later", 0.0)


class Server:
    """An API server that fails as it likes: before it does what it is asked, after it, or it does it a minute later."""

    def __init__(self, chance: random.Random, clock: Any) -> None:
        self.chance, self.clock, self.fails = chance, clock, 0.0
        self.pods: dict[str, objects.Pod] = {}
        self.changes: list[tuple[str, objects.Pod]] = []
        self._late: list[tuple[float, str, bytes]] = []

    def put(self, pod: objects.Pod) -> None:
        self.pods[pod.metadata.name] = pod
        self.changes.append(("put", pod))

    def delete(self, name: str) -> None:
        self.changes.append(("remove", self.pods.pop(name)))

    def get(self, path: str) -> bytes:
        if self.chance.random() < self.fails:
            raise self.chance.choice([TIMEOUT, UNREACHABLE])
        return msgspec.json.encode(self._pod(path.rsplit("/", maxsplit=1)[-1]))

    def post(self, path: str, body: bytes) -> bytes:
        name, happens = path.split("/")[-2], self.chance.random() / max(self.fails, 0.001)
        if happens < 0.4:
            raise self.chance.choice([UNREACHABLE, FORBIDDEN, BUSY])
        if happens < 0.7:
            self._late.append((self.clock.now + self.chance.uniform(0, 59), name, body))
            raise TIMEOUT
        self._bind(name, json.loads(body))
        if happens < 1:
            raise TIMEOUT
        return b""

    @property
    def busy(self) -> bool:
        """True while it may yet do what it did not answer."""
        return bool(self._late)

    def work(self) -> None:
        """Do what is late and due."""
        due = [one for one in self._late if one[0] <= self.clock.now]
        self._late = [one for one in self._late if one[0] > self.clock.now]
        for _, name, body in due:
            try:
                self._bind(name, json.loads(body))
            except ApiError:
                continue  # the pod is gone, or has a node

    def _pod(self, name: str) -> objects.Pod:
        if name not in self.pods:
            raise ApiError(404, "NotFound", name)
        return self.pods[name]

    def _bind(self, name: str, binding: dict[str, Any]) -> None:
        pod = self._pod(name)
        if pod.metadata.uid != binding["metadata"]["uid"] or pod.spec.node_name:
            raise ApiError(409, "Conflict", name)
        metadata = msgspec.structs.replace(pod.metadata, annotations=binding["metadata"]["annotations"])
        spec = msgspec.structs.replace(pod.spec, node_name=binding["target"]["name"])
        self.put(msgspec.structs.replace(pod, metadata=metadata, spec=spec))


class History:
    """One scheduler after another beside one server; the informer is late, and kube-scheduler changes its mind."""

    def __init__(self, seed: int, vendors: Any, clock: Any, pod: Any) -> None:
        self.chance, self.clock, self._vendors, self._pod = random.Random(seed), clock, vendors, pod
        self.server, self._made = Server(self.chance, clock), 0
        self._chosen: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        """A new process, which knows what the server shows."""
        self.cluster = Cluster(self._vendors, clock=self.clock, grant_seconds=10)
        self.cluster.nodes.replace(list(map(shown, NODES.values())))
        self.list()
        recent, telling = Recent(), Telling(Events())
        self.extender = Extender(self.cluster, recent, telling, lambda: True)
        self.binder = Binder(self.cluster, recent, Posting(self.server, lambda _: None), telling, lambda: True)

    def list(self) -> None:
        self.cluster.pods.replace(list(self.server.pods.values()))
        self.server.changes.clear()

    def restart(self) -> None:
        """Not while a Binding of the old process is on its way: that is beyond what the new one can know."""
        if not self.server.busy:
            self.start()

    def create(self) -> None:
        self._made += 1
        memory, cores = self.chance.choice([5000, 8192, 16000]), self.chance.choice([None, None, 60, 100])
        self.server.put(self._pod(f"p{self._made}", memory, cores=cores))

    def place(self) -> None:
        pod = self._some(lambda pod: not pod.spec.node_name)
        if pod is None:
            return
        fits = json.loads(self.extender.filter(args(pod, list(NODES))))["NodeNames"]
        if fits:
            best = json.loads(self.extender.prioritize(args(pod, fits)))[0]["Host"]
            self._chosen[pod.metadata.name] = best if self.chance.random() < 0.8 else self.chance.choice(fits)
            self.bind(pod)

    def bind(self, pod: objects.Pod | None = None) -> None:
        pod = pod or self._some(lambda pod: pod.metadata.name in self._chosen)
        if pod is not None:
            name, node = pod.metadata.name, self._chosen[pod.metadata.name]
            binding = BindingArgs(pod_name=name, pod_namespace="default", pod_uid=pod.metadata.uid, node=node)
            said = self.binder.bind(binding)
            assert said or self.server.pods[name].spec.node_name == node

    def hear(self) -> None:
        for _ in range(self.chance.choice([1, 2, 8])):
            if self.server.changes:
                kind, pod = self.server.changes.pop(0)
                getattr(self.cluster.pods, kind)(pod)

    def delete(self) -> None:
        if (pod := self._some(lambda _: True)) is not None:
            self.server.delete(pod.metadata.name)

    def end(self) -> None:
        if (pod := self._some(lambda pod: bool(pod.spec.node_name))) is not None:
            self.server.put(msgspec.structs.replace(pod, status=PodStatus(phase="Succeeded")))

    def turn(self) -> None:
        """The server becomes better or worse."""
        self.server.fails = self.chance.choice([0.0, 0.5])

    def wait(self) -> None:
        self.clock.now += self.chance.choice([0.1, 1, 5, 40])
        self.server.work()

    def settle(self) -> None:
        self.binder.settle()

    def calm(self) -> None:
        """All that was begun comes to its end, and all of it is heard of."""
        self.server.fails = 0.0
        for _ in range(3):
            self.clock.now += SETTLED_AFTER + 10
            self.server.work()
            self.settle()
        self.extender.keep_promise()
        self.clock.now += SETTLED_AFTER
        while self.server.changes:
            self.hear()
        self.cluster.books.expire()

    def held(self) -> dict[str, Placement]:
        """What the pods hold that run, by UID, as the server has it."""
        running = [pod for pod in self.server.pods.values() if pod.spec.node_name and not pod.over]
        return {pod.metadata.uid: wire.decode(pod.metadata.notes[PLACEMENT], Placement) for pod in running}

    def _some(self, which: Callable[[objects.Pod], bool]) -> objects.Pod | None:
        found = [pod for pod in self.server.pods.values() if which(pod)]
        return self.chance.choice(found) if found else None


def taken(held: dict[str, Placement]) -> Counter[tuple[str, str, str]]:
    """Node, device and dimension to what is taken."""
    found: Counter[tuple[str, str, str]] = Counter()
    for placement in held.values():
        for device, amounts in charges(placement).items():
            found.update({(placement.node, device, name): amount for name, amount in amounts.items()})
    return found


@pytest.mark.parametrize("seed", range(40))
def test_no_history_gives_a_device_away_twice_or_keeps_what_nobody_has(vendors, clock, pod, seed: int) -> None:
    """At every moment the API server's own pods fit on their devices; in the end the ledger is theirs, no more."""
    history = History(seed, vendors, clock, pod)
    steps = {
        history.create: 6, history.place: 9, history.bind: 6, history.hear: 6, history.delete: 2, history.end: 2,
        history.turn: 1, history.wait: 3, history.settle: 2, history.list: 1, history.restart: 1,
    }  # fmt: skip
    for step in history.chance.choices(list(steps), list(steps.values()), k=200):
        step()
        assert all(amount <= CAPACITY[name] for (_, _, name), amount in taken(history.held()).items())
    history.calm()
    held, cluster = history.held(), history.cluster
    assert (set(cluster.books.shown()), cluster.books.grants.all()) == (set(held), [])
    used = taken(held)
    for node, devices in cluster.planner.free_quantities().items():
        for device, free in devices.items():
            assert free == {name: CAPACITY[name] - used[node, device, name] for name in free}
