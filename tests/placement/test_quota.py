"""What a namespace may take in all: read as people write it, summed as Kubernetes sums, all quotas together."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.model.ask import Ask, ContainerAsk, PodAsk, Traits
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Reason, Share
from hetero.placement.quota import DEVICES, Accounts, Dimension, Quota, amounts, least, read
from hetero.placement.scopes import Scope
from hetero.testing.fake import fake_resources, fake_vendor

VENDORS = {name: fake_vendor(name) for name in ("fake", "other")}
NPUS, MIB, PERCENT = (("fake", "", what) for what in (DEVICES, MEMORY, CORES))
HIGH = Traits(priority_class="high")


def _quota(name: str = "q", scopes: tuple[Scope, ...] = (), **hard: Any) -> Quota:
    """A quota on the fake vendor's resources: ``npu``, ``npumem``, ``npucores``."""
    lines = {f"limits.fake.example/{resource}": amount for resource, amount in hard.items()}
    return read(name, lines, VENDORS, scopes)


def _container(*shares: tuple[int, int], vendor: str = "fake") -> ContainerPlacement:
    """A container with a device for each pair of memory and compute."""
    devices = tuple(
        DeviceShare(
            vendor=vendor,
            device=f"{vendor}-{index}",
            share=Share(quantities={SLOTS: 1, MEMORY: memory, CORES: cores}),
        )
        for index, (memory, cores) in enumerate(shares)
    )
    return ContainerPlacement(container="c", devices=devices)


def _placed(
    *containers: ContainerPlacement, init: tuple[ContainerPlacement, ...] = (), name: str = "p", namespace: str = "team"
) -> Placement:
    return Placement(namespace=namespace, pod=name, node="n", containers=containers, init_containers=init)


def _asking(*asks: Ask, init: tuple[Ask, ...] = ()) -> PodAsk:
    containers = tuple(ContainerAsk(name=f"c{index}", asks=(ask,)) for index, ask in enumerate(asks))
    before = tuple(ContainerAsk(name=f"i{index}", asks=(ask,)) for index, ask in enumerate(init))
    return PodAsk(name="p", containers=containers, init_containers=before)


def _limits(quota: Quota) -> dict[Dimension, int]:
    return {limit.key: limit.amount for limit in quota.limits}


@pytest.mark.parametrize("prefix", ["limits", "requests"])
def test_a_quota_is_read_by_the_vendors_words(prefix: str) -> None:
    """Count, memory and compute of any installed vendor; other lines are Kubernetes' own business."""
    hard = {
        f"{prefix}.fake.example/npu": "4",
        f"{prefix}.fake.example/npumem": 8192,
        f"{prefix}.other.example/npucores": "1k",
        f"{prefix}.fake.example/npumem-percentage": 100,
        f"{prefix}.fake.example/npu-priority": 1,
        f"{prefix}.acme.com/npu": 1,
        f"{prefix}.cpu": "500m",
        "fake.example/npu": 3,
        "pods": "10",
        "count/deployments.apps": 5,
    }
    quota = read("q", hard, VENDORS)
    assert _limits(quota) == {NPUS: 4, MIB: 8192, ("other", "", CORES): 1000}
    assert [limit.resource for limit in quota.limits] == [
        "fake.example/npu",
        "fake.example/npumem",
        "other.example/npucores",
    ]


def test_memory_is_read_in_its_resources_unit() -> None:
    """A chip that counts memory in pieces of 256 MiB does so in a quota as well."""
    coarse = replace(VENDORS["fake"], resources=(replace(fake_resources(), memory_unit=256, family="f"),))
    quota = read("q", {"limits.fake.example/npumem": 10}, {"fake": coarse})
    assert _limits(quota) == {("fake", "f", MEMORY): 2560}


@pytest.mark.parametrize("amount", [-1, "-500m", "many", None, True, []])
def test_an_amount_that_is_none_is_refused_with_its_field(amount: Any) -> None:
    """The API server lets a quota through that nobody can count."""
    with pytest.raises(InvalidValue) as caught:
        _quota("small", npumem=amount)
    assert caught.value.field == "resourcequota small: spec.hard[limits.fake.example/npumem]"


def test_a_cluster_has_more_than_a_device() -> None:
    """The sum over thousands of devices is an amount."""
    assert _limits(_quota(npumem="1Ti")) == {MIB: 2**40}


@pytest.mark.parametrize(("amount", "whole"), [("1.5", 1), ("500m", 0), ("9E", 2**62), (2**63, 2**62), ("1e99", 2**62)])
def test_what_kubernetes_takes_in_a_quota_holds(amount: Any, whole: int) -> None:
    """A fraction allows what is whole of it, and one line beyond all measure does not undo the others."""
    assert _limits(_quota(npumem=amount, npu=3)) == {MIB: whole, NPUS: 3}


