"""Bindings under races and failures: nothing placed twice, nothing lost, and every outcome known in the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from sent import Events, shown

from hetero import metrics
from hetero.kube import objects, paths
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.device import MEMORY
from hetero.model.placement import Placement
from hetero.scheduler import verdicts
from hetero.scheduler.binder import SETTLED_AFTER, Binder
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.grants import Kind
from hetero.scheduler.posting import Posting
from hetero.scheduler.protocol import BindingArgs
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import MEMORY_MIB, fake_node


class Desk:
    """A binder at a real API server, with two nodes of one device; the informer is the test."""

    def __init__(self, vendors, clock, server: ApiServer, pod) -> None:
        self.server, self.clock, self._pod = server, clock, pod
        self.cluster = Cluster(vendors, clock=clock, grant_seconds=10)
        self.cluster.nodes.replace([shown(fake_node("a", 1)), shown(fake_node("b", 1))])
        self.events, self.recent, self.in_step = Events(), Recent(), True
        self.binder = self.another()

    def another(self) -> Binder:
        """A binder that knows nothing of what was filtered."""
        telling = Telling(self.events, success=True)
        posting = Posting(self.server.api(timeout=2.0), wait=lambda _: None)
        return Binder(self.cluster, self.recent, posting, telling, lambda: self.in_step)

    def create(self, name: str = "x", memory: int | None = 1000) -> BindingArgs:
        """A pod at the API server that was filtered, and what kube-scheduler will send for node a."""
        body = msgspec.to_builtins(self._pod(name, memory, uid=""))
        self.server.put(paths.pods("default"), body)
        pod = self.read(name)
        self.recent.note(self.cluster.asks.read(pod))
        return BindingArgs(pod_name=name, pod_namespace="default", pod_uid=pod.metadata.uid, node="a")

    def read(self, name: str = "x") -> objects.Pod:
        """The pod as the API server has it."""
        return msgspec.json.decode(self.server.api().get(paths.pod("default", name)), type=objects.Pod)

    def show(self, name: str = "x") -> None:
        """Let the informer see the pod as it is."""
        self.cluster.pods.put(self.read(name))

    def posts(self) -> int:
        """Bindings that the API server was sent."""
        return len(self.server.calls("POST", "/binding"))

    def taken(self, node: str = "a") -> int:
        return MEMORY_MIB - self.cluster.planner.free_quantities()[node]["fake-0"][MEMORY]

    def kind(self, args: BindingArgs) -> Kind | None:
        grant = self.cluster.books.grants.get(args.pod_uid)
        return grant.kind if grant else None


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An API server in memory."""
    with ApiServer() as server:
        yield server


@pytest.fixture
def desk(vendors, clock, server: ApiServer, pod) -> Desk:
    """Where pods are bound."""
    return Desk(vendors, clock, server, pod)


def elsewhere(args: BindingArgs, **fields: Any) -> BindingArgs:
    """The same binding, for node b."""
    return msgspec.structs.replace(args, **{"node": "b", **fields})


def test_a_pod_is_bound_with_its_devices(desk: Desk) -> None:
    """One POST sets node and placement; the promise stays until the informer shows the pod."""
    before = metrics.bindings.value("bound")
    args = desk.create()
    assert desk.binder.bind(args) == ""
    pod = desk.read()
    placement = wire.decode(pod.metadata.notes[PLACEMENT], Placement)
    assert (pod.spec.node_name, placement.node, placement.uid) == ("a", "a", args.pod_uid)
    assert (desk.posts(), desk.kind(args), desk.taken()) == (1, Kind.BOUND, 1000)
    desk.show()
    assert (desk.kind(args), desk.taken(), len(desk.cluster.books)) == (None, 1000, 1)
    assert desk.events.posted == [("x", "Normal", "BindingSucceed", "bound to a with its devices")]
    assert metrics.bindings.value("bound") == before + 1


