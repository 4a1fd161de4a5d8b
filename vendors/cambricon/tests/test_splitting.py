"""What an ask takes of a card: every boundary, one below and one above."""

from __future__ import annotations

import pytest
from hetero_cambricon import cambricon
from hetero_cambricon.splitting import SHARED, STATIC, WHOLE, MluSplitting, mlu_model
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.model.allocation import Grant
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device
from hetero.model.share import Reason, Refusal, Share

SPLITTING = MluSplitting()
CARD = mlu_model("MLU590-M9", 80675)  # 315 units and 35 MiB
SMALL = mlu_model("MLU370-S4", 24576)  # 96 units

AMOUNTS = {"MLU370-S4": 24576, "MLU370-X4": 24576, "MLU370-X8": 24576, "MLU370-M8": 49152, "MLU590-H8": 80675}


def share(model=CARD, **ask: object) -> Share | Refusal:
    """The answer to an ask."""
    return SPLITTING.split(model, Ask(vendor="cambricon", **ask))


@pytest.mark.parametrize(
    ("asked", "given_"),
    [
        (1, 256), (255, 256), (256, 256), (257, 512), (511, 512), (512, 512), (513, 768),
        (40191, 40192), (40192, 40192), (40193, 40448),
        (80639, 80640), (80640, 80640), (80641, 80675), (80674, 80675), (80675, 80675),
    ],
)  # fmt: skip
def test_memory_is_rounded_up_to_units_and_charged(asked: int, given_: int) -> None:
    """At each boundary of 256 MiB; what is left above the last whole unit goes to whoever asks for it."""
    assert share(memory=asked, cores=5) == Share(quantities={SLOTS: 1, MEMORY: given_, CORES: 5})


@pytest.mark.parametrize("name", AMOUNTS)
def test_every_units_boundary_on_every_model(name: str) -> None:
    """One MiB below a unit it is that unit, one above it is the next, as far as the card reaches."""
    total = AMOUNTS[name]
    model = mlu_model(name, total)
    for edge in range(256, total + 1, 256):
        below, at, above = (share(model, memory=edge + step, cores=1) for step in (-1, 0, 1))
        assert isinstance(below, Share)
        assert below == at
        assert at.memory == edge
        if edge + 1 <= total:
            assert isinstance(above, Share)
            assert above.memory == min(edge + 256, total)
        else:
            assert isinstance(above, Refusal)


@pytest.mark.parametrize("asked", [80676, 81000, 2**31 - 1])
def test_more_than_the_card_has_is_refused(asked: int) -> None:
    """With what it has and what was asked."""
    answer = share(memory=asked)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.INSUFFICIENT_MEMORY
    assert f"has 80675 MiB of memory, asked {asked} MiB" in answer.message


@pytest.mark.parametrize("cores", [1, 2, 49, 50, 51, 99])
def test_compute_is_given_to_the_percent(cores: int) -> None:
    """The driver's quota is in percent, so nothing is rounded."""
    assert share(memory=256, cores=cores) == Share(quantities={SLOTS: 1, MEMORY: 256, CORES: cores})


@pytest.mark.parametrize(
    ("memory", "cores"), [(256, 1), (768, 1), (1536, 1), (1792, 2), (40192, 49), (40448, 50), (80640, 99), (80675, 100)]
)
def test_who_asks_for_no_compute_gets_as_much_as_of_the_memory(memory: int, cores: int) -> None:
    """The driver makes no slice without a quota; it is rounded down, and at least 1."""
    assert share(memory=memory, cores=0) == Share(quantities={SLOTS: 1, MEMORY: memory, CORES: cores})


def test_all_of_the_compute_is_the_card_for_itself() -> None:
    """Even with little memory nobody comes beside it."""
    assert share(memory=256, cores=100) == Share(quantities={SLOTS: 100, MEMORY: 256, CORES: 100})
    assert share(cores=100) == Share(quantities=CARD.capacity)