def test_containers_add_up_and_an_init_container_counts_where_it_is_more() -> None:
    """Each device of each container counts, also when two share one card."""
    placement = _placed(
        _container((100, 10), (100, 10)),
        _container((50, 0)),
        _container((7, 7), vendor="other"),
        init=(_container((200, 5)), _container((500, 0))),
    )
    others = {("other", "", what): amount for what, amount in ((DEVICES, 1), (MEMORY, 7), (CORES, 7))}
    assert amounts(placement) == {NPUS: 3, MIB: 500, PERCENT: 20, **others}


def test_what_is_zero_is_not_counted() -> None:
    """A share without a limit on compute takes none of a quota."""
    assert amounts(_placed(_container((100, 0)))) == {NPUS: 1, MIB: 100}
    assert amounts(_placed(_container())) == {}


def test_a_pod_counts_before_it_has_a_device() -> None:
    """Devices, compute and MiB as asked, each on every device; memory in percent or whole is not known yet."""
    pod = _asking(
        Ask(vendor="fake", count=2, memory=100, cores=30),
        Ask(vendor="fake", memory_percentage=50),
        Ask(vendor="fake", cores=100),
        init=(Ask(vendor="fake", memory=1000),),
    )
    assert least(pod) == {NPUS: 4, MIB: 1000, PERCENT: 160}


def test_without_quotas_nothing_is_refused() -> None:
    """And nothing has to be looked up for the pod."""
    accounts = Accounts()
    accounts.take(_placed(_container((100, 0))))
    assert accounts.refusal("team", {MIB: 10**9}) is None
    assert accounts.room("team") is None


def test_the_last_mebibyte_can_be_had() -> None:
    """Up to the limit and not beyond it."""
    accounts = Accounts()
    accounts.put("team", [_quota(npumem=1000)])
    accounts.take(_placed(_container((600, 0))))
    assert accounts.refusal("team", {MIB: 400}) is None
    assert accounts.refusal("team", {MIB: 401}) is not None
    assert accounts.room("team") == {MIB: 400}


def test_a_refusal_says_quota_resource_and_figures() -> None:
    """Every limit that is broken, so that the user asks for all of them at once."""
    accounts = Accounts()
    accounts.put("team", [_quota("memory", npumem=1000, npu=5), _quota("compute", npucores=100)])
    accounts.take(_placed(_container((600, 90))))
    refusal = accounts.refusal("team", {MIB: 500, PERCENT: 20, NPUS: 1})
    assert refusal is not None
    assert refusal.reason is Reason.QUOTA
    assert refusal.message == (
        "quota memory allows 1000 MiB of fake.example/npumem in all, in use 600 MiB, asked 500 MiB; "
        "quota compute allows 100 percent of fake.example/npucores in all, in use 90 percent, asked 20 percent"
    )


def test_all_quotas_of_a_namespace_hold_together() -> None:
    """The tightest decides, whatever order they come in."""
    for order in ((1000, 300), (300, 1000)):
        accounts = Accounts()
        accounts.put("team", [_quota(str(most), npumem=most) for most in order])
        assert accounts.room("team") == {MIB: 300}
        assert accounts.refusal("team", {MIB: 301}) is not None


def test_another_namespaces_quota_is_not_ours() -> None:
    """Neither its limits nor its pods."""
    accounts = Accounts()
    accounts.put("team", [_quota(npu=1)])
    accounts.take(_placed(_container((1, 0)), namespace="other"))
    assert accounts.room("team") == {NPUS: 1}
    assert accounts.room("other") is None


def test_a_quota_that_comes_later_counts_who_is_there() -> None:
    """Pods keep what they have; only new ones are held to it."""
    accounts = Accounts()
    accounts.take(_placed(_container((600, 0)), name="a"))
    accounts.put("team", [_quota(npumem=500)])
    assert accounts.room("team") == {MIB: -100}
    assert accounts.refusal("team", {MIB: 1}) is not None


def test_a_pod_is_not_held_to_what_it_does_not_ask() -> None:
    """Others' excess of memory does not stop a pod that asks compute alone."""
    accounts = Accounts()
    accounts.put("team", [_quota(npumem=500, npucores=100)])
    accounts.take(_placed(_container((600, 0))))
    assert accounts.refusal("team", {PERCENT: 100}) is None
    assert accounts.refusal("team", {PERCENT: 100, MIB: 0}) is None


def test_quotas_are_replaced_as_a_whole() -> None:
    """What is not among the new ones is gone, and an empty list is none."""
    accounts = Accounts()
    accounts.put("team", [_quota("a", npumem=1), _quota("b", npu=1)])
    accounts.put("team", [_quota("b", npu=2)])
    assert accounts.room("team") == {NPUS: 2}
    accounts.put("team", [])
    assert accounts.room("team") is None


