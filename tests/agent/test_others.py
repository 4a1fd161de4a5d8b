"""What other agents of a node tell, and what is left of those that are no more."""

from __future__ import annotations

import itertools
from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from hetero.agent.others import Others
from hetero.model import device as model
from hetero.model import wire
from hetero.model.annotations import inventories, inventory
from hetero.testing.fake import fake_device

FIRST, ACME = inventory(""), inventory("acme")


def told(*devices: int, foreign: tuple[str, ...] = (), vendor: str = "fake") -> str:
    """An inventory of these devices."""
    made = tuple(fake_device(number, vendor=vendor) for number in devices)
    return wire.encode(model.Node(name="desk", devices=made, foreign=foreign))


def others(
    own: str = FIRST, writers: Collection[str] = (), vendors: Collection[str] = ("fake",), served: Collection[str] = ()
) -> Others:
    """As an agent sees them; it serves nobody's devices unless it is said."""
    return Others(own, writers, vendors, served)


def test_inventories_are_told_from_other_annotations() -> None:
    """Those of all agents, and nothing that only begins alike."""
    names = [ACME, "hetero.io/inventory2", "hetero.io/placement", FIRST]
    assert inventories(names) == [FIRST, ACME]


def test_who_serves_devices_tells_of_them_whoever_else_does() -> None:
    """It alone knows what of them is given out."""
    notes = {FIRST: told(0), ACME: told(0, 1)}
    assert others(FIRST, served=("fake",)).elsewhere(notes) == {}
    assert others(FIRST).elsewhere(notes) == {"fake-0": "fake", "fake-1": "fake"}


@given(first=st.booleans(), second=st.booleans(), left_out=st.sets(st.sampled_from([0, 1])))
def test_of_two_agents_that_see_a_device_at_least_one_tells_and_who_serves_always(
    first: bool, second: bool, left_out: set[int]
) -> None:
    """Whoever serves, and whatever either has written so far; and of two that do not serve exactly one does."""
    serves = {FIRST: first, ACME: second}
    notes = {
        key: told(0, foreign=() if serves[key] else ("fake",)) if number not in left_out else told(1, vendor="other")
        for number, key in enumerate(serves)
    }
    seen = {key: others(key, vendors=("fake", "other"), served=("fake",) if own else ()) for key, own in serves.items()}
    for _ in range(3):  # each reads what the other wrote, and writes
        for key, own in serves.items():
            leaves = "fake-0" in seen[key].elsewhere(notes)
            notes[key] = told(*([] if leaves else [0]), foreign=() if own else ("fake",))
    telling = [key for key in serves if "fake-0" not in seen[key].elsewhere(notes)]
    assert telling == ([key for key, own in serves.items() if own] or [FIRST])


def test_what_cannot_be_read_or_has_no_writer_says_nothing() -> None:
    """A device would be told of by nobody."""
    assert others().elsewhere({ACME: "nonsense"}) == {}
    assert others(writers=(FIRST,)).elsewhere({ACME: told(0)}) == {}
    assert others(writers=(FIRST, ACME)).elsewhere({ACME: told(0)}) == {"fake-0": "fake"}


def test_what_changes_is_read_again() -> None:
    """And what does not is not: it is asked for with each reading of the node."""
    seen = others()
    before = seen.elsewhere({ACME: told(0)})
    assert seen.elsewhere({ACME: told(0), "other": "note"}) is before
    assert seen.elsewhere({ACME: told(1)}) == {"fake-1": "fake"}


def test_what_a_further_agent_left_goes_altogether() -> None:
    """Nobody writes such a name by hand, also what cannot be read and what is of vendors that are not known here."""
    texts = (told(0), told(0, vendor="other"), "nonsense")
    for text, served in itertools.product(texts, ((), ("fake",))):
        assert others(writers=(FIRST,), served=served).stale({FIRST: told(1), ACME: text}) == {ACME: None}


def test_of_the_first_agents_a_person_may_have_written_what_no_agent_knows() -> None:
    """Devices that a vendor's own plugin serves: they stay, and this agent's own go."""
    seen = others(ACME, writers=(ACME,))
    kept = (fake_device(1, vendor="other"),)
    mixed = wire.encode(model.Node(name="desk", devices=(fake_device(0), *kept), cordoned=("x",)))
    assert seen.stale({FIRST: mixed}) == {FIRST: wire.encode(model.Node(name="desk", devices=kept, cordoned=("x",)))}
    assert seen.stale({FIRST: told(0)}) == {FIRST: None}
    assert seen.stale({FIRST: told(1, vendor="other")}) == {}
    assert seen.stale({FIRST: "nonsense"}) == {}


def test_nothing_is_left_over_where_nobody_says_who_writes() -> None:
    """As for an agent that a person has started."""
    assert others().stale({FIRST: told(0), ACME: told(0)}) == {}
