"""What an ask comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.model import wire
from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection

ONE = Ask(vendor="fake", memory=1024)


@pytest.mark.parametrize(
    ("ask", "mib"),
    [
        (Ask(vendor="v"), 1001),
        (Ask(vendor="v", memory=5), 5),
        (Ask(vendor="v", memory=5000), 5000),
        (Ask(vendor="v", memory_percentage=100), 1001),
        (Ask(vendor="v", memory_percentage=50), 500),
    ],
)
def test_memory_on_a_device(ask: Ask, mib: int) -> None:
    """MiB as asked, a percentage of what there is, or all of it."""
    assert ask.memory_on(1001) == mib


@given(st.integers(2, 2**20), st.integers(1, 99))
def test_parts_of_a_device_fit_into_it(total: int, percent: int) -> None:
    """A part and its rest never come to more than the device, and no part is nothing."""
    part = Ask(vendor="v", memory_percentage=percent).memory_on(total)
    rest = Ask(vendor="v", memory_percentage=100 - percent).memory_on(total)
    assert 1 <= part <= total
    assert part + rest <= total


def test_asks_can_be_compared_and_remembered() -> None:
    """Equal asks are one key: the planner remembers what an ask comes to."""
    assert {ONE: "remembered"}[Ask(vendor="fake", memory=1024)] == "remembered"
    assert Ask(vendor="fake", memory=1025) != ONE


@pytest.mark.parametrize("place", ["containers", "init_containers"])
def test_a_pod_asks_devices_when_any_container_does(place: str) -> None:
    """A container that runs before the others counts, too."""
    idle = ContainerAsk(name="idle")
    assert not PodAsk(name="p", containers=(idle,)).asks_devices
    assert PodAsk(name="p", **{place: (idle, ContainerAsk(name="busy", asks=(ONE,)))}).asks_devices


@given(st.integers(1, 2**20), st.integers(1, 100))
def test_more_percent_is_never_less_memory(total: int, percent: int) -> None:
    """The amount grows with the percentage, and 100 is all of it."""
    amounts = [Ask(vendor="v", memory_percentage=one).memory_on(total) for one in range(percent, 101)]
    assert amounts == sorted(amounts)
    assert amounts[-1] == total


@given(st.integers(1, 2**31), st.integers(1, 2**31))
def test_mebibytes_do_not_hang_on_the_device(memory: int, total: int) -> None:
    """An amount is asked as it is, also of a device that has less: whether it fits is another question."""
    assert Ask(vendor="v", memory=memory).memory_on(total) == memory


@pytest.mark.parametrize(("cores", "exclusive"), [(0, False), (1, False), (99, False), (100, True)])
def test_all_of_the_compute_is_exclusive(cores: int, exclusive: bool) -> None:
    """And nothing less is; memory does not matter to it."""
    assert Ask(vendor="v", cores=cores).exclusive is exclusive
    assert Ask(vendor="v", memory=1, cores=cores).exclusive is exclusive


def test_an_ask_that_says_nothing_more_takes_any_device() -> None:
    """One device, of the vendor's only family, without a limit on compute, without a wish."""
    plain = Ask(vendor="v")
    assert (plain.family, plain.count, plain.cores, plain.priority) == ("", 1, 0, None)
    assert plain.selection == Selection()
    assert Selection() == Selection(use_models=(), avoid_models=(), use_devices=(), avoid_devices=(), same_numa=False)


def test_a_wish_makes_another_ask() -> None:
    """What is remembered of an ask does not serve one that excludes devices."""
    assert len({ONE, Ask(vendor="fake", memory=1024, selection=Selection(avoid_devices=("fake-0",)))}) == 2


def test_a_pod_without_words_has_the_usual_ones() -> None:
    """The namespace that Kubernetes takes, and the planner's policies."""
    pod = PodAsk(name="p")
    assert (pod.namespace, pod.node_policy, pod.device_policy) == ("default", "", "")
    assert not pod.asks_devices


def test_what_a_pod_asks_is_stored_so() -> None:
    """Fields of version 1 are never renamed or removed; what was not said stays unsaid."""
    pod = PodAsk(name="p", namespace="team", containers=(ContainerAsk(name="main", asks=(ONE,)),))
    text = (
        '{"podask":{"name":"p","namespace":"team","containers":[{"name":"main","asks":[{"vendor":"fake","family":"",'
        '"count":1,"memory":1024,"memory_percentage":null,"cores":0,"priority":null,"selection":{"use_models":[],'
        '"avoid_models":[],"use_devices":[],"avoid_devices":[],"same_numa":false},"template":"","mode":"","sets":""}]}],"init_containers":[],'
        '"node_policy":"","device_policy":"","compute_policy":"",'
        '"weights":{"slots":1.0,"cores":1.0,"memory":1.0},"uid":"",'
        '"traits":{"terminating":false,"best_effort":false,"priority_class":"","cross_namespace_affinity":false}},"v":1}'
    )
    assert wire.encode(pod) == text
    assert wire.decode(text, PodAsk) == pod