def test_a_quota_without_lines_of_ours_is_none() -> None:
    """Most quotas are about CPU."""
    accounts = Accounts()
    accounts.put("team", [read("cpu", {"limits.cpu": "10"}, VENDORS)])
    assert accounts.room("team") is None


def test_zero_allows_nothing() -> None:
    """As for any other resource of Kubernetes."""
    accounts = Accounts()
    accounts.put("team", [_quota(npu=0)])
    assert accounts.refusal("team", {NPUS: 1}) is not None


def test_a_scoped_quota_counts_and_holds_the_pods_of_its_scope() -> None:
    """Pods outside it neither fill it nor are held to it."""
    accounts = Accounts()
    accounts.put("team", [_quota(scopes=(Scope(name="PriorityClass", operator="In", values=("high",)),), npumem=1000)])
    accounts.take(_placed(_container((900, 0)), name="plain"))
    assert accounts.room("team") is None
    assert accounts.room("team", HIGH) == {MIB: 1000}
    accounts.take(_placed(_container((800, 0)), name="important"), HIGH)
    assert accounts.refusal("team", {MIB: 300}) is None
    assert accounts.refusal("team", {MIB: 300}, HIGH) is not None


def test_a_quota_whose_scope_changes_counts_others_at_once() -> None:
    """Nobody has to be counted again."""
    accounts = Accounts()
    accounts.take(_placed(_container((1, 0)), name="a"))
    accounts.take(_placed(_container((2, 0)), name="b"), HIGH)
    for scope, left in (((), 97), ((Scope(name="PriorityClass"),), 98)):
        accounts.put("team", [_quota(scopes=scope, npumem=100)])
        assert accounts.room("team", HIGH) == {MIB: left}


def test_thousands_of_quotas_are_few_words() -> None:
    """A namespace may have any number of quotas; the refusal names the first, not all that are alike."""
    accounts = Accounts()
    accounts.put("team", [_quota(f"q{number}", npumem=1000 - number % 7) for number in range(3000)])
    assert accounts.room("team") == {MIB: 994}
    assert accounts.refusal("team", {MIB: 994}) is None
    refusal = accounts.refusal("team", {MIB: 995})
    assert refusal is not None
    assert refusal.message.startswith("quota q6 allows 994 MiB")
    assert refusal.message.count("allows") == 8


_PODS = st.lists(
    st.builds(
        lambda shares, init, namespace, high: (
            _placed(*map(_one, shares), init=tuple(map(_one, init)), namespace=namespace),
            HIGH if high else Traits(),
        ),
        st.lists(st.integers(0, 5), max_size=3),
        st.lists(st.integers(0, 9), max_size=2),
        st.sampled_from(["team", "other"]),
        st.booleans(),
    ),
    max_size=8,
)


def _one(memory: int) -> ContainerPlacement:
    return _container((memory, 10 * memory))


@settings(deadline=None)
@given(_PODS, st.integers(0, 2**32))
def test_what_comes_and_goes_leaves_nothing(pods: list[tuple[Placement, Traits]], seed: int) -> None:
    """After any history the sums are those of the pods that are there."""
    accounts, fresh = Accounts(), Accounts()
    quotas = [_quota("all", npumem=100, npucores=500, npu=9), _quota("s", (Scope(name="PriorityClass"),), npumem=40)]
    for one in (accounts, fresh):
        one.put("team", quotas)
    chance = random.Random(seed)
    for pod in chance.sample(pods, len(pods)):
        accounts.take(*pod)
    gone = pods[: len(pods) // 2]
    for pod in chance.sample(gone, len(gone)):
        accounts.give(*pod)
    for pod in pods[len(gone) :]:
        fresh.take(*pod)
    for traits in (Traits(), HIGH):
        assert accounts.room("team", traits) == fresh.room("team", traits)


@settings(deadline=None)
@given(_PODS, st.lists(st.integers(0, 60), min_size=1, max_size=3))
def test_no_quota_is_ever_passed(pods: list[tuple[Placement, Traits]], limits: list[int]) -> None:
    """Whoever is let in one after another, each limit holds for the sum."""
    accounts = Accounts()
    accounts.put("team", [_quota(str(index), npumem=most) for index, most in enumerate(limits)])
    let_in = 0
    for placement, traits in pods:
        if placement.namespace == "team" and accounts.refusal("team", amounts(placement), traits) is None:
            accounts.take(placement, traits)
            let_in += amounts(placement).get(MIB, 0)
    assert let_in <= min(limits)
    assert accounts.room("team") == {MIB: min(limits) - let_in}
