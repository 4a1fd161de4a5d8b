"""Applies the conformance suite to a vendor and tells which of its rules failed; and an API server in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hetero.kube.client import Api
from hetero.testing import VendorConformance
from hetero.testing.apiserver import ApiServer
from hetero.vendor import Vendor

SUITE = frozenset(name for name in dir(VendorConformance) if name.startswith("test_"))

OF_THE_PACKAGE = frozenset(
    {
        "test_import_opens_no_driver",
        "test_import_starts_nothing",
        "test_registering_reads_nothing",
        "test_the_package_registers_the_vendor",
        "test_scorers_give_numbers",
        "test_another_process_prepares_the_same",
        "test_a_crash_is_made_good",
        "test_a_crash_leaves_nothing_on_the_chip",
        "test_devices_are_the_same_for_every_process",
        "test_faulty_drivers_are_told",
        "test_only_a_hanging_driver_is_not_heard_of",
        "test_faults_are_noticed",
        "test_preparing_stays_in_its_directory",
    }
)


@pytest.fixture
def rules_of_vendors() -> frozenset[str]:
    """The rules that are about the object in this process."""
    return SUITE - OF_THE_PACKAGE


@pytest.fixture
def rules_of_packages() -> frozenset[str]:
    """The rules that are about what other processes import."""
    assert OF_THE_PACKAGE < SUITE
    return OF_THE_PACKAGE


@pytest.fixture
def broken_rules() -> Callable[..., set[str]]:
    """``broken_rules(vendor, rules, models=...)``: those of the rules that fail."""

    def check(vendor: Vendor, rules: frozenset[str], **subject: Any) -> set[str]:
        case = type("Case", (VendorConformance,), {"vendor": vendor, "examples": 5, **subject})()
        return {rule for rule in sorted(rules) if _fails(getattr(case, rule))}

    return check


def _fails(test: Callable[[], None]) -> bool:
    try:
        test()
    except Exception:
        return True
    return False


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A server that runs."""
    with ApiServer() as running:
        yield running


@pytest.fixture
def api(server: ApiServer) -> Iterator[Api]:
    """A client of it."""
    client = server.api()
    yield client
    client.close()
