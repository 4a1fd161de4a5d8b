"""Lists of names and scores, read and written as kube-scheduler has them."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.scheduler.names import FEW, Names, Scores, levels

NAMES = st.lists(st.text(max_size=8), unique=True, max_size=12)


@given(st.lists(NAMES, max_size=12))
def test_names_are_read_as_they_stand(lists) -> None:
    """Also when the same list comes again, or more lists than are kept."""
    names = Names()
    for one in (*lists, *lists):
        assert names.read(msgspec.Raw(json.dumps(one).encode())) == one


def test_an_equal_list_is_not_read_again() -> None:
    """It is the same object, so what is known by it is known."""
    names = Names()
    assert names.read(msgspec.Raw(b'["a","b"]')) is names.read(msgspec.Raw(b'["a","b"]'))


def test_a_list_that_was_answered_is_known() -> None:
    """kube-scheduler asks prioritize with the list that filter answered."""
    names = Names()
    answered = ["a", "c"]
    names.keep(b'["a","c"]', answered)
    assert names.read(msgspec.Raw(b'["a","c"]')) is answered


def test_what_a_list_was_answered_as_holds() -> None:
    """Before what it was read as: the planner knows the answered one."""
    names = Names()
    read = names.read(msgspec.Raw(b'["a"]'))
    names.keep(b'["a"]', answered := ["a"])
    assert names.read(msgspec.Raw(b'["a"]')) is answered is not read


def test_null_is_no_names() -> None:
    """As Go writes an empty slice."""
    assert Names().read(msgspec.Raw(b"null")) == []


@pytest.mark.parametrize("text", [b"1", b'{"a":1}', b"[1]", b'"a"'])
def test_what_is_no_list_of_names_is_refused(text: bytes) -> None:
    """In one sentence with the field."""
    with pytest.raises(InvalidValue, match="NodeNames"):
        Names().read(msgspec.Raw(text))


@given(st.dictionaries(st.text(max_size=8), st.integers(0, 10), max_size=12))
def test_scores_are_written_as_the_protocol_has_them(scores) -> None:
    """Host and Score for each node that has more than 0, whatever its name."""
    writer = Scores()
    for _ in range(2):  # prepared the second time
        written = json.loads(writer.write(scores))
        assert written == [{"Host": host, "Score": score} for host, score in scores.items() if score]


@given(st.lists(st.floats(0, 1) | st.sampled_from([0.25, 0.5]), min_size=1, max_size=FEW + 1))
def test_the_best_node_alone_has_ten(scores) -> None:
    """The next best are at least two levels below it, a better score is no worse a level, those alike have the same."""
    scores.sort(reverse=True)
    names = [f"n{index}" for index in range(len(scores))]
    found = levels(names, scores)
    assert found.pop("n0") == 10
    assert all(1 <= level <= 8 for level in found.values())
    rest = [(score, found.get(name, 0)) for name, score in zip(names[1:], scores[1:], strict=True)]
    assert [level for _, level in rest] == sorted((level for _, level in rest), reverse=True)
    assert len(set(rest)) == len({score for score, _ in rest})
    assert len(found) <= FEW


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=FEW, unique=True))
def test_among_few_nodes_all_that_fit_have_a_level(scores) -> None:
    """From 1 to 8, the worst 1."""
    scores.sort(reverse=True)
    names = [f"n{index}" for index in range(len(scores))]
    found = levels(names, scores)
    assert (found[names[0]], found[names[-1]]) == (10, 1)
    assert set(found) == set(names)


def test_nodes_that_are_alike_have_the_same_level() -> None:
    """Then what kube-scheduler itself thinks of them decides."""
    assert levels(["b", "a", "c"], [0.5, 0.5, 0.5]) == {"a": 1, "b": 10, "c": 1}
    names = [f"n{index}" for index in range(FEW + 1)]
    assert levels(names, [0.5] * (FEW + 1)) == {"n0": 10}
    assert levels(names, [0.9, *[0.5] * FEW]) == {"n0": 10}


def test_where_nothing_fits_nothing_has_a_score() -> None:
    """There is no best then."""
    assert levels([], []) == {}
