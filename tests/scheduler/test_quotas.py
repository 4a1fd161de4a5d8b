"""ResourceQuotas of the API and what the planner is told of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from hetero.kube import objects
from hetero.kube.objects import Metadata, QuotaScope, QuotaScopes, QuotaSpec, ResourceQuota
from hetero.placement.quota import Quota
from hetero.scheduler.quotas import Quotas, quota

MEMORY = "limits.fake.example/npumem"


class Bank:
    """Remembers the quotas of namespaces, and how often it was told."""

    def __init__(self) -> None:
        self.quotas: dict[str, list[str]] = {}
        self.told = 0

    def put_quotas(self, namespace: str, quotas: Sequence[Quota]) -> None:
        self.told += 1
        self.quotas[namespace] = [one.name for one in quotas]


def api(name: str, namespace: str = "team", amount: object = "1000", **spec: object) -> ResourceQuota:
    """As the API has it."""
    return ResourceQuota(Metadata(name=name, namespace=namespace), QuotaSpec(hard={MEMORY: amount}, **spec))


@pytest.fixture
def bank() -> Bank:
    """Without quotas."""
    return Bank()


@pytest.fixture
def quotas(bank: Bank, vendors) -> Quotas:
    """Keeps the bank in step."""
    return Quotas(bank, vendors, threading.RLock())


def test_a_quota_has_limits_and_scopes(vendors) -> None:
    """From both places where scopes may stand."""
    selector = QuotaScopes((QuotaScope("PriorityClass", "In", ("high",)),))
    found = quota(api("q", scopes=("NotTerminating",), scope_selector=selector), vendors)
    assert found.name == "q"
    assert [limit.amount for limit in found.limits] == [1000]
    assert [scope.name for scope in found.scopes] == ["NotTerminating", "PriorityClass"]


def test_all_quotas_of_a_namespace_are_told_together(quotas: Quotas, bank: Bank) -> None:
    """A second one does not take the place of the first, and each goes alone."""
    quotas.put(api("one"))
    quotas.put(api("two"))
    assert bank.quotas == {"team": ["one", "two"]}
    quotas.remove(api("one"))
    assert bank.quotas == {"team": ["two"]}
    quotas.remove(api("two"))
    assert bank.quotas == {"team": []}


def test_the_status_of_a_quota_tells_the_planner_nothing(quotas: Quotas, bank: Bank) -> None:
    """It changes with every pod; what is allowed does not."""
    quotas.put(api("one"))
    quotas.put(api("one"))
    assert bank.told == 1
    quotas.put(api("one", amount="2000"))
    assert bank.told == 2


def test_a_list_replaces_all(quotas: Quotas, bank: Bank) -> None:
    """Also in namespaces that have none any more."""
    quotas.replace([api("one"), api("two", "other")])
    assert bank.quotas == {"team": ["one"], "other": ["two"]}
    quotas.replace([api("three", "other")])
    assert bank.quotas == {"team": [], "other": ["three"]}


def test_a_quota_that_cannot_be_read_keeps_what_it_said(quotas: Quotas, bank: Bank) -> None:
    """Neither does it take others with it."""
    quotas.put(api("one"))
    quotas.put(api("one", amount="much"))
    quotas.put(api("two"))
    assert bank.quotas == {"team": ["one", "two"]}
    quotas.replace([api("one", amount="much"), api("two"), api("three", amount="much")])  # everything is listed anew
    assert bank.quotas == {"team": ["one", "two"]}


def test_a_quota_that_was_never_there_can_go(quotas: Quotas, bank: Bank) -> None:
    """A deletion may come first."""
    quotas.remove(objects.ResourceQuota(Metadata(name="x", namespace="y")))
    assert bank.told == 0