def test_a_pod_without_devices_is_bound_as_it_is(desk: Desk) -> None:
    """The extender may be asked for every pod."""
    assert desk.binder.bind(desk.create(memory=None)) == ""
    assert desk.read().spec.node_name == "a"
    assert PLACEMENT not in desk.read().metadata.notes


def test_a_pod_that_was_filtered_elsewhere_is_read(desk: Desk) -> None:
    """This process was restarted between filter and bind."""
    args = desk.create()
    desk.recent = Recent()
    assert desk.another().bind(args) == ""
    assert desk.taken() == 1000


def test_the_prediction_is_replaced(desk: Desk) -> None:
    """kube-scheduler chose another node than the one that was promised."""
    args = desk.create()
    ask = desk.recent.get(args.pod_uid)
    assert ask is not None
    verdicts.promise(desk.cluster, ask, "a")
    assert desk.binder.bind(elsewhere(args)) == ""
    assert (desk.taken("a"), desk.taken("b")) == (0, 1000)


def test_the_prediction_is_what_is_bound(desk: Desk) -> None:
    """On the node that was promised the devices are those that were promised, as long as the node is as it was."""
    args = desk.create()
    ask = desk.recent.get(args.pod_uid)
    assert ask is not None
    verdicts.promise(desk.cluster, ask, "a")
    promised = desk.cluster.planner.charged(args.pod_uid)
    desk.cluster.nodes.put(shown(fake_node("a", 1)))
    assert desk.binder.bind(args) == ""
    assert wire.decode(desk.read().metadata.notes[PLACEMENT], Placement) == promised


def test_a_device_that_was_cordoned_meanwhile_is_not_bound(desk: Desk) -> None:
    """Between prediction and Binding."""
    args = desk.create()
    ask = desk.recent.get(args.pod_uid)
    assert ask is not None
    verdicts.promise(desk.cluster, ask, "a")
    desk.cluster.nodes.put(shown(fake_node("a", 1), {"hetero.io/device-cordon": "fake-0"}))
    assert "node a does not serve any more" in desk.binder.bind(args)
    assert desk.posts() == 0


def test_the_same_binding_twice_at_once_is_one(desk: Desk) -> None:
    """One POST, and both are told its outcome."""
    args = desk.create()
    desk.server.stall(0.3, method="POST", path_contains="/binding")
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(desk.binder.bind, [args] * 4))
    assert answers == [""] * 4
    assert desk.posts() == 1


def test_a_binding_to_another_node_meanwhile_is_refused(desk: Desk) -> None:
    """The first is under way."""
    args = desk.create()
    desk.server.stall(1.0, method="POST", path_contains="/binding")
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(desk.binder.bind, args)
        assert desk.server.wait(lambda: desk.kind(args) is Kind.BINDING)
        assert desk.binder.bind(elsewhere(args)) == verdicts.UNDER_WAY
        assert first.result(120) == ""
    assert desk.posts() == 1


def test_a_binding_that_was_done_is_done_again(desk: Desk) -> None:
    """Before and after the informer shows it; another node is a conflict."""
    args = desk.create()
    assert desk.binder.bind(args) == ""
    assert desk.binder.bind(args) == ""
    desk.show()
    assert desk.binder.bind(args) == ""
    assert "bound to node a" in desk.binder.bind(elsewhere(args))
    assert desk.taken("b") == 0


def test_a_process_killed_after_its_post_is_continued(desk: Desk, vendors, clock, pod) -> None:
    """The next one plans anew, is told that the pod is bound, and takes over what it has."""
    args = desk.create(memory=700)
    assert desk.binder.bind(args) == ""
    later = Desk(vendors, clock, desk.server, pod)
    assert later.binder.bind(args) == ""
    assert later.taken() == 700
    later.show()
    assert (later.taken(), later.kind(args)) == (700, None)


