"""Several asks on one node: the rule that mostly works is right where it finds something, the search always is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.model.ask import Ask, Selection
from hetero.model.device import Inventory, Node
from hetero.placement import search
from hetero.placement.fit import Fit, Need
from hetero.placement.ledger import Ledger
from hetero.placement.search import Search, seats
from hetero.placement.together import Table, greedy
from hetero.testing.fake import fake_device, fake_vendor

MANY = settings(max_examples=150, deadline=None)


class Case:
    """A node with so much memory free on each device, and asks of so many devices with so much memory each."""

    def __init__(
        self, free: Sequence[int], asks: Sequence[tuple[int, int]], numa: Sequence[int] = (), bound: bool = False
    ) -> None:
        devices = tuple(fake_device(index, memory=100, numa=numa[index] if numa else 0) for index, _ in enumerate(free))
        self.ledger = Ledger(Inventory(nodes=(Node(name="n", devices=devices),)))
        self.ledger.add("n", {f"fake-{index}": {"memory": 100 - left} for index, left in enumerate(free)})
        self.fit = Fit(self.ledger, {"fake": fake_vendor()})
        self.asks = list(asks)
        self.needs = [self._need(count, memory, bound) for count, memory in asks]
        self.free = self.ledger.capacity[:, : len(free)] - self.ledger.used[:, : len(free)]
        self.models, self.numa = self.ledger.model_of[: len(free)], self.ledger.numa[: len(free)]
        self.serve = [need.room(self.models, self.free) for need in self.needs]

    def _need(self, count: int, memory: int, bound: bool) -> Need:
        return self.fit.need(
            Ask(vendor="fake", count=count, memory=memory, cores=1, selection=Selection(same_numa=bound))
        )

    def searched(self) -> list[list[int]] | None:
        found = Search(self.needs, seats(self.needs, self.serve, self.models, self.numa, self.free)).run()
        return None if found is None else [[taken.place for taken in one] for one in found]

    def by_rule(self) -> list[list[int]] | None:
        table = Table(
            self.models[None],
            self.numa[None],
            self.free[:, None].copy(),
            self.ledger.capacity[:, None, : self.models.size],
        )
        chosen = [
            np.flatnonzero(one.devices[0]).tolist()
            for one in greedy(table, self.needs, [mask[None] for mask in self.serve])
        ]
        enough = all(len(one) == count for one, (count, _) in zip(chosen, self.asks, strict=True))
        return chosen if enough else None

    def right(self, chosen: Sequence[Sequence[int]], free: Sequence[int]) -> bool:
        """Whether each ask has as many devices as it asks, and no device gives more than it has."""
        left = list(free)
        for devices, (count, memory) in zip(chosen, self.asks, strict=True):
            if len(set(devices)) != count:
                return False
            for device in devices:
                left[device] -= memory
        return min(left, default=0) >= 0


def _everything(free: Sequence[int], asks: Sequence[tuple[int, int]]) -> Iterator[Sequence[Sequence[int]]]:
    yield from product(*(list(combinations(range(len(free)), count)) for count, _ in asks))


FREE = st.lists(st.integers(1, 9).map(lambda tenth: tenth * 10), min_size=1, max_size=4)
ASKS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 8).map(lambda tenth: tenth * 10)), min_size=1, max_size=4)


@MANY
@given(FREE, ASKS)
def test_the_search_finds_something_exactly_when_there_is_something(
    free: list[int], asks: list[tuple[int, int]]
) -> None:
    """Against all that can be tried, and what it finds is right."""
    case = Case(free, asks)
    found = case.searched()
    assert (found is not None) == any(case.right(chosen, free) for chosen in _everything(free, asks))
    assert found is None or case.right(found, free)


@MANY
@given(FREE, ASKS)
def test_what_the_rule_finds_is_right(free: list[int], asks: list[tuple[int, int]]) -> None:
    """It may find nothing where there is something, and never the other way round."""
    case = Case(free, asks)
    found = case.by_rule()
    assert found is None or case.right(found, free)


@MANY
@given(FREE, ASKS, st.lists(st.integers(0, 1), min_size=4, max_size=4))
def test_devices_of_one_numa_node(free: list[int], asks: list[tuple[int, int]], numa: list[int]) -> None:
    """Each ask by itself; neither way takes devices of two for one ask."""
    case = Case(free, asks, numa, bound=True)
    apart = [
        chosen
        for chosen in _everything(free, asks)
        if case.right(chosen, free) and all(len({numa[device] for device in one}) == 1 for one in chosen)
    ]
    found = case.searched()
    assert (found is not None) == bool(apart)
    for answer in (found, case.by_rule()):
        assert answer is None or all(len({numa[device] for device in one}) == 1 for one in answer)


def test_the_order_of_devices_does_not_matter() -> None:
    """Equal nodes share an answer, so it must not hang on which device is listed first."""
    asks = [(1, 60), (2, 40), (1, 50)]
    answers = {
        (Case(free, asks).searched() is not None) for free in ([50, 60, 90], [90, 60, 50], [60, 50, 90], [90, 50, 60])
    }
    assert len(answers) == 1


def test_a_search_that_takes_too_long_counts_as_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than hold up all other pods."""
    free, asks = [50, 60, 90], [(1, 50), (1, 60), (1, 90)]
    assert Case(free, asks).searched() is not None
    monkeypatch.setattr(search, "LIMIT", 12)
    assert Case(free, asks).searched() is None


def test_a_large_node_of_equal_devices_takes_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen cards that are alike are one choice, not sixteen; also where the answer is no."""
    monkeypatch.setattr(search, "LIMIT", 3000)
    assert Case([90] * 16, [(8, 60), (8, 60), (4, 30)]).searched() is not None
    case = Case([90] * 16, [(9, 60), (8, 60), (4, 30)])
    one = Search(case.needs, seats(case.needs, case.serve, case.models, case.numa, case.free))
    assert one.run() is None
    assert one.work < 3000


def test_equal_asks_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten that each find a device, on devices for nine: seen at a glance, not by trying who goes where."""
    monkeypatch.setattr(search, "LIMIT", 400)
    free = [50, 60, 70, 90, 90, 90]
    assert Case(free, [(1, 45)] * 9).searched() is not None
    case = Case(free, [(1, 45)] * 10)
    one = Search(case.needs, seats(case.needs, case.serve, case.models, case.numa, case.free))
    assert one.run() is None
    assert one.work < 100


def test_a_thousand_different_devices_are_no_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, sets are gone through one after another, and the work is bounded."""
    case = Case([1 + index % 97 for index in range(1000)], [(600, 2), (600, 90)])
    one = Search(case.needs, seats(case.needs, case.serve, case.models, case.numa, case.free))
    assert one.run() is None
    assert one.work < 3 * search.LIMIT
    monkeypatch.undo()


@MANY
@given(st.lists(st.integers(1, 3), max_size=5), st.integers(0, 8))
def test_every_set_is_tried_once_the_first_classes_first(sizes: list[int], count: int) -> None:
    """So many of each class, in all ways."""
    classes, start = [], 0
    for size in sizes:
        classes.append(list(range(start, start + size)))
        start += size
    tried = [
        tuple(len(set(some) & set(members)) for some, members in zip(chosen, classes, strict=True))
        for chosen in search._sets(classes, count)
    ]
    assert len(tried) == len(set(tried))
    assert tried == sorted(tried, reverse=True)
    assert set(tried) == {ways for ways in product(*(range(size + 1) for size in sizes)) if sum(ways) == count}
