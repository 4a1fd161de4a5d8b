"""What is wrong in a document is said in one sentence, with the field, its value and what to write."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.complaints import HIDDEN, complaint


class Port(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of the document."""

    number: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1
    kind: Literal["", "tcp", "udp"] = "tcp"
    share: float | None = None

    def __post_init__(self) -> None:
        if self.kind == "udp" and self.number == 1:
            raise ValueError("number is 1; write another one for udp")


class Listener(msgspec.Struct, forbid_unknown_fields=True):
    """The document."""

    name: str
    ports: tuple[Port, ...] = ()
    labels: dict[str, Port] = {}
    open: bool = False
    main: Port | None = None


def said(document: Any, kind: Any = Listener, shown: bool = True) -> str:
    """The complaint about a document that is not as it should be."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(document, kind)
    return complaint(caught.value, kind, document if shown else HIDDEN)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (3, "the document is 3; write keys with values"),
        (None, "the document is null; write keys with values"),
        ({}, "name is missing; write it"),
        ({"name": 7}, "name is 7; write text"),
        ({"name": "a", "open": "yes"}, "open is 'yes'; write true or false"),
        ({"name": "a", "ports": {}}, "ports is {}; write a list"),
        ({"name": "a", "ports": [{"number": 0}]}, "ports[0].number is 0; write a whole number >= 1"),
        ({"name": "a", "main": {"share": "half"}}, "main.share is 'half'; write a number or null"),
        ({"name": "a", "main": {"kind": "sctp"}}, "main.kind is 'sctp'; write one of tcp, udp"),
        ({"name": "a", "main": {"kind": "udp"}}, "main.number is 1; write another one for udp"),
        (
            {"name": "a", "labels": {"x": {"number": "y"}}},
            "labels[...].number is of another kind; write a whole number",
        ),
        ({1: "a"}, "a key of the document is no text; put it into quotation marks"),
    ],
)
def test_the_field_its_value_and_what_to_write_are_told(document: Any, sentence: str) -> None:
    """Whoever wrote the document finds the place and knows what to do."""
    assert said(document) == sentence


def test_a_key_that_is_not_known_is_told_with_those_that_are() -> None:
    """With what was probably meant, at whatever depth it stands."""
    assert said({"name": "a", "portz": []}) == (
        "portz is no key that is known; perhaps ports; there are: name, ports, labels, open, main"
    )
    deep = said({"name": "a", "ports": [{}, {"colour": 1}]})
    assert deep == "ports[1].colour is no key that is known; there are: number, kind, share"
    assert "there are: number" in said({"name": "a", "main": {"x": 1}})
    assert "there are: number" in said({"name": "a", "labels": {"one": {"x": 1}}})


def test_values_of_what_may_hold_a_secret_are_not_shown() -> None:
    """The place and what to write are."""
    assert said({"name": 1234567}, shown=False) == "name is of another kind; write text"
    assert said({"name": "a", "main": {"kind": "hunter2"}}, shown=False) == (
        "main.kind is none that is known; write one of tcp, udp"
    )


def test_a_long_value_is_cut() -> None:
    """An error is a line, whatever somebody has pasted."""
    assert len(said({"name": ["x" * 5000]})) < 100
    assert len(said({"name": "a", "y" * 5000: 1})) < 200
    assert said({"name": 10**5000}) == "name is too large to show; write text"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["name", "ports", "labels", "open", "main", "x"]), VALUES) | VALUES)
def test_any_document_that_is_refused_has_a_sentence(document: Any) -> None:
    """No word of msgspec's types is needed to understand it, and none of its errors gets through."""
    refused = None
    try:
        msgspec.convert(document, Listener)
    except msgspec.ValidationError as error:
        refused = error
    for shown in (document, HIDDEN) if refused else ():
        sentence = complaint(refused, Listener, shown)
        assert sentence
        assert "Object contains" not in sentence
        assert "Expected" not in sentence
