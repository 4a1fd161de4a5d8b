"""Simulated machines: cards in the driver's order, with whatever a vendor says of them."""

from __future__ import annotations

import pytest

from hetero.model import wire
from hetero.model.machine import Card, Machine

CARDS = (
    Card(vendor="acme", settings={"memory": 8192, "links": ["pair"], "health": {"ok": True}}),
    Card(vendor="other", settings={}),
)


def test_a_machine_is_read_as_it_was_written() -> None:
    """A program that joins the machine later sees the same cards; settings may nest."""
    machine = Machine(name="m", cards=CARDS, drivers={"acme": {"version": "1.0"}})
    assert wire.decode(wire.encode(machine), Machine) == machine


def test_cards_keep_the_order_of_the_driver() -> None:
    """The first card of the file is device 0."""
    assert [card.vendor for card in Machine(name="m", cards=CARDS).cards] == ["acme", "other"]
    assert Machine(name="m", cards=CARDS) != Machine(name="m", cards=CARDS[::-1])


def test_drivers_have_their_defaults() -> None:
    """A file need not name a driver, and machines share none."""
    Machine(name="m", cards=()).drivers["acme"] = {"version": "9"}
    assert Machine(name="m", cards=()).drivers == {}


@pytest.mark.parametrize("fields", [{"vendor": "acme"}, {"settings": {}}])
def test_a_card_has_a_vendor_and_settings(fields: dict[str, object]) -> None:
    """Both are completed by the vendor before a card is made."""
    with pytest.raises(TypeError, match="Missing required argument"):
        Card(**fields)  # type: ignore[arg-type]