def test_an_answer_that_is_lost_is_found_out(desk: Desk) -> None:
    """The Binding was carried out: the pod shows it."""
    args = desk.create()
    desk.server.fail(0, method="POST", path_contains="/binding", after=True)
    assert desk.binder.bind(args) == ""
    assert (desk.posts(), desk.taken(), desk.kind(args)) == (1, 1000, Kind.BOUND)


@pytest.mark.parametrize("status", [0, 500, 503, 504])
def test_an_outcome_that_is_not_known_keeps_the_room(desk: Desk, status: int) -> None:
    """The pod does not show it, but it may come yet. Tried again for the same node, it is bound."""
    args = desk.create()
    desk.server.fail(status, method="POST", path_contains="/binding")
    assert "not known yet" in desk.binder.bind(args)
    assert (desk.kind(args), desk.taken()) == (Kind.UNKNOWN, 1000)
    assert desk.binder.bind(elsewhere(args)) == verdicts.UNDER_WAY
    assert desk.binder.bind(args) == ""
    assert (desk.kind(args), desk.taken("a"), desk.taken("b")) == (Kind.BOUND, 1000, 0)


@pytest.mark.parametrize("status", [403, 429, 422])
@pytest.mark.parametrize("earlier", ["unknown", "bound"])
def test_a_second_try_that_fails_says_nothing_of_the_first(desk: Desk, earlier: str, status: int) -> None:
    """The first Binding was carried out, or may be yet: its room is kept, for as long as it would have been."""
    args = desk.create()
    if earlier == "unknown":
        desk.server.fail(500, method="POST", path_contains="/binding")
        assert "not known yet" in desk.binder.bind(args)
    else:
        assert desk.binder.bind(args) == ""
    since = desk.cluster.books.grants.get(args.pod_uid).since
    desk.clock.now += 5
    desk.server.fail(status, method="POST", path_contains="/binding", times=10)
    assert str(status) in desk.binder.bind(args)
    grant = desk.cluster.books.grants.get(args.pod_uid)
    assert (grant.kind, grant.since, desk.taken()) == (Kind(earlier), since, 1000)


def test_a_server_that_went_away_says_nothing_of_the_first(desk: Desk) -> None:
    """Nothing was sent this time; last time it was."""
    args = desk.create()
    assert desk.binder.bind(args) == ""
    desk.server.stop()
    assert "did not answer" in desk.binder.bind(args)
    assert (desk.kind(args), desk.taken()) == (Kind.BOUND, 1000)


def test_a_pod_deleted_during_a_second_try_leaves_nothing(desk: Desk) -> None:
    """Whatever comes of it."""
    args = desk.create()
    assert desk.binder.bind(args) == ""
    desk.server.stall(0.5, method="POST", path_contains="/binding")
    desk.server.fail(403, method="POST", path_contains="/binding")
    with ThreadPoolExecutor(1) as threads:
        bound = threads.submit(desk.binder.bind, args)
        assert desk.server.wait(lambda: desk.kind(args) is Kind.BINDING)
        desk.cluster.pods.remove(desk.read())
        bound.result(120)
    assert (desk.kind(args), desk.taken()) == (None, 0)


def test_an_outcome_is_settled_when_the_pod_shows_it(desk: Desk) -> None:
    """The POST was carried out, its answer and the reading back were lost."""
    args = desk.create()
    desk.server.fail(0, method="POST", path_contains="/binding", after=True)
    desk.server.fail(500, method="GET", path_contains="/pods/x")
    assert "not known yet" in desk.binder.bind(args)
    desk.binder.settle()
    assert desk.kind(args) is Kind.BOUND
    desk.show()
    assert (desk.kind(args), desk.taken()) == (None, 1000)