@given(st.integers(1, 2**17), st.integers(1, 2**17))
def test_equal_shares_fill_the_memory(total: int, asked: int) -> None:
    """Slices that ask for memory alone do not run out of compute before the memory, up to a hundred of them."""
    model = mlu_model("MLU590-M9", total)
    answer = share(model, memory=min(asked, total))
    assert isinstance(answer, Share)
    by_memory = min(total // answer.memory, 100)
    assert answer.cores * by_memory <= 100


@given(st.integers(256, 2**17), st.integers(1, 2**17), st.integers(0, 100))
def test_nothing_is_lost_to_rounding_without_being_charged(total: int, asked: int, cores: int) -> None:
    """A share is at least what was asked, less than a unit more, and asking for just it gives just it."""
    model = mlu_model("MLU590-M9", total)
    answer = share(model, memory=asked, cores=cores)
    if asked > total:
        assert isinstance(answer, Refusal)
        return
    assert isinstance(answer, Share)
    assert asked <= answer.memory < asked + 256
    assert answer.memory <= total
    assert share(model, memory=answer.memory, cores=cores) == answer


@pytest.mark.parametrize("model", [mlu_model("MLU590-M9", 80675, WHOLE), mlu_model("MLU270-S4", 16384, WHOLE)])
def test_a_card_that_is_not_in_smlu_mode_is_given_whole(model) -> None:
    """All of it or nothing; the sentence says how to share it where that can be had."""
    assert share(model, cores=100) == Share(quantities=model.capacity)
    assert share(model, memory=256, cores=100) == Share(quantities=model.capacity)
    answer = share(model, memory=256, cores=10)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.UNSUPPORTED
    assert ("cnmon set -c N -smlu on" in answer.message) == model.name.startswith("MLU590")


def test_a_statically_partitioned_card_gives_nothing_yet() -> None:
    """And says so."""
    answer = share(mlu_model("MLU590-M9", 80675, STATIC), cores=100)
    assert isinstance(answer, Refusal)
    assert "MIM" in answer.message


def test_what_this_chip_does_not_have_is_refused() -> None:
    """A template, or a way of splitting that the card is not in."""
    for words in ({"template": "1g.10gb"}, {"mode": "mig"}, {"mode": WHOLE}):
        answer = share(memory=256, **words)
        assert isinstance(answer, Refusal)
        assert answer.reason is Reason.UNSUPPORTED
    assert isinstance(share(mlu_model("MLU590-M9", 1024, WHOLE), mode=WHOLE, cores=100), Share)


@pytest.mark.parametrize(
    ("name", "memory", "mode", "field"),
    [(" ", 1, "", "model"), ("MLU590", 0, "", "memory"), ("MLU590", 1, "mig", "mode")],
)
def test_ill_descriptions_name_the_field(name: str, memory: int, mode: str, field: str) -> None:
    """A cluster in a file that cannot be."""
    with pytest.raises(InvalidValue) as caught:
        SPLITTING.model(name, memory, mode)
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["MLU100-C4", "MLU220-M.2", "MLU270-S4"])
def test_old_products_are_described_as_whole(name: str) -> None:
    """They have no slices, whatever mode is written."""
    assert SPLITTING.model(name, 16384).mode == WHOLE
    assert SPLITTING.model("MLU370-X8", 24576).mode == SHARED


def grant(memory: int, cores: int, index: int = 0, model=CARD) -> Grant:
    """A share of a card with this number."""
    device = Device(uuid=f"MLU-{index}", index=index, model=model)
    return Grant(device=device, share=Share(quantities={SLOTS: 1, MEMORY: memory, CORES: cores}))


def test_the_vendors_plugin_finds_both_spellings() -> None:
    """Its version 2.0.23 reads one of them, schedulers of today write the other, and their pods stay pending."""
    told = cambricon.splitting.annotations({"a": [grant(5120, 10, index=3)]})
    assert told == {
        "CAMBRICON_DSMLU_PROFILE": "3_10_20",
        "CAMBRICON_DSMLU_ASSIGHED": "false",
        "CAMBRICON_DSMLU_ASSIGNED": "false",
    }


def test_the_first_slice_is_told_wherever_it_stands() -> None:
    """Containers without a slice before it do not hide it, and a whole card is none."""
    whole = grant(80675, 100, model=mlu_model("MLU590-M9", 80675, WHOLE))
    told = SPLITTING.annotations({"a": [], "b": [whole], "c": [grant(80675, 100, index=7)], "d": [grant(256, 1)]})
    assert told["CAMBRICON_DSMLU_PROFILE"] == "7_100_315"
    assert SPLITTING.annotations({"a": [whole]}) == {}
