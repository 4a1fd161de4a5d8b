"""What errors show of values and keys that YAML can spell but no sentence should hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hetero.admission.fields import Section, located, shown, spelt
from hetero.errors import InvalidValue


@pytest.mark.parametrize("value", ["text", "", 5, -1, 0.5, True, b"x"])
def test_a_short_value_is_shown_as_it_is(value: object) -> None:
    """The error carries what the user wrote, so that logs and tests can compare it."""
    assert shown(value) is value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        ({"a": 1}, "a mapping"),
        ([1], "a list"),
        ({1}, "a list"),
        ("x" * 201, "a text of 201 characters"),
        (b"x" * 300, "a text of 300 characters"),
        pytest.param(1 << 20000, "a number of more than 38 digits", id="number"),
    ],
)
def test_a_value_without_a_short_form_is_described(value: object, words: str) -> None:
    """A number of 6000 digits cannot even be printed by Python without leave."""
    assert repr(shown(value)) == words


@pytest.mark.parametrize(
    ("key", "text"),
    [("a/b", "a/b"), (1, "1"), (None, "nothing"), ("a\x1b[31m", r"'a\x1b[31m'"), ("\ud800", r"'\ud800'")],
)
def test_a_key_cannot_steer_the_terminal(key: object, text: str) -> None:
    """Control characters and broken Unicode are spelt out."""
    assert spelt(key) == text


def test_the_source_goes_in_front_and_nothing_else_changes() -> None:
    """Value and reason stay as they were, for those who read the fields of the error."""
    (problem,) = located("f.yaml", [InvalidValue("spec", 5, "is wrong")])
    assert (problem.field, problem.value, problem.reason) == ("f.yaml: spec", 5, "is wrong")
    (bare,) = located("", [InvalidValue("spec", 5, "is wrong")])
    assert bare.field == "spec"


def test_a_missing_section_is_reported_once() -> None:
    """What is missing within it follows from that, and is not said again, however deep."""
    top = Section({})
    inner = top.section("spec", required=True).section("template", required=True)
    assert inner.text("name", required=True) == ""
    assert list(inner.sections("containers", required=True)) == []
    assert [problem.field for problem in top.problems] == ["spec"]


def test_an_optional_section_is_not_missed() -> None:
    """Left out or null, it is empty and nothing is wrong."""
    top = Section({"b": None})
    assert (top.section("a").values, top.section("b").values) == ({}, {})
    assert top.problems == []


@pytest.mark.parametrize("number", [0, 3, 10])
def test_a_number_within_its_bounds_is_taken(number: int) -> None:
    """Both ends belong to the range."""
    assert Section({"n": number}).number("n", 7, high=10) == number


@pytest.mark.parametrize(
    ("read", "otherwise"),
    [
        (lambda section: section.text("x"), ""),
        (lambda section: section.texts("x"), ()),
        (lambda section: section.pairs("x"), {}),
        (lambda section: section.number("x", 7, high=9), 7),
        (lambda section: list(section.sections("x")), []),
    ],
)
def test_reading_goes_on_after_a_problem(read: Callable[[Section], Any], otherwise: object) -> None:
    """Each reader notes the problem and gives something usable, so that the other fields are looked at too."""
    section = Section({"x": 1.5}, "at")
    assert read(section) == otherwise
    assert [problem.field for problem in section.problems] == ["at.x"]
    assert read(Section({})) == otherwise