def test_an_outcome_is_settled_when_it_is_too_late(desk: Desk) -> None:
    """The API server drops what it has not done in a minute; before, and while it says nothing, the room is kept."""
    args = desk.create()
    desk.server.fail(500, method="POST", path_contains="/binding")
    desk.binder.bind(args)
    desk.binder.settle()
    assert (desk.kind(args), desk.taken()) == (Kind.UNKNOWN, 1000)
    desk.clock.now += SETTLED_AFTER + 1
    desk.server.fail(500, method="GET", path_contains="/pods/x")
    desk.binder.settle()
    assert desk.kind(args) is Kind.UNKNOWN
    desk.binder.settle()
    assert (desk.kind(args), desk.taken()) == (None, 0)


def test_an_outcome_is_settled_when_the_pod_is_gone(desk: Desk) -> None:
    """Deleted, or created again under its name."""
    for again in (False, True):
        args = desk.create()
        desk.server.fail(500, method="POST", path_contains="/binding")
        desk.binder.bind(args)
        desk.server.remove(paths.pod("default", "x"))
        if again:
            desk.create()
        desk.binder.settle()
        assert (desk.kind(args), desk.taken()) == (None, 0)


def test_a_bound_pod_that_is_never_shown_is_read(desk: Desk) -> None:
    """It was deleted at once, and the informer listed anew in between."""
    args = desk.create()
    assert desk.binder.bind(args) == ""
    desk.server.remove(paths.pod("default", "x"))
    desk.binder.settle()
    assert desk.taken() == 1000
    desk.clock.now += 31
    desk.binder.settle()
    assert desk.taken() == 0


def test_a_pod_deleted_while_it_is_bound_leaves_nothing(desk: Desk) -> None:
    """The informer says so before the Binding is answered."""
    args = desk.create()
    desk.server.stall(0.5, method="POST", path_contains="/binding", after=True)
    with ThreadPoolExecutor(1) as threads:
        bound = threads.submit(desk.binder.bind, args)
        assert desk.server.wait(lambda: bool(desk.read().spec.node_name))
        desk.show()
        desk.cluster.pods.remove(desk.read())
        assert bound.result(120) == ""
    assert (desk.kind(args), desk.taken(), len(desk.cluster.books)) == (None, 0, 0)


def test_a_pod_created_again_is_not_bound_for_the_old_one(desk: Desk) -> None:
    """The UID in the Binding is the old one's."""
    args = desk.create()
    desk.server.remove(paths.pod("default", "x"))
    desk.create()
    assert "created again" in desk.binder.bind(args)
    assert not desk.read().spec.node_name
    assert desk.taken() == 0
    desk.recent = Recent()
    assert "created anew" in desk.another().bind(args)


def test_a_pod_that_is_gone_is_a_conflict(desk: Desk) -> None:
    """Whether it is known or must be read."""
    before = metrics.bindings.value("conflict")
    args = desk.create()
    desk.server.remove(paths.pod("default", "x"))
    assert "404" in desk.binder.bind(args)
    assert (metrics.bindings.value("conflict"), desk.taken()) == (before + 1, 0)
    desk.recent = Recent()
    assert "could not be read" in desk.another().bind(args)


def test_a_pod_that_has_ended_holds_nothing(desk: Desk) -> None:
    """It ran and ended while kube-scheduler still waited for the first answer; its devices are others' by now."""
    args = desk.create()
    assert desk.binder.bind(args) == ""
    ended = {"status": {"phase": "Succeeded"}}
    desk.server.api().patch(f"{paths.pod('default', 'x')}/status", msgspec.json.encode(ended))
    desk.show()
    assert desk.binder.bind(args) == "the pod has ended"
    assert (desk.kind(args), desk.taken()) == (None, 0)


def test_a_pod_bound_by_someone_else_is_a_conflict(desk: Desk) -> None:
    """On another node, or on this one without its devices."""
    for node in ("b", "a"):
        args = desk.create()
        binding = {"metadata": {"name": "x"}, "target": {"kind": "Node", "name": node}}
        desk.server.api().post(paths.binding("default", "x"), msgspec.json.encode(binding))
        sentence = desk.binder.bind(args)
        assert ("bound to node b" if node == "b" else "without its devices") in sentence
        assert (desk.kind(args), desk.taken()) == (None, 0)
        desk.server.remove(paths.pod("default", "x"))


