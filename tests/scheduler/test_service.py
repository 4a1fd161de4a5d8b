"""The service as a whole, at an API server in memory: over HTTP, with informers, through restarts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import serving
from sent import args, in_full, shown

from hetero import metrics
from hetero.config import SchedulerSettings, Settings, VendorSettings
from hetero.errors import InvalidValue
from hetero.kube import objects, paths
from hetero.model import wire
from hetero.model.allocation import Grant
from hetero.model.annotations import PLACEMENT
from hetero.model.device import MEMORY
from hetero.model.placement import Placement
from hetero.scheduler.service import Service
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import MEMORY_MIB, FakeSplitting, fake_node

SETTINGS = Settings(scheduler=SchedulerSettings(success_events=True))


class Running:
    """A service and a kube-scheduler's view of it."""

    def __init__(self, service: Service, served: serving.Served, server: ApiServer) -> None:
        self.service, self.served, self.server = service, served, server

    def ask(self, path: str, body: bytes) -> Any:
        status, _, answer = self.served.post(path, body)
        assert status == 200, answer
        return json.loads(answer)

    def schedule(self, name: str) -> str:
        """Filter, prioritize and bind as kube-scheduler does; the node, or empty."""
        pod = self.pod(name)
        names = [one["metadata"]["name"] for one in self.server.objects(paths.NODES)]
        body = {"Pod": pod, "NodeNames": names}
        fits = self.ask("/filter", msgspec.json.encode(body))["NodeNames"]
        if not fits:
            return ""
        scores = self.ask("/prioritize", msgspec.json.encode({**body, "NodeNames": fits}))
        node = max(scores, key=lambda one: one["Score"])["Host"] if len(fits) > 1 else fits[0]
        return node if not self.bind(name, node) else ""

    def bind(self, name: str, node: str) -> str:
        uid = self.pod(name)["metadata"]["uid"]
        binding = {"PodName": name, "PodNamespace": "default", "PodUID": uid, "Node": node}
        return self.ask("/bind", json.dumps(binding).encode())["Error"]

    def pod(self, name: str) -> dict[str, Any]:
        return json.loads(self.server.api().get(paths.pod("default", name)))

    def ledger(self) -> dict[str, Any]:
        return json.loads(self.served.get("/ledger")[2])

    def held(self) -> set[str]:
        """Names of the pods that the cluster shows with devices."""
        return {one["pod"] for one in self.ledger()["pods"].values()}


@contextmanager
def running(server: ApiServer, vendors, settings: Settings = SETTINGS) -> Iterator[Running]:
    """Follow a server until the end of the block."""
    service = Service(server.api(), vendors, (), settings)
    service.start()
    try:
        with serving.serve(service.extender, service.public) as served:
            found = Running(service, served, server)
            served.until(lambda: served.get("/readyz")[0] == 200)
            yield found
    finally:
        service.stop()


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """With four nodes of two devices."""
    with ApiServer() as server:
        for name in "abcd":
            server.put(paths.NODES, msgspec.to_builtins(shown(fake_node(name, 2))))
        yield server


@pytest.fixture
def create(server: ApiServer, pod):
    """Creates pods."""

    def make(name: str, memory: int | None = 1000, **fields: Any) -> None:
        server.put(paths.pods("default"), msgspec.to_builtins(pod(name, memory, uid="", **fields)))

    return make


def test_pods_are_placed_and_known(server: ApiServer, vendors, create) -> None:
    """What the annotations say is what the ledger has; a deleted pod gives back."""
    with running(server, vendors) as service:
        for number in range(5):
            create(f"p{number}", 9000)
            assert service.schedule(f"p{number}")
        service.served.until(lambda: len(service.held()) == 5)
        written = [
            wire.decode(one["metadata"]["annotations"][PLACEMENT], Placement) for one in server.objects(paths.PODS)
        ]
        ledger = service.ledger()
        assert {one.uid: one for one in written} == {
            key: msgspec.convert(one, Placement) for key, one in ledger["pods"].items()
        }
        free = sum(amounts[MEMORY] for devices in ledger["free"].values() for amounts in devices.values())
        assert free == 8 * MEMORY_MIB - 5 * 9000
        assert (ledger["grants"], ledger["overcommitted"]) == ({}, {})
        server.remove(paths.pod("default", "p0"))
        service.served.until(lambda: len(service.held()) == 4)


