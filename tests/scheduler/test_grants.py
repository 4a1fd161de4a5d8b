"""Promised places: one for each pod, the tentative ones for a while."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hetero.scheduler.grants import Grants, Kind


def test_a_tentative_grant_expires(clock, placed) -> None:
    """Not before its time, and then once."""
    grants = Grants(clock, 10)
    grants.put(placed("x"), Kind.TENTATIVE)
    clock.now += 9.9
    assert list(grants.expired()) == []
    clock.now += 0.1
    assert [one.placement.pod for one in grants.expired()] == ["x"]
    assert list(grants.expired()) == []
    assert grants.get("uid-x") is None


def test_a_grant_that_came_further_does_not_expire(clock, placed) -> None:
    """A Binding that is under way has as long as it takes."""
    grants = Grants(clock, 10)
    grants.put(placed("x"), Kind.TENTATIVE)
    assert grants.advance("uid-x", Kind.BINDING)
    clock.now += 1000
    assert list(grants.expired()) == []
    assert [one.placement.pod for one in grants.firm(Kind.BINDING)] == ["x"]
    assert grants.firm(Kind.UNKNOWN) == []


def test_a_new_promise_replaces_the_old_one(clock, placed) -> None:
    """A pod has one place, and its time begins anew."""
    grants = Grants(clock, 10)
    grants.put(placed("x", "a"), Kind.TENTATIVE)
    clock.now += 6
    grants.put(placed("x", "b"), Kind.TENTATIVE)
    clock.now += 6
    assert list(grants.expired()) == []
    assert [one.placement.node for one in grants.all()] == ["b"]


def test_a_dropped_grant_cannot_come_further(clock, placed) -> None:
    """The pod was deleted while it was bound: the answer finds nothing to advance."""
    grants = Grants(clock, 10)
    grants.put(placed("x"), Kind.BINDING)
    assert grants.drop("uid-x") is not None
    assert grants.drop("uid-x") is None
    assert not grants.advance("uid-x", Kind.BOUND)
    assert grants.all() == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Kind), st.floats(0, 20)), max_size=20))
def test_counts_are_those_of_the_last_promise_of_each_pod(history) -> None:
    """Whatever came before; what is expired is gone from them."""
    now = [0.0]
    grants = Grants(lambda: now[0], 10)
    last = {}
    from hetero.model.placement import Placement

    for name, kind, pause in history:
        now[0] += pause
        for one in grants.expired():
            assert now[0] - last.pop(one.placement.key)[1] >= 10
        grants.put(Placement(namespace="d", pod=name, node="n", uid=name), kind)
        last[name] = kind, now[0]
    assert grants.counts() == {kind: sum(one[0] is kind for one in last.values()) for kind in Kind}
    assert len(grants.all()) == len(last)
