"""Addresses, and that nothing is said in the clear to other machines."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.listening import Address, address, guard, listen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9444", Address("127.0.0.1", 9444)),
        (":9443", Address("0.0.0.0", 9443)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:1", Address("localhost", 1)),
    ],
)
def test_an_address_is_host_and_port(text: str, expected: Address) -> None:
    """Without a host it is every address of the machine."""
    assert address(text, "--public") == expected


@pytest.mark.parametrize("text", ["", "9443", "host", "host:", "host:x", "host:70000", "::1:9443", "host:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With the option's name."""
    with pytest.raises(InvalidValue, match="--public"):
        address(text, "--public")


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """In one way or the other."""
    try:
        found = address(text, "--public")
    except InvalidValue:
        return
    assert 0 <= found.port <= 65535


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        *((host, True) for host in ("127.0.0.1", "::1", "localhost", "127.8.0.1")),
        *((host, False) for host in ("0.0.0.0", "10.0.0.1", "::", "scheduler.example")),
    ],
)
def test_only_loopback_may_be_plain(host: str, inside: bool) -> None:
    """Elsewhere a certificate is needed, or an explicit word."""
    where = Address(host, 1)
    assert where.loopback is inside
    guard(where, "--public", encrypted=True, insecure=False)
    guard(where, "--public", encrypted=False, insecure=True)
    if inside:
        guard(where, "--public", encrypted=False, insecure=False)
    else:
        with pytest.raises(InvalidValue, match="--tls-cert"):
            guard(where, "--public", encrypted=False, insecure=False)


def test_a_taken_address_is_told() -> None:
    """Before anything is started."""
    with listen(Address("127.0.0.1", 0), "--public") as first:
        port = first.getsockname()[1]
        with pytest.raises(InvalidValue, match=f"--public: '127.0.0.1:{port}' cannot be listened on"):
            listen(Address("127.0.0.1", port), "--public")
        with socket.create_connection(("127.0.0.1", port), timeout=120):
            pass


def test_an_address_of_another_machine_is_told() -> None:
    """As a sentence."""
    with pytest.raises(InvalidValue, match="cannot be listened on"):
        listen(Address("192.0.2.1", 0), "--extender")