def test_a_restart_loses_nothing(server: ApiServer, vendors, create) -> None:
    """The next process reads the annotations, and places beside what is there."""
    for number in range(8):
        create(f"p{number}", 9000)
        with running(server, vendors) as service:
            assert service.schedule(f"p{number}")
    create("more", 9000)
    with running(server, vendors) as service:
        assert len(service.held()) == 8
        assert service.schedule("more") == ""
        service.served.until(
            lambda: any(one["reason"] == "FilteringFailed" for one in server.objects("/api/v1/events"))
        )
    reasons = {one["reason"] for one in server.objects("/api/v1/events")}
    assert reasons == {"FilteringFailed", "BindingSucceed"}


def test_it_is_not_ready_before_it_has_read_everything(server: ApiServer, vendors, create, pod) -> None:
    """Meanwhile it decides nothing, and says what it waits for."""
    server.stall(30, method="GET", path_contains=paths.PODS)
    service = Service(server.api(), vendors, (), SETTINGS)
    told = threading.Event()
    service.start(told.set)
    try:
        with serving.serve(service.extender, service.public) as served:
            served.until(lambda: served.get("/readyz")[2] == b"waiting for: pods")
            assert served.get("/readyz")[0] == 503
            assert served.get("/healthz")[0] == 200
            assert not told.is_set()
            assert "not read the whole cluster" in json.loads(served.post("/filter", args(pod("x"), "ab"))[2])["Error"]
            server.heal()
            served.until(lambda: served.get("/readyz")[0] == 200)
            assert json.loads(served.post("/filter", args(pod("x"), "ab"))[2])["NodeNames"] == ["a", "b"]
            assert metrics.ready.value() == 1
            assert told.wait(120)
            service.retire()
            assert served.get("/readyz")[::2] == (503, b"stopping")
    finally:
        server.heal()
        service.stop()


def test_what_changes_is_followed(server: ApiServer, vendors, create) -> None:
    """Nodes come, are cordoned and go; also when the watch breaks and its history is lost."""
    with running(server, vendors) as service:
        create("x", 9000)
        server.put(paths.NODES, msgspec.to_builtins(shown(fake_node("new", 1))))
        service.served.until(lambda: "new" in service.ledger()["free"])
        server.drop_watches()
        server.compact()
        for name in "abcd":
            server.remove(paths.node(name))
        service.served.until(lambda: list(service.ledger()["free"]) == ["new"])
        cordoned = shown(fake_node("new", 1), {"hetero.io/device-cordon": "fake-0"})
        server.put(paths.NODES, msgspec.to_builtins(cordoned))
        answer = {}

        def refused() -> bool:
            body = msgspec.json.encode({"Pod": service.pod("x"), "NodeNames": ["new"]})
            answer.update(service.ask("/filter", body))
            return not answer["NodeNames"]

        service.served.until(refused)
        assert "CardCordoned" in json.dumps(answer)


def test_quotas_hold_at_placement(server: ApiServer, vendors, create) -> None:
    """Of the namespace, whatever is free in the cluster."""
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"limits.fake.example/npumem": "1500"}}}
    server.put("/api/v1/namespaces/default/resourcequotas", quota)
    with running(server, vendors) as service:
        create("one", 1000)
        create("two", 1000)
        assert service.schedule("one")
        assert service.schedule("two") == ""
        server.remove("/api/v1/namespaces/default/resourcequotas/q")
        service.served.until(lambda: service.schedule("two"))


