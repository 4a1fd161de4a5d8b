"""Who is lent what: examples in words, and what holds for any slices of a device."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hetero.monitoring.balance import CROWDED, Tenant, loans, need, reserved

IDLE = Tenant(id="idle", cores=70)
HUNGRY = Tenant(id="hungry", cores=30, policy="conserve", used=30, active=True, settled=True, held_back=True)


def _busy(name: str, cores: int, used: float, **fields: object) -> Tenant:
    """A slice that has run for a while and uses so much of what it has."""
    return replace(Tenant(id=name, cores=cores, used=used, active=True, settled=True), **fields)


def _hungry(name: str, cores: int, priority: int = 1) -> Tenant:
    return replace(HUNGRY, id=name, cores=cores, used=cores, priority=priority)


def test_what_an_idle_slice_was_promised_is_lent() -> None:
    """All of it, to the one who wants more; whether the lender would take loans himself plays no part."""
    assert loans([IDLE, HUNGRY]) == {"hungry": 70}
    assert loans([replace(IDLE, policy="conserve"), HUNGRY]) == {"idle": 0, "hungry": 70}


def test_what_nobody_was_promised_is_lent() -> None:
    """A device on which only 30 percent are given away."""
    assert loans([HUNGRY]) == {"hungry": 70}


def test_a_slice_with_a_cap_is_lent_nothing() -> None:
    """It keeps to its percentage however idle the device is."""
    assert loans([IDLE, replace(HUNGRY, policy="cap")]) == {}


def test_a_slice_that_wants_no_more_is_lent_nothing() -> None:
    """It uses a third of what it has: a loan would only be missing elsewhere."""
    assert loans([IDLE, _busy("content", 30, 10, policy="conserve")]) == {"content": 0}


def test_a_loan_that_is_used_is_kept() -> None:
    """Whoever has a loan is not held back any more, and still wants it."""
    assert loans([IDLE, replace(HUNGRY, used=98, held_back=False)]) == {"hungry": 70}


def test_a_loan_that_is_hardly_used_shrinks_to_the_use() -> None:
    """What was used, a quarter and five points: 40 becomes 55, of which 30 are its own."""
    assert loans([IDLE, replace(HUNGRY, used=40, held_back=False)]) == {"hungry": 25}


def test_a_lender_that_wakes_has_all_of_its_own_at_once() -> None:
    """What it will use is not known yet."""
    awake = replace(IDLE, active=True, used=2)
    assert loans([awake, HUNGRY]) == {"hungry": 0}


def test_a_lender_that_needs_little_lends_the_rest_but_some_room() -> None:
    """20 of 70 are used, 30 are kept for it."""
    assert loans([_busy("light", 70, 20), HUNGRY]) == {"hungry": 40}
    assert loans([_busy("light", 70, 40), HUNGRY]) == {"hungry": 15}


def test_on_a_full_device_who_runs_has_all_of_its_own() -> None:
    """The lender may want more than it got beside a borrower that fills the device."""
    borrower = replace(HUNGRY, used=CROWDED - 40, held_back=False)
    assert loans([_busy("slowed", 70, 40), borrower]) == {"hungry": 0}


def test_a_slice_without_a_limit_keeps_what_it_uses_and_is_lent_nothing() -> None:
    """It takes what it wants anyway."""
    free = _busy("free", 0, 50, policy="conserve")
    assert loans([free, HUNGRY]) == {"hungry": 20}


def test_the_higher_priority_is_served_first() -> None:
    """0 before 1; who comes later has what is left."""
    first = _busy("first", 20, 40, policy="conserve", priority=0)
    assert loans([_hungry("second", 20, priority=1), first]) == {"first": 35, "second": 25}


def test_who_makes_way_lends_all_that_it_cannot_use() -> None:
    """It waits for its 30 percent and is held to one of them: the other 29 are idle, and it is lent nothing itself."""
    first, second = _hungry("first", 60, priority=0), _hungry("second", 30)
    assert loans([first, second]) == {"first": 10, "second": 0}
    assert loans([first, replace(second, held_to=1)]) == {"first": 39, "second": 0}
    assert loans([first, _busy("free", 0, 50, held_to=1)]) == {"first": 39}


def test_who_is_held_to_more_than_its_own_keeps_its_own() -> None:
    """Making way gives nobody more."""
    assert reserved(replace(HUNGRY, held_to=50)) == 30
    assert need(replace(IDLE, held_to=50)) == 0


def test_equals_are_served_by_what_they_were_promised() -> None:
    """30 idle points go 2 to 1."""
    assert loans([_hungry("a", 40), _hungry("b", 20), Tenant(id="idle", cores=40)]) == {"a": 27, "b": 13}


def test_what_one_does_not_want_another_gets() -> None:
    """A loan ends where the wish ends."""
    content = _busy("a", 40, 34, policy="conserve")
    assert need(content) == 48
    assert loans([content, _hungry("b", 20)]) == {"a": 8, "b": 32}


@pytest.mark.parametrize("cores", [0, 100, 150])
def test_no_percentage_is_no_limit(cores: int) -> None:
    """As the native runtime reads it."""
    assert not Tenant(id="a", cores=cores).limited


tenants = st.lists(
    st.builds(
        Tenant,
        id=st.uuids().map(str),
        cores=st.integers(0, 110),
        policy=st.sampled_from(["cap", "conserve"]),
        priority=st.integers(0, 3),
        used=st.floats(0, 100),
        active=st.booleans(),
        settled=st.booleans(),
        held_back=st.booleans(),
        held_to=st.integers(0, 99),
    ),
    max_size=10,
    unique_by=lambda tenant: tenant.id,
)


def _crowded(slices: Sequence[Tenant]) -> bool:
    return sum(one.used for one in slices) >= CROWDED


@settings(deadline=None)
@given(tenants)
def test_never_more_than_the_device_is_given_away(slices: Sequence[Tenant]) -> None:
    """Loans and what others use by right are 100 percent at most, and so is each slice with its loan."""
    lent = loans(slices)
    kept = sum(reserved(one, _crowded(slices)) for one in slices)
    assert sum(lent.values()) + kept <= max(100, kept)
    assert all(one.cores + lent[one.id] <= 100 for one in slices if one.id in lent)


@settings(deadline=None)
@given(tenants)
def test_nobody_has_less_than_was_promised(slices: Sequence[Tenant]) -> None:
    """A loan is never negative, and only whoever may have one has one."""
    lent = loans(slices)
    assert all(percent >= 0 for percent in lent.values())
    assert set(lent) == {one.id for one in slices if one.limited and one.policy == "conserve"}


@settings(deadline=None)
@given(tenants)
def test_only_who_wants_more_is_lent_something(slices: Sequence[Tenant]) -> None:
    """And never more than that."""
    lent = loans(slices)
    by_id = {one.id: one for one in slices}
    for name, percent in lent.items():
        assert percent <= max(0, need(by_id[name], _crowded(slices)) - by_id[name].cores)


@settings(deadline=None)
@given(tenants)
def test_nothing_stays_idle_that_somebody_wants(slices: Sequence[Tenant]) -> None:
    """Either all that is idle is lent, or everybody has what he wants."""
    lent = loans(slices)
    crowded = _crowded(slices)
    idle = max(0, 100 - sum(reserved(one, crowded) for one in slices))
    wanted = sum(max(0, need(one, crowded) - one.cores) for one in slices if one.id in lent)
    assert sum(lent.values()) == min(idle, wanted)


@settings(deadline=None)
@given(tenants)
def test_priority_and_weight_order_the_loans(slices: Sequence[Tenant]) -> None:
    """Nobody is served while one of a higher priority lacks; of equals none is a point further than his weight."""
    lent = loans(slices)
    crowded = _crowded(slices)
    takers = [one for one in slices if one.id in lent]
    lacking = [one for one in takers if lent[one.id] < need(one, crowded) - one.cores]
    for poor in lacking:
        for other in takers:
            if other.priority > poor.priority:
                assert lent[other.id] == 0
            if other.priority == poor.priority and lent[other.id]:
                assert lent[other.id] / other.cores <= (lent[poor.id] + 1) / poor.cores + 1e-9


@settings(deadline=None)
@given(tenants, st.data())
def test_a_lender_that_wants_again_has_its_own_back(slices: Sequence[Tenant], data: st.DataObject) -> None:
    """Whoever begins to run or is held back, and makes way for nobody, lends nothing of its own any more."""
    woken = data.draw(st.sampled_from(slices)) if slices else None
    if woken is None or not woken.limited:
        return
    awake = replace(woken, active=True, settled=False, held_to=0)
    held = replace(woken, active=True, held_back=True, held_to=0)
    for one in (awake, held):
        others = [one if tenant.id == woken.id else tenant for tenant in slices]
        kept = sum(reserved(tenant, _crowded(others)) for tenant in others if tenant.id != one.id)
        lent = loans(others)
        own = lent.pop(one.id, 0)
        assert sum(lent.values()) + own <= max(0, 100 - kept - one.cores)


@settings(deadline=None)
@given(tenants, st.randoms())
def test_the_order_in_which_slices_are_found_plays_no_part(slices: list[Tenant], random: object) -> None:
    """Two who look at the same time lend the same."""
    shuffled = list(slices)
    random.shuffle(shuffled)
    assert loans(shuffled) == loans(slices)
