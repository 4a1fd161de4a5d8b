"""Who must go so that a more important pod fits: those that somebody chose already, and as few more as need be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.model.placement import Placement
from hetero.placement import Planner
from hetero.placement.preemption import victims
from hetero.testing.fake import fake_node


def _full(planner: Any, pod: Any, ask: Any, *sizes: int, memory: int = 1000) -> Planner:
    """A node ``a`` of one device with pods ``0``, ``1`` and so on of these sizes."""
    one: Planner = planner(fake_node("a", memory=memory), fake_node("b", memory=memory))
    for index, size in enumerate(sizes):
        placed = one.place_on(pod(ask(memory=size), name=str(index), uid=str(index)), "a")
        assert isinstance(placed, Placement)
        one.charge(placed)
    return one


def test_nobody_goes_where_the_pod_fits(planner: Any, pod: Any, ask: Any) -> None:
    """But those whom somebody else chose go in any case."""
    one = _full(planner, pod, ask, 100, 100)
    assert one.victims(pod(ask(memory=800)), "a", ["0", "1"]) == []
    assert one.victims(pod(ask(memory=800)), "a", ["0"], given=["1", "unknown"]) == ["1", "unknown"]


def test_the_most_important_are_spared_first(planner: Any, pod: Any, ask: Any) -> None:
    """Removable pods come most important first."""
    one = _full(planner, pod, ask, 300, 300, 300)
    assert one.victims(pod(ask(memory=400)), "a", ["0", "1", "2"]) == ["2"]
    assert one.victims(pod(ask(memory=400)), "a", ["2", "1", "0"]) == ["0"]
    assert one.victims(pod(ask(memory=401)), "a", ["0", "1", "2"]) == ["1", "2"]


def test_one_that_is_needed_goes_though_it_is_important(planner: Any, pod: Any, ask: Any) -> None:
    """And the small ones that would not be enough stay."""
    one = _full(planner, pod, ask, 600, 100, 100)
    assert one.victims(pod(ask(memory=700)), "a", ["0", "1", "2"]) == ["0"]


def test_nothing_helps_where_the_pod_would_never_fit(planner: Any, pod: Any, ask: Any) -> None:
    """Nor where those that may not go are too many, nor on a node that nobody knows."""
    one = _full(planner, pod, ask, 500, 500)
    assert one.victims(pod(ask(memory=2000)), "a", ["0", "1"]) is None
    assert one.victims(pod(ask(memory=600)), "a", ["1"]) is None
    assert one.victims(pod(ask(memory=600)), "unknown", ["0", "1"]) is None


def test_pods_of_other_nodes_are_no_victims(planner: Any, pod: Any, ask: Any) -> None:
    """Nor are those of which nothing is charged."""
    one = _full(planner, pod, ask, 900)
    one.charge(one.place_on(pod(ask(memory=900), name="far", uid="far"), "b"))
    assert one.victims(pod(ask(memory=500)), "a", ["far", "nobody", "0"]) == ["0"]


def test_looking_for_victims_changes_nothing(planner: Any, pod: Any, ask: Any) -> None:
    """Not the account, and not what is known of any kind of pod."""
    one, asked = _full(planner, pod, ask, 400, 400), pod(ask(memory=500))
    before = one.free_quantities()
    one.victims(asked, "a", ["0", "1"])
    assert one.free_quantities() == before
    assert one.options(asked).split(["a", "b"])[0] == ["b"]
    one.charge(one.place_on(pod(ask(memory=100), name="late"), "a"))
    one.victims(asked, "a", ["0", "1"])
    assert one.options(asked).split(["a", "b"])[0] == ["b"]


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=7)


@settings(max_examples=200, deadline=None)
@given(SIZES, st.integers(1, 30), st.data())
def test_every_victim_is_needed(sizes: list[int], asked: int, data: st.DataObject) -> None:
    """With all of them gone the pod fits, and with any one of those that were added left it does not."""
    room = 5

    def fits(gone: Iterable[str]) -> bool:
        return room + sum(sizes[int(key)] for key in set(gone)) >= asked

    keys = [str(index) for index in range(len(sizes))]
    given_up = data.draw(st.lists(st.sampled_from(keys), unique=True))
    found = victims(fits, keys, given_up)
    if found is None:
        assert not fits(keys)
        return
    assert fits(found)
    assert set(given_up) <= set(found)
    for key in set(found) - set(given_up):
        assert not fits([other for other in found if other != key])
