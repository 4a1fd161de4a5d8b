"""Which pods a quota counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.ask import Traits
from hetero.placement.scopes import Scope, applies, scopes

TRAITS = st.builds(
    Traits,
    terminating=st.booleans(),
    best_effort=st.booleans(),
    priority_class=st.sampled_from(["", "high", "low"]),
    cross_namespace_affinity=st.booleans(),
)


@given(TRAITS)
def test_a_quota_without_scopes_counts_every_pod(traits: Traits) -> None:
    """Nothing said is nothing left out."""
    assert applies((), traits)


@given(TRAITS)
def test_a_pod_is_in_one_of_two_opposite_scopes(traits: Traits) -> None:
    """And never in both at once."""
    for one, other in (("Terminating", "NotTerminating"), ("BestEffort", "NotBestEffort")):
        assert applies([Scope(name=one)], traits) != applies([Scope(name=other)], traits)
        assert not applies([Scope(name=one), Scope(name=other)], traits)


@pytest.mark.parametrize(
    ("name", "traits"),
    [
        ("Terminating", Traits(terminating=True)),
        ("NotTerminating", Traits()),
        ("BestEffort", Traits(best_effort=True)),
        ("NotBestEffort", Traits()),
        ("CrossNamespacePodAffinity", Traits(cross_namespace_affinity=True)),
        ("PriorityClass", Traits(priority_class="high")),
    ],
)
def test_a_scope_looks_at_one_fact(name: str, traits: Traits) -> None:
    """Its name is the fact, its presence enough."""
    assert applies(scopes([name], None), traits)
    assert applies(scopes(None, [(name, "Exists", None)]), traits)


@pytest.mark.parametrize(
    ("operator", "values", "met"),
    [
        ("In", ("high", "low"), {"high": True, "mid": False, "": False}),
        ("NotIn", ("high",), {"high": False, "mid": True, "": True}),
        ("Exists", (), {"high": True, "mid": True, "": False}),
        ("DoesNotExist", (), {"high": False, "mid": False, "": True}),
        ("Near", ("high",), {"high": False, "": False}),
    ],
)
def test_priority_classes_are_compared_as_labels_are(
    operator: str, values: tuple[str, ...], met: dict[str, bool]
) -> None:
    """A pod without one is in the complement of every list; an operator that there is none of is met by nobody."""
    condition = Scope(name="PriorityClass", operator=operator, values=values)
    assert {name: applies([condition], Traits(priority_class=name)) for name in met} == met


@pytest.mark.parametrize("name", ["VolumeAttributesClass", "terminating", "Whatever", ""])
@given(traits=TRAITS)
def test_a_scope_that_is_not_about_pods_counts_none(name: str, traits: Traits) -> None:
    """As the API server has it: what it cannot match does not match."""
    assert not applies([Scope(name=name)], traits)


def test_both_places_of_a_specification_count() -> None:
    """``scopes`` and ``scopeSelector`` stand side by side, and every condition must be met."""
    both = scopes(["NotTerminating"], [("PriorityClass", "In", ["high"])])
    assert both == (Scope(name="NotTerminating"), Scope(name="PriorityClass", operator="In", values=("high",)))
    assert applies(both, Traits(priority_class="high"))
    assert not applies(both, Traits(priority_class="high", terminating=True))
    assert not applies(both, Traits(priority_class="low"))


def test_no_scopes_at_all_are_none() -> None:
    """Both places are left out in most quotas."""
    assert scopes(None, None) == ()
