"""A copy of the ledger is the ledger, however it came about."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.model.device import MEMORY, SLOTS, Node
from hetero.placement.ledger import CORDONED, UNHEALTHY, Ledger
from hetero.placement.standing import Standing, standing
from hetero.testing.fake import fake_device, fake_devices, fake_node

STEP = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abcd"), st.integers(0, 3)),
    st.tuples(st.just("remove"), st.sampled_from("abcd"), st.just(0)),
    st.tuples(st.just("add"), st.sampled_from("abcd"), st.integers(0, 2)),
    st.tuples(st.just("look"), st.just(""), st.just(0)),
)


def same(found: Standing, ledger: Ledger) -> None:
    """Node by node and device by device."""
    shape = found.shape
    assert list(shape.names) == sorted(ledger.index)
    assert len(shape.devices) == sum(ledger.sizes[number] for number in ledger.index.values())
    for place, name in enumerate(shape.names):
        assert shape.places[name] == place
        for row in shape.of(place):
            device = shape.devices[row]
            at = ledger.row(name, device.uuid)
            assert at is not None
            assert shape.rows[name, device.uuid] == row
            assert ledger.devices[at] == device
            assert shape.models[shape.model_of[row]] == device.model
            assert (found.used[:, row] == ledger.used[:, at]).all()
            assert (shape.capacity[:, row] == ledger.capacity[:, at]).all()
            assert shape.node_of[row] == place


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=20))
def test_a_copy_that_was_brought_up_to_date_is_as_a_new_one(steps: list[tuple[str, str, int]]) -> None:
    """Nodes come, change and go, pods are charged; earlier copies stay as they were."""
    ledger, found = Ledger(), None
    for what, name, number in steps:
        if what == "put":
            ledger.put(fake_node(name, number, memory=1000 * (number + 1)))
        elif what == "remove":
            ledger.remove(name)
        elif what == "add":
            ledger.add(name, {f"fake-{number}": {SLOTS: 1, MEMORY: 7}})
        else:
            found = standing(ledger, found)
            same(found, ledger)
    before = standing(ledger, found)
    kept = before.used.copy()
    same(before, ledger)
    ledger.add("a", {"fake-0": {SLOTS: 1}})
    assert (before.used == kept).all()


def test_what_has_not_changed_is_used_again() -> None:
    """The same copy of the same moment; the same devices while only charges change."""
    ledger = Ledger()
    ledger.put(fake_node("a", 2))
    first = standing(ledger)
    assert standing(ledger, first) is first
    ledger.add("a", {"fake-0": {MEMORY: 5}})
    second = standing(ledger, first)
    assert second.shape is first.shape
    assert int(second.used[second.shape.lines[MEMORY], 0]) == 5
    assert int(first.used[first.shape.lines[MEMORY], 0]) == 0
    assert first.shape.present == [0]


def test_states_are_the_ledgers() -> None:
    """Unhealthy and cordoned devices; an empty ledger has an empty copy."""
    ledger = Ledger()
    assert standing(ledger).shape.names == ()
    from hetero.model.device import Health

    sick = fake_device(2, health=Health(ok=False, reason="hot"))
    ledger.put(Node(name="a", devices=(*fake_devices(2), sick), cordoned=("fake-1",)))
    assert np.flatnonzero(standing(ledger).shape.state == CORDONED).tolist() == [1]
    assert np.flatnonzero(standing(ledger).shape.state == UNHEALTHY).tolist() == [2]
