"""Shares and refusals: what is charged, and the words by which a refusal is counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.model import wire
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.share import Reason, Refusal, Share

WORDS = {
    Reason.MODEL_MISMATCH: "CardTypeMismatch",
    Reason.DEVICE_MISMATCH: "CardUuidMismatch",
    Reason.SLOTS_EXHAUSTED: "CardTimeSlicingExhausted",
    Reason.CORES_EXHAUSTED: "CardComputeUnitsExhausted",
    Reason.INSUFFICIENT_MEMORY: "CardInsufficientMemory",
    Reason.INSUFFICIENT_CORES: "CardInsufficientCore",
    Reason.UNHEALTHY: "CardNotHealth",
    Reason.NUMA_MISMATCH: "NumaNotFit",
    Reason.EXCLUSIVE_CONFLICT: "ExclusiveDeviceAllocateConflict",
    Reason.TOO_FEW_DEVICES: "NodeInsufficientDevice",
    Reason.UNSUPPORTED: "ModeNotFit",
    Reason.CORDONED: "CardCordoned",
    Reason.NO_DEVICES: "NodeUnfitPod",
    Reason.QUOTA: "ResourceQuotaNotFit",
    Reason.TOPOLOGY: "CardNotFoundCustomFilterRule",
}
"""Source: the event reasons of Project-HAMi/HAMi v2.10, pkg/device/common."""


def test_the_reasons_are_the_words_that_people_search_for() -> None:
    """Dashboards and runbooks look for exactly these; a new reason is added here with its word."""
    assert {reason: reason.value for reason in Reason} == WORDS


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_stored_as_its_word(reason: Reason) -> None:
    """And read back as the reason."""
    refusal = Refusal(reason=reason, message="acme-0 is busy")
    text = wire.encode(refusal)
    assert text == f'{{"refusal":{{"reason":"{WORDS[reason]}","message":"acme-0 is busy"}},"v":1}}'
    assert wire.decode(text, Refusal).reason is reason


@given(st.dictionaries(st.sampled_from([SLOTS, MEMORY, CORES, "engines"]), st.integers(0, 2**31)))
def test_a_share_tells_memory_and_cores(quantities: dict[str, int]) -> None:
    """0 where a chip has no such dimension."""
    share = Share(quantities=quantities)
    assert share.memory == quantities.get("memory", 0)
    assert share.cores == quantities.get("cores", 0)


def test_a_share_is_stored_so() -> None:
    """The order of its quantities does not show; without a template it is free-form."""
    text = '{"share":{"quantities":{"engines":1,"memory":1024,"slots":1},"template":"half"},"v":1}'
    share = Share(quantities={SLOTS: 1, MEMORY: 1024, "engines": 1}, template="half")
    assert wire.encode(share) == text
    assert wire.decode(text, Share) == share
    assert Share(quantities={SLOTS: 1}).template == ""


def test_shares_of_another_template_are_others() -> None:
    """Equal amounts in another shape are another piece of the hardware."""
    assert Share(quantities={SLOTS: 1}, template="a") != Share(quantities={SLOTS: 1}, template="b")