def test_a_pod_that_was_refused_too_early_is_looked_at_again(server: ApiServer, vendors, create) -> None:
    """kube-scheduler asked before our informer knew of the room; a change of the pod makes it ask again."""
    with running(server, vendors) as service:
        for number in range(8):
            create(f"p{number}", MEMORY_MIB)
            assert service.schedule(f"p{number}")
        create("late", MEMORY_MIB)
        assert service.schedule("late") == ""
        server.remove(paths.pod("default", "p3"))
        service.served.until(lambda: "hetero.io/retry" in service.pod("late")["metadata"].get("annotations", {}))
        assert service.schedule("late")
        service.served.until(lambda: len(service.held()) == 8)


def test_the_webhook_reviews_with_the_same_vendors(server: ApiServer, vendors, pod) -> None:
    """On the public address."""
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "default",
            "operation": "CREATE",
            "object": msgspec.to_builtins(pod("x", cores=101)),
        },
    }
    with running(server, vendors) as service:
        status, _, answer = service.served.post("/webhook", json.dumps(review).encode(), port=service.served.ports[1])
        assert status == 200
        assert json.loads(answer)["response"]["allowed"] is False
        assert service.served.post("/webhook", b"{", port=service.served.ports[1])[0] == 400


def test_a_simulation_leaves_no_trace(server: ApiServer, vendors, create) -> None:
    """The cluster autoscaler asks with nodes in full."""
    with running(server, vendors) as service:
        create("x", 9000)
        pod = msgspec.convert(service.pod("x"), objects.Pod)
        nodes = [shown(fake_node(name, 2)) for name in ("a", "imagined")]
        answer = service.ask("/filter", in_full(pod, nodes))
        assert [one["metadata"]["name"] for one in answer["Nodes"]["items"]] == ["a", "imagined"]
        assert service.ledger()["grants"] == {}


def test_gauges_tell_the_state(server: ApiServer, vendors, create) -> None:
    """Brought up to date when they are read."""
    with running(server, vendors) as service:
        create("x")
        assert service.schedule("x")
        service.served.until(lambda: service.held() == {"x"})
        text = service.served.get("/metrics")[2].decode()
    assert "hetero_scheduler_nodes 4\n" in text
    assert "hetero_scheduler_pods 1\n" in text
    assert 'hetero_scheduler_grants{kind="unknown"} 0\n' in text
    assert "hetero_overcommitted_devices 0\n" in text


def test_two_replicas_see_each_others_pods(server: ApiServer, vendors, create) -> None:
    """The one that does not lead keeps its ledger warm; after the hand-over it goes on."""
    with running(server, vendors) as first, running(server, vendors) as second:
        for number in range(8):
            create(f"p{number}", 9000)
            leader = first if number < 4 else second
            second.served.until(lambda n=number: len(second.held()) == n)
            assert leader.schedule(f"p{number}")
        for one in (first, second):
            one.served.until(lambda one=one: len(one.held()) == 8)
        assert first.ledger()["free"] == second.ledger()["free"]


def test_a_foreign_vendor_that_is_not_installed_stops_the_start(vendors) -> None:
    """A slip would bind pods without what their plugin reads, and nobody would know."""
    with ApiServer() as server, pytest.raises(InvalidValue, match=r"vendors\.foreign: 'acme'"):
        Service(server.api(), vendors, (), Settings(vendors=VendorSettings(foreign=("acme",))))


def test_a_foreign_vendors_annotations_reach_the_pod(vendors, pod) -> None:
    """Over HTTP, as kube-scheduler asks."""

    class Telltale(FakeSplitting):
        def annotations(self, containers: Mapping[str, Sequence[Grant]]) -> Mapping[str, str]:
            return {"fake.example/allocated": ",".join(one.device.uuid for one in containers["c"])}

    told = {"fake": replace(vendors["fake"], splitting=Telltale("fake"))}
    with ApiServer() as server:
        server.put(paths.NODES, msgspec.to_builtins(shown(fake_node("a", 1))))
        server.put(paths.pods("default"), msgspec.to_builtins(pod("x", uid="")))
        with running(server, told, Settings(vendors=VendorSettings(foreign=("fake",)))) as service:
            assert service.schedule("x") == "a"
            notes = service.pod("x")["metadata"]["annotations"]
    assert notes["fake.example/allocated"] == "fake-0"
    assert PLACEMENT in notes
