"""Pods of the API become asks, each content once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.admission.objects import traits
from hetero.errors import InvalidRequest, PluginError
from hetero.kube import objects
from hetero.kube.objects import Container, Metadata, PodSpec, Requirements
from hetero.model.annotations import PLACEMENT
from hetero.scheduler.asks import Asks
from hetero.testing.fake import fake_resources, fake_vendor


def test_a_pod_says_what_it_asks(pod, vendors) -> None:
    """With its name, namespace and UID, which are its own."""
    ask = Asks(vendors).read(pod("x", 500))
    assert (ask.name, ask.namespace, ask.uid, ask.key) == ("x", "default", "uid-x", "uid-x")
    [container] = ask.containers
    assert [(one.vendor, one.memory) for one in container.asks] == [("fake", 500)]


def test_replicas_are_read_once(pod, vendors) -> None:
    """What they ask is one object; who they are is not."""
    asks = Asks(vendors)
    one, two = asks.read(pod("x")), asks.read(pod("y", placed="anything"))
    assert one.containers is two.containers
    assert (one.name, two.name, one.key, two.key) == ("x", "y", "uid-x", "uid-y")


@pytest.mark.parametrize(
    "other",
    [{"memory": 999}, {"cores": 5}, {"notes": {"fake.example/use-models": "F1"}}, {"notes": {"anything": "else"}}],
)
def test_pods_that_say_another_thing_are_read_apart(pod, vendors, other) -> None:
    """Amounts and annotations; a vendor may read any of them."""
    asks = Asks(vendors)
    before = asks.read(pod("x"))
    after = asks.read(pod("x", **other))
    assert before.containers is not after.containers


def test_the_placement_is_no_part_of_the_asking(pod, vendors) -> None:
    """A bound pod asks what it asked before."""
    asks = Asks(vendors)
    assert asks.read(pod("x")).containers is asks.read(pod("x", notes={PLACEMENT: "y"})).containers


@pytest.mark.parametrize("notes", [{"long": "x" * 100_000}, {f"name-{number}": "" for number in range(1000)}])
def test_a_pod_that_says_very_much_is_not_remembered(pod, vendors, notes: dict[str, str]) -> None:
    """Anyone who may create pods could fill the memory."""
    asks = Asks(vendors)
    one, two = (asks.read(pod("x", notes=notes)) for _ in range(2))
    assert one == two
    assert one.containers is not two.containers


def test_a_pod_has_so_many_containers_at_most(vendors) -> None:
    """More would take seconds to read; those of a pod without devices are none of our business."""
    for limits, refused in [({"fake.example/npu": "1"}, True), ({"cpu": "1"}, False)]:
        containers = tuple(Container(f"c{number}", Requirements(limits=limits)) for number in range(257))
        pod = objects.Pod(Metadata(name="x", uid="u"), PodSpec(containers=containers))
        if refused:
            with pytest.raises(InvalidRequest, match="257 are too many containers"):
                Asks(vendors).read(pod)
        else:
            assert not Asks(vendors).read(pod).asks_devices


def test_a_pod_without_devices_asks_nothing(pod, vendors) -> None:
    """Whatever else it asks: other plugins' resources are none of our business."""
    asks = Asks(vendors)
    ask = asks.read(pod("x", None))
    assert (ask.asks_devices, ask.key) == (False, "uid-x")
    assert not asks.asks_devices(pod("x", None))
    stranger = objects.Container("c", Requirements(limits={"other.example/npu": "1"}))
    assert not asks.read(objects.Pod(Metadata(name="x", uid="u"), PodSpec(containers=(stranger,)))).asks_devices


def test_requests_and_init_containers_count(vendors) -> None:
    """A device may be asked in either list, by either kind of container."""
    one = Container("c", Requirements(requests={"fake.example/npu": 1}))
    asks = Asks(vendors)
    assert asks.read(objects.Pod(Metadata(uid="u"), PodSpec(containers=(one,)))).asks_devices
    pod = objects.Pod(Metadata(uid="u"), PodSpec(containers=(Container("d"),), init_containers=(one,)))
    assert [bool(container.asks) for container in asks.read(pod).init_containers] == [True]


def test_what_is_wrong_is_told_each_time(pod, vendors) -> None:
    """A mistake is not remembered as an ask."""
    asks = Asks(vendors)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="npucores"):
            asks.read(pod("x", cores=101))


def test_a_vendors_defect_is_told(pod) -> None:
    """By name."""

    class Broken(type(fake_resources())):
        def ask(self, request):
            raise RuntimeError("inside")

    broken = Broken(**vars(fake_resources()))
    with pytest.raises(PluginError, match="fake"):
        Asks({"fake": replace(fake_vendor(), resources=(broken,))}).read(pod("x"))


def test_traits_are_what_quotas_look_at() -> None:
    """A deadline, the machine's resources, the priority class."""
    nothing = traits(objects.Pod(Metadata()))
    assert (nothing.terminating, nothing.best_effort, nothing.priority_class) == (False, True, "")
    container = Container("c", Requirements(requests={"memory": "1Gi"}))
    spec = PodSpec(containers=(container,), active_deadline_seconds=0, priority_class_name="high")
    found = traits(objects.Pod(Metadata(), spec))
    assert (found.terminating, found.best_effort, found.priority_class) == (True, False, "high")
    assert traits(objects.Pod(Metadata(), PodSpec(containers=(Container("c"),)))).best_effort


AMOUNT = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)


@given(st.dictionaries(st.sampled_from(["fake.example/npu", "fake.example/npumem", "cpu", "x/y"]), AMOUNT))
def test_any_amounts_are_an_ask_or_refused(limits) -> None:
    """Also those that the API server would have refused, and the second time as the first."""
    asks = Asks({"fake": fake_vendor()})
    pod = objects.Pod(Metadata(name="x", uid="u"), PodSpec(containers=(Container("c", Requirements(limits=limits)),)))
    answers = []
    for _ in range(2):
        try:
            answers.append(asks.read(pod))
        except InvalidRequest as error:
            answers.append(str(error))
    assert answers[0] == answers[1]
