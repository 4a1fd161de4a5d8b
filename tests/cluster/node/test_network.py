"""Nodes do not get into each other's way: addresses, networks and names are each node's own."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.node import network
from tests.cluster.node.network import Place

NUMBERS = st.integers(1, 200)
LONGEST_LINK = 15
"""IFNAMSIZ of the kernel, without the end."""


@given(NUMBERS, NUMBERS)
def test_two_nodes_share_nothing(one: int, other: int) -> None:
    """Neither address nor network nor link, nor anything of the bridge's or the services'."""
    first, second = Place(one), Place(other)
    for mine, yours in ((first.address, second.address), (first.pods, second.pods), (first.link, second.link)):
        assert (mine == yours) == (one == other)
    address, pods = ipaddress.ip_address(first.address), ipaddress.ip_network(first.pods)
    assert address not in pods
    assert str(address) != network.GATEWAY
    assert address in ipaddress.ip_network(f"{network.GATEWAY}/24", strict=False)
    assert not pods.overlaps(ipaddress.ip_network(network.SERVICES))
    assert len(f"{first.link}-in") <= LONGEST_LINK


def test_pods_find_the_api_server_at_the_first_address_of_the_services() -> None:
    """As client libraries and certificates have it."""
    assert str(ipaddress.ip_network(network.SERVICES)[1]) == network.SERVICE
