"""The verbs that decide, as kube-scheduler asks them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sent import Events, args, in_full, shown

from hetero import metrics
from hetero.errors import InvalidValue
from hetero.kube import objects
from hetero.kube.objects import Metadata
from hetero.model.device import MEMORY, Node
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.extender import NOT_IN_STEP, Extender
from hetero.scheduler.grants import Kind
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.scheduler.verdicts import UNDER_WAY
from hetero.testing.fake import MEMORY_MIB, fake_device, fake_node, fake_vendor

NODES = ["a", "b", "c", "plain"]


class Desk:
    """An extender and what it works with. Node c has devices of half the memory, the node plain has none."""

    def __init__(self, vendors, clock) -> None:
        self.cluster = Cluster(vendors, clock=clock, grant_seconds=10)
        self.nodes = [shown(fake_node("a", 1)), shown(fake_node("b", 1)), shown(fake_node("c", 1, memory=8192))]
        self.cluster.nodes.replace(self.nodes)
        self.events = Events()
        self.recent = Recent()
        self.in_step = True
        self.extender = Extender(self.cluster, self.recent, Telling(self.events), lambda: self.in_step)

    def filter(self, pod: objects.Pod, names: list[str] = NODES) -> Any:
        answer = json.loads(self.extender.filter(args(pod, names)))
        self.extender.keep_promise()
        return answer

    def prioritize(self, pod: objects.Pod, names: list[str] = NODES) -> dict[str, int]:
        answer = json.loads(self.extender.prioritize(args(pod, names)))
        self.extender.keep_promise()
        return {one["Host"]: one["Score"] for one in answer}

    def taken(self, node: str) -> int:
        free = self.cluster.planner.free_quantities()[node]["fake-0"][MEMORY]
        return (8192 if node == "c" else MEMORY_MIB) - free

    def grant(self, key: str) -> tuple[str, Kind] | None:
        found = self.cluster.books.grants.get(key)
        return None if found is None else (found.placement.node, found.kind)


@pytest.fixture
def desk(vendors, clock) -> Desk:
    """In step with four nodes."""
    return Desk(vendors, clock)


def test_filter_says_all_nodes_that_fit(desk: Desk, pod, placed) -> None:
    """In the order given, and why the others do not: for now, or whatever is removed."""
    desk.cluster.pods.put(pod("other", node="a", placed=placed("other", "a", memory=9000)))
    answer = desk.filter(pod("x", 10000), ["plain", "b", "c", "a"])
    assert answer["NodeNames"] == ["b"]
    assert list(answer["FailedNodes"]) == ["a"]
    assert sorted(answer["FailedAndUnresolvableNodes"]) == ["c", "plain"]
    assert "CardInsufficientMemory" in answer["FailedNodes"]["a"]
    assert (answer["Nodes"], answer["Error"]) == (None, "")


def test_filter_gives_all_names_back_as_they_came(desk: Desk, pod) -> None:
    """When all fit; nothing else is said."""
    answer = desk.filter(pod("x"), ["c", "a", "b"])
    assert answer["NodeNames"] == ["c", "a", "b"]
    assert (answer["FailedNodes"], answer["FailedAndUnresolvableNodes"]) == ({}, {})


def test_a_pod_without_devices_fits_everywhere(desk: Desk, pod) -> None:
    """Whatever the planner knows of the nodes; nothing is promised and nothing preferred."""
    assert desk.filter(pod("x", None), ["plain", "unknown"])["NodeNames"] == ["plain", "unknown"]
    assert desk.prioritize(pod("x", None)) == {}
    full = json.loads(desk.extender.filter(in_full(pod("x", None), desk.nodes)))
    assert [one["metadata"]["name"] for one in full["Nodes"]["items"]] == ["a", "b", "c"]


def test_a_pod_that_fits_nowhere_is_told(desk: Desk, pod) -> None:
    """In one event with the figures, and it is counted."""
    before = metrics.filtered.value("none")
    answer = desk.filter(pod("x", 20000))
    assert answer["NodeNames"] == []
    [(name, kind, reason, message)] = desk.events.posted
    assert (name, kind, reason) == ("x", "Warning", "FilteringFailed")
    assert "4 nodes" in message
    assert metrics.filtered.value("none") == before + 1


def test_a_request_that_is_wrong_fits_nowhere(desk: Desk, pod) -> None:
    """Whatever is removed, with its sentence on every node; the pod is told and not tried again and again."""
    answer = desk.filter(pod("x", cores=101))
    assert answer["NodeNames"] == []
    assert set(answer["FailedAndUnresolvableNodes"]) == set(NODES)
    assert "npucores" in answer["FailedAndUnresolvableNodes"]["a"]
    assert "npucores" in desk.events.posted[0][3]
    assert desk.prioritize(pod("x", cores=101)) == {}
    full = json.loads(desk.extender.filter(in_full(pod("x", cores=101), desk.nodes)))
    assert set(full["FailedAndUnresolvableNodes"]) == {"a", "b", "c"}


def test_before_the_cluster_is_read_nothing_is_decided(desk: Desk, pod) -> None:
    """Everything would look free; the pod is tried again."""
    desk.in_step = False
    assert desk.filter(pod("x"))["Error"] == NOT_IN_STEP
    assert desk.prioritize(pod("x")) == {}
    assert desk.events.posted == []


def test_the_best_node_is_promised(desk: Desk, pod) -> None:
    """The next pod finds its room taken before the Binding comes; its own promise is not in its way."""
    scores = desk.prioritize(pod("x", 10000))
    [best] = [name for name, score in scores.items() if score == 10]
    assert desk.grant("uid-x") == (best, Kind.TENTATIVE)
    assert best not in desk.filter(pod("y", 10000))["NodeNames"]
    assert best in desk.filter(pod("x", 10000))["NodeNames"]
    assert desk.prioritize(pod("x", 10000))[best] == 10
    assert desk.taken(best) == 10000


def test_a_promise_is_kept_before_anything_else_is_decided(desk: Desk, pod) -> None:
    """It is planned when the answer has been sent, and at the latest when the next request comes."""
    desk.extender.prioritize(args(pod("x", 10000), ["a"]))
    assert desk.grant("uid-x") is None
    answer = json.loads(desk.extender.filter(args(pod("y", 10000), ["a", "b"])))
    assert answer["NodeNames"] == ["b"]
    assert desk.grant("uid-x") == ("a", Kind.TENTATIVE)


def test_a_promise_that_cannot_be_kept_any_more_is_none(desk: Desk, pod, placed) -> None:
    """Somebody took the room between the answer and the plan."""
    desk.extender.prioritize(args(pod("x", 10000), ["a"]))
    desk.cluster.pods.put(pod("other", node="a", placed=placed("other", "a", memory=10000)))
    desk.extender.keep_promise()
    assert desk.grant("uid-x") is None


def test_a_promise_follows_the_prediction(desk: Desk, pod) -> None:
    """Asked again with other nodes, the pod is promised the best of those instead."""
    desk.prioritize(pod("x", 10000), ["a"])
    desk.prioritize(pod("x", 10000), ["b"])
    assert (desk.taken("a"), desk.taken("b")) == (0, 10000)


def test_a_promise_ends(desk: Desk, pod, clock) -> None:
    """When no Binding follows in its time."""
    desk.prioritize(pod("x", 10000), ["a"])
    clock.now += 10
    assert "a" in desk.filter(pod("y", 10000))["NodeNames"]


def test_the_only_node_is_promised_at_once(desk: Desk, pod) -> None:
    """kube-scheduler asks for no scores then."""
    desk.filter(pod("x", 1000), ["a", "plain"])
    assert desk.grant("uid-x") == ("a", Kind.TENTATIVE)
    desk.filter(pod("y", 1000), ["a", "b"])
    assert desk.grant("uid-y") is None


@pytest.mark.parametrize("kind", [Kind.BINDING, Kind.UNKNOWN, Kind.BOUND])
def test_a_pod_whose_binding_was_sent_is_tried_there_alone(desk: Desk, pod, kind: Kind) -> None:
    """It may be carried out at any time; elsewhere the pod would hold two places."""
    desk.prioritize(pod("x"), ["b"])
    desk.cluster.books.grants.advance("uid-x", kind)
    answer = desk.filter(pod("x"))
    assert answer["NodeNames"] == ["b"]
    assert answer["FailedNodes"]["a"] == UNDER_WAY
    desk.prioritize(pod("x"), ["a"])
    assert desk.grant("uid-x") == ("b", kind)
    assert desk.filter(pod("x"), ["a"])["NodeNames"] == []


def test_what_was_filtered_is_known_to_the_binding(desk: Desk, pod) -> None:
    """A request to bind names the pod and no more."""
    desk.filter(pod("x", 700))
    ask = desk.recent.get("uid-x")
    assert ask is not None
    assert ask.containers[0].asks[0].memory == 700
    assert desk.recent.get("uid-y") is None


def test_a_simulation_promises_nothing(desk: Desk, pod) -> None:
    """Nodes in full come from who only tries; those that are not there yet are judged by what they say."""
    desk.prioritize(pod("other", 10000), ["a"])
    nodes = [*desk.nodes, shown(fake_node("new", 1)), objects.Node(Metadata(name="bare"))]
    answer = json.loads(desk.extender.filter(in_full(pod("x", 10000), nodes)))
    assert [one["metadata"]["name"] for one in answer["Nodes"]["items"]] == ["b", "new"]
    assert answer["Nodes"]["items"][1] == json.loads(msgspec.json.encode(nodes[3]))
    assert list(answer["FailedNodes"]) == ["a"]
    assert sorted(answer["FailedAndUnresolvableNodes"]) == ["bare", "c"]
    assert answer["NodeNames"] is None
    assert desk.grant("uid-x") is None
    scores = json.loads(desk.extender.prioritize(in_full(pod("x", 10000), nodes)))
    assert {one["Host"] for one in scores} == {"b", "new"}
    assert (desk.grant("uid-x"), desk.events.posted) == (None, [])
    assert "new" not in desk.cluster.nodes


def test_a_simulated_node_with_a_wrong_inventory_fits_nothing(desk: Desk, pod) -> None:
    """The others are judged all the same."""
    wrong = objects.Node(Metadata(name="wrong", annotations={"hetero.io/inventory": "{"}))
    twice = shown(Node(name="twice", devices=(fake_device(0), fake_device(0))))
    answer = json.loads(desk.extender.filter(in_full(pod("x"), [wrong, twice, shown(fake_node("new", 1))])))
    assert [one["metadata"]["name"] for one in answer["Nodes"]["items"]] == ["new"]
    assert set(answer["FailedAndUnresolvableNodes"]) == {"wrong", "twice"}


def test_an_item_that_is_no_node_is_an_error(desk: Desk) -> None:
    """In the answer where there is a place for it, else as a refusal."""
    container = {"resources": {"limits": {"fake.example/npu": 1}}}
    pod = {"metadata": {}, "spec": {"containers": [container]}}
    body = msgspec.json.encode({"Pod": pod, "Nodes": {"items": [7]}})
    assert "Nodes.items" in json.loads(desk.extender.filter(body))["Error"]
    with pytest.raises(InvalidValue, match="Nodes"):
        desk.extender.prioritize(body)


BODIES = [b"", b"{", b"[]", b"null", b'{"Pod":1}', b'{"Pod":{"metadata":[]}}', b"\xff\xfe", b"[" * 20000]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_none_is_one_sentence(desk: Desk, body: bytes) -> None:
    """Where the protocol has a place for errors it stands there."""
    assert json.loads(desk.extender.filter(body))["Error"].startswith("body: ")
    for verb in (desk.extender.prioritize, desk.extender.preempt):
        with pytest.raises(InvalidValue, match="body"):
            verb(body)


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.text(),
        lambda inner: (
            st.dictionaries(
                st.sampled_from(["Pod", "NodeNames", "Nodes", "metadata", "spec", "containers", "items", "uid"]), inner
            )
            | st.lists(inner, max_size=2)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_body_is_answered(body: bytes) -> None:
    """Never with anything but an answer or a refusal."""
    cluster = Cluster({"fake": fake_vendor()})
    extender = Extender(cluster, Recent(), Telling(Events()), lambda: True)
    json.loads(extender.filter(body))
    for verb in (extender.prioritize, extender.preempt):
        with contextlib.suppress(InvalidValue):
            json.loads(verb(body))
