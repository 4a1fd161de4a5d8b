"""How much of a card an ask takes."""

from __future__ import annotations

import re

import pytest
from hetero_hygon.models import COMPUTE_UNITS, NAMES
from hetero_hygon.splitting import UNITS, DcuSplitting, dcu_model, is_whole, whole_model
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, DeviceModel
from hetero.model.share import Reason, Refusal, Share

splitting = DcuSplitting()
K100 = dcu_model("K100_AI", 65520, 120)


def share(model: DeviceModel = K100, **ask: int) -> Share:
    """What this ask takes, which must not be refused."""
    found = splitting.split(model, Ask(vendor="hygon", **ask))
    assert isinstance(found, Share), found
    return found


def refusal(model: DeviceModel = K100, **ask: int | str) -> Refusal:
    """Why this ask is refused."""
    found = splitting.split(model, Ask(vendor="hygon", **ask))
    assert isinstance(found, Refusal), found
    return found


def test_a_part_takes_a_slot_its_memory_its_percent_and_its_units() -> None:
    """The first example that users of shared DCUs see: 2000 MiB and 60 percent."""
    assert share(memory=2000, cores=60).quantities == {SLOTS: 1, MEMORY: 2000, CORES: 60, UNITS: 72}


@pytest.mark.parametrize(("name", "units"), COMPUTE_UNITS.items())
@pytest.mark.parametrize("percent", [1, 2, 24, 25, 26, 33, 34, 49, 50, 51, 74, 75, 76, 98, 99])
def test_percent_become_units_rounded_up_on_every_product(name: str, units: int, percent: int) -> None:
    """One unit less would be less than was asked, and no part of a unit is given that is not charged."""
    taken = share(splitting.model(name, 32768), memory=1024, cores=percent).quantities[UNITS]
    assert taken * 100 >= percent * units > (taken - 1) * 100


@pytest.mark.parametrize(
    ("name", "percent", "units"),
    [
        ("Z100L", 1, 1),
        ("Z100L", 5, 3),
        ("Z100L", 6, 4),
        ("Z100L", 99, 60),
        ("K100_AI", 1, 2),
        ("K100_AI", 5, 6),
        ("K100_AI", 33, 40),
        ("K100_LC_E_AI", 50, 64),
        ("K100_LC_E_AI", 51, 66),
        ("BW200", 33, 27),
        ("BW200", 25, 20),
        ("BW200", 26, 21),
    ],
)
def test_boundaries_of_units(name: str, percent: int, units: int) -> None:
    """Worked out by hand, at whole units and beside them."""
    assert share(splitting.model(name, 32768), memory=1, cores=percent).quantities[UNITS] == units


def test_rounding_never_gives_a_unit_twice() -> None:
    """Three thirds of a BW200 by percent would be 81 of its 80 units: the third does not fit, as units are charged."""
    bw200 = splitting.model("BW200", 81920)
    third = share(bw200, memory=1024, cores=33).quantities
    assert 3 * third[CORES] <= 100
    assert 3 * third[UNITS] > bw200.capacity[UNITS]


@pytest.mark.parametrize(("memory", "fits"), [(65519, True), (65520, True), (65521, False), (1, True)])
def test_memory_is_given_to_the_mib(memory: int, fits: bool) -> None:
    """At the card's size and one beside it."""
    found = splitting.split(K100, Ask(vendor="hygon", memory=memory, cores=10))
    assert isinstance(found, Share) == fits
    if isinstance(found, Refusal):
        assert found.reason is Reason.INSUFFICIENT_MEMORY
        assert found.message == "K100_AI has 65520 MiB of memory, asked 65521 MiB"


def test_compute_alone_keeps_to_its_compute() -> None:
    """Today's plugin gives the whole card to who asks for 30 percent and names no memory; here it is a vDCU."""
    found = share(cores=30)
    assert found.quantities == {SLOTS: 1, MEMORY: 65520, CORES: 30, UNITS: 36}
    assert not is_whole(K100, found)


@pytest.mark.parametrize("cores", [0, 100])
def test_memory_alone_has_all_units(cores: int) -> None:
    """Units cannot be shared, so no word about compute is all of it, as existing clusters have it; nobody is beside."""
    found = share(memory=2000, cores=cores)
    assert found.quantities == {SLOTS: 4, MEMORY: 2000, CORES: 100, UNITS: 120}
    assert not is_whole(K100, found)


@pytest.mark.parametrize("ask", [{}, {"cores": 100}, {"memory": 65520}, {"memory_percentage": 100, "cores": 100}])
def test_all_of_a_card_is_the_card(ask: dict[str, int]) -> None:
    """However it is written; then no vDCU is made."""
    assert is_whole(K100, share(**ask))


def test_almost_all_is_a_vdcu() -> None:
    """99 percent and one MiB less are kept to."""
    assert not is_whole(K100, share(cores=99))
    assert not is_whole(K100, share(memory=65519))


