"""Simulated machines: cards in the driver's order, with whatever a vendor says of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.model import wire
from hetero.model.machine import Card, Machine, checked


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a card of some vendor."""

    model: str
    memory: int = 8192
    spare: bool = False
    rings: tuple[int, ...] = ()


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


def test_the_keys_of_a_card_are_taken_and_completed() -> None:
    """What is not written has its default."""
    assert checked({"model": "W1", "rings": [0, 1]}, Board, "cards[0]") == Board(model="W1", rings=(0, 1))


@pytest.mark.parametrize(
    ("key", "written", "value"), [("memory", "4096", 4096), ("spare", "true", True), ("rings", ["0", 1], (0, 1))]
)
def test_a_quoted_value_is_the_value(key: str, written: object, value: object) -> None:
    """YAML tells 4096 from "4096"; people do not."""
    settings = {"model": "W1", key: written}
    assert getattr(checked(settings, Board, "cards[0]"), key) == value


@pytest.mark.parametrize(
    ("settings", "field", "value"),
    [
        ({"model": "W1", "memory": "much"}, "cards[0].memory", "much"),
        ({"model": ["W1"]}, "cards[0].model", ["W1"]),
        ({"model": "W1", "rings": [0, "x"]}, "cards[0].rings", [0, "x"]),
        ({"model": "W1", "spare": "perhaps"}, "cards[0].spare", "perhaps"),
        ({"memory": 1}, "cards[0]", {"memory": 1}),
    ],
)
def test_what_is_wrong_with_a_card_is_named(settings: dict[str, Any], field: str, value: object) -> None:
    """The key where it is one key's value, else the card: with what was written and what cannot be."""
    with pytest.raises(InvalidValue) as caught:
        checked(settings, Board, "cards[0]")
    assert (caught.value.field, caught.value.value) == (field, value)
    assert caught.value.reason.startswith("cannot be used: ")
    assert "$" not in caught.value.reason or field == "cards[0]"


def test_a_key_that_is_not_known_is_named_with_those_that_are() -> None:
    """It is misspelt more often than not, and the right one is among them."""
    with pytest.raises(InvalidValue, match=r"^cards\[0\]\.memroy: 1 is given for a key that is not known; ") as caught:
        checked({"model": "W1", "memroy": 1}, Board, "cards[0]")
    assert caught.value.reason.endswith(f"known are {', '.join(Board.__struct_fields__)}")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ax0$` -.", max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ax0$` -.", max_size=6), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["model", "memory", "spare", "rings", "x"]), ANYTHING))
def test_any_keys_are_a_card_or_refused(settings: dict[str, Any]) -> None:
    """Whatever a YAML reader returns: never another error, and never a card of other types."""
    try:
        found = checked(settings, Board, "cards[0]")
    except InvalidValue:
        return
    assert type(found.memory) is int
    assert isinstance(found.model, str)