def test_a_node_that_went_meanwhile_is_refused(desk: Desk) -> None:
    """Between filter and bind; nothing is sent, and the pod is told."""
    args = desk.create()
    desk.cluster.nodes.remove(shown(fake_node("a", 1)))
    assert "node a does not serve any more" in desk.binder.bind(args)
    assert desk.posts() == 0
    assert desk.events.posted[0][1:3] == ("Warning", "BindingFailed")
    assert desk.cluster.books.grants.all() == []


def test_room_that_went_meanwhile_is_refused(desk: Desk, pod, placed) -> None:
    """Another replica bound a pod there."""
    args = desk.create(memory=10000)
    desk.cluster.pods.put(pod("other", node="a", placed=placed("other", "a", memory=10000)))
    assert "CardInsufficientMemory" in desk.binder.bind(args) or "memory" in desk.binder.bind(args)
    assert desk.binder.bind(elsewhere(args)) == ""


def test_a_busy_api_server_is_waited_for(desk: Desk) -> None:
    """429 says that nothing was done; after a few tries kube-scheduler tries again itself."""
    args = desk.create()
    desk.server.fail(429, method="POST", path_contains="/binding", times=3, retry_after=1)
    assert desk.binder.bind(args) == ""
    args = desk.create("y")
    desk.server.fail(429, method="POST", path_contains="/binding", times=9, retry_after=1)
    assert "429" in desk.binder.bind(args)
    assert (desk.kind(args), desk.taken()) == (None, 1000)


def test_a_server_that_cannot_be_reached_did_nothing(desk: Desk) -> None:
    """Nothing was sent, so nothing is kept."""
    args = desk.create()
    desk.server.stop()
    assert "did not answer" in desk.binder.bind(args)
    assert (desk.kind(args), desk.taken()) == (None, 0)


def test_a_refused_binding_gives_back(desk: Desk) -> None:
    """No permission, say."""
    args = desk.create()
    desk.server.fail(403, method="POST", path_contains="/binding")
    assert "403" in desk.binder.bind(args)
    assert (desk.kind(args), desk.taken()) == (None, 0)


def test_before_the_cluster_is_read_nothing_is_bound(desk: Desk) -> None:
    """The pod is tried again."""
    args = desk.create()
    desk.in_step = False
    assert "not read the whole cluster" in desk.binder.bind(args)
    assert desk.posts() == 0


def test_a_defect_while_posting_keeps_the_room(desk: Desk) -> None:
    """It was perhaps sent; whoever waits for it is told, and the next try is not refused."""
    args = desk.create()

    def broken(*_: object) -> None:
        raise RuntimeError("inside")

    posting = desk.binder._posting
    original, posting._post = posting._post, broken
    with pytest.raises(RuntimeError):
        desk.binder.bind(args)
    posting._post = original
    assert desk.kind(args) is Kind.UNKNOWN
    assert desk.binder.bind(args) == ""


def test_many_pods_in_many_threads_fill_the_devices_and_no_more(desk: Desk) -> None:
    """Sixteen thousand MiB on each of two devices, asked in pieces of 3000: five each."""
    asked = [desk.create(f"p{number}", 3000) for number in range(12)]
    begin = threading.Barrier(12)

    def bind(args: BindingArgs) -> str:
        begin.wait(120)
        first = desk.binder.bind(args)
        return first and desk.binder.bind(elsewhere(args))

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(bind, asked))
    assert answers.count("") == 10
    assert (desk.taken("a"), desk.taken("b")) == (15000, 15000)
    for args in asked:
        desk.show(args.pod_name)
    assert (desk.taken("a"), desk.taken("b"), len(desk.cluster.books)) == (15000, 15000, 10)