@pytest.mark.parametrize("count", range(1, 9))
def test_several_cards_are_had_whole(count: int) -> None:
    """Any number of whole cards; of each of several, a part is refused with the rule of the chip and what to do."""
    assert is_whole(K100, share(count=count, cores=100))
    if count > 1:
        for part in ({"memory": 2000}, {"cores": 50}, {"memory": 2000, "cores": 50}):
            found = refusal(count=count, **part)
            assert found.reason is Reason.UNSUPPORTED
            assert re.search(f"one vDCU at most, so {count} cards .*ask for one card, or for whole ones", found.message)


def test_four_programs_are_the_most() -> None:
    """The fifth vDCU of a card does not exist, whatever is left of it."""
    assert K100.capacity[SLOTS] == 4
    assert 4 * share(memory=1, cores=1).quantities[SLOTS] == 4


def test_a_card_that_cannot_be_split_is_had_whole() -> None:
    """Without libhydmi: the whole card, and nothing else, with the reason."""
    whole = whole_model("BW1000_H", 65520)
    assert is_whole(whole, share(whole))
    found = refusal(whole, memory=1)
    assert found.reason is Reason.UNSUPPORTED
    assert "cannot make vDCUs" in found.message


@pytest.mark.parametrize("ask", [{"template": "1g.8gb"}, {"mode": "whole"}, {"mode": "mig"}])
def test_ways_of_splitting_that_there_are_not_are_refused(ask: dict[str, str]) -> None:
    """Never replaced by another way."""
    found = refusal(**ask)
    assert found.reason is Reason.UNSUPPORTED
    assert "K100_AI" in found.message


def test_a_mode_may_be_asked_for() -> None:
    """Only cards of just that mode serve."""
    whole = splitting.split(whole_model("X", 1024), Ask(vendor="hygon", cores=100, mode="whole"))
    assert isinstance(whole, Share)


def test_a_product_is_known_by_its_whole_name() -> None:
    """K100 is not K100_AI; a product whose units nobody documents can be described as a whole card only."""
    assert splitting.model("K100", 65520) != splitting.model("K100_AI", 65520)
    with pytest.raises(InvalidValue, match=r"K100_LC_E_AI.*mode whole"):
        splitting.model("BW1000_H", 65520)
    assert splitting.model("BW1000_H", 65520, "whole").capacity == {SLOTS: 1, MEMORY: 65520, CORES: 100}


@pytest.mark.parametrize(
    ("name", "memory", "mode", "field"),
    [(" ", 1, "whole", "model"), ("K100_AI", 0, "", "memory"), ("K100_AI", 1, "mig", "mode"), ("K", 1, "", "model")],
)
def test_what_is_no_card_is_refused_with_its_field(name: str, memory: int, mode: str, field: str) -> None:
    """A typing error in a cluster file is told with the field and an example of what to write."""
    with pytest.raises(InvalidValue, match="write") as caught:
        splitting.model(name, memory, mode)
    assert caught.value.field == field


def test_documented_units_are_those_of_products_that_there_are() -> None:
    """Each name of the table of units is a name that a PCI device id leads to."""
    assert set(COMPUTE_UNITS) <= set(NAMES.values())


asks = st.builds(
    Ask,
    vendor=st.just("hygon"),
    count=st.integers(1, 8),
    memory=st.none() | st.integers(1, 2**17),
    memory_percentage=st.none() | st.integers(1, 100),
    cores=st.integers(0, 100),
)


@given(name=st.sampled_from(sorted(COMPUTE_UNITS)), total=st.integers(1, 2**17), ask=asks)
def test_a_share_is_within_the_card_and_no_less_than_asked(name: str, total: int, ask: Ask) -> None:
    """In every dimension; and no unit goes uncharged."""
    model = splitting.model(name, total)
    found = splitting.split(model, ask)
    if isinstance(found, Refusal):
        assert ask.memory_on(total) > total or ask.count > 1
        return
    assert set(found.quantities) == set(model.capacity)
    assert all(0 < amount <= model.capacity[name] for name, amount in found.quantities.items())
    assert found.memory >= ask.memory_on(total)
    assert found.quantities[UNITS] * 100 >= found.cores * model.capacity[UNITS]


@given(name=st.sampled_from(sorted(COMPUTE_UNITS)), parts=st.lists(st.integers(1, 99), min_size=1, max_size=4))
def test_what_fits_by_units_has_units(name: str, parts: list[int]) -> None:
    """Where the charged units of several programs fit a card, their percentages do: units are the stricter account."""
    model = splitting.model(name, 65520)
    shares = [share(model, memory=1024, cores=part).quantities for part in parts]
    if sum(one[UNITS] for one in shares) <= model.capacity[UNITS]:
        assert sum(one[CORES] for one in shares) <= 100
