"""The words of policies and weights, as pods have them today."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.model.ask import Weights
from hetero.model.policy import DevicePolicy, Policy, Word, parse_weights

CHAINS = [chain for size in range(1, 6) for chain in itertools.permutations(Word, size)]


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("spread", DevicePolicy()),
        ("binpack", DevicePolicy(base=Policy.BINPACK)),
        ("mutex", DevicePolicy(idle_only=True)),
        ("topology-aware", DevicePolicy(topology=True)),
        ("numa", DevicePolicy(numa=True, numa_first=True)),
        ("numa,binpack", DevicePolicy(base=Policy.BINPACK, numa=True, numa_first=True)),
        ("binpack,numa", DevicePolicy(base=Policy.BINPACK, numa=True)),
        ("mutex,topology-aware", DevicePolicy(idle_only=True, topology=True)),
        (" mutex , numa ", DevicePolicy(idle_only=True, numa=True, numa_first=True)),
    ],
)
def test_a_chain_is_one_decision(text: str, policy: DevicePolicy) -> None:
    """Filters hold wherever they stand, keys in their order, and blanks beside commas mean nothing."""
    assert DevicePolicy.parse(text) == policy


@pytest.mark.parametrize(("text", "base"), [("binpack,spread", Policy.BINPACK), ("spread,binpack", Policy.SPREAD)])
def test_of_two_opposites_the_first_holds(text: str, base: Policy) -> None:
    """Devices that are equally full are so for the second as well, so it decides nothing."""
    assert DevicePolicy.parse(text) == DevicePolicy(base=base)
    assert DevicePolicy.parse(f"{text},numa") == DevicePolicy(base=base, numa=True)


def test_every_chain_of_the_words_is_one() -> None:
    """In any order, twice or not; and the shortest way to write it means the same."""
    for chain in CHAINS:
        policy = DevicePolicy.parse(",".join(chain))
        assert DevicePolicy.parse(",".join((*chain, *chain))) == policy
        assert DevicePolicy.parse(str(policy)) == policy
        held = (policy.idle_only, policy.topology, policy.numa)
        assert held == (Word.MUTEX in chain, Word.TOPOLOGY in chain, Word.NUMA in chain)


@pytest.mark.parametrize("text", ["", "BINPACK", "random", "numa;binpack", "topology", "mutex,", ",", "binpack spread"])
def test_any_other_word_is_refused_with_those_that_there_are(text: str) -> None:
    """A policy that is not there must not silently become another."""
    with pytest.raises(InvalidValue, match=r"is no policy; write one or several.* of binpack, spread, numa") as caught:
        DevicePolicy.parse(text, "metadata.annotations[x]")
    assert caught.value.field == "metadata.annotations[x]"
    assert caught.value.value == text


def test_the_wrong_word_of_a_chain_is_named() -> None:
    """In a long chain one sees which."""
    with pytest.raises(InvalidValue, match="names 'nume', which is no policy"):
        DevicePolicy.parse("mutex,nume,binpack")


@given(st.text(max_size=40))
def test_any_text_is_a_chain_or_is_refused(text: str) -> None:
    """Annotations hold whatever people wrote."""
    try:
        policy = DevicePolicy.parse(text)
    except InvalidValue:
        return
    assert DevicePolicy.parse(str(policy)) == policy


@pytest.mark.parametrize("text", ["binpack", "spread"])
def test_a_policy_is_its_word(text: str) -> None:
    """Over nodes there are two."""
    assert Policy(text) == text


@pytest.mark.parametrize("text", ["", "numa", "mutex"])
def test_another_policy_is_refused_with_the_two(text: str) -> None:
    """What is for the devices of a node says nothing between nodes."""
    with pytest.raises(InvalidValue, match="is no policy; write binpack or spread"):
        Policy(text)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("slot=1,core=1,memory=1", Weights()),
        ("memory=3,slot=0,core=1", Weights(slots=0, cores=1, memory=3)),
        (" slot = 2 , core=0 ,memory= 7", Weights(slots=2, cores=0, memory=7)),
        ("slot=0,core=0,memory=1000000", Weights(slots=0, cores=0, memory=1_000_000)),
    ],
)
def test_weights_are_whole_numbers_by_name(text: str, weights: Weights) -> None:
    """In any order, with blanks wherever people put them."""
    assert parse_weights(text, "f") == weights


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read at ''"),
        ("slot=1", "lacks a weight"),
        ("slot=1,core=1", "lacks a weight"),
        ("slot=0,core=0,memory=0", "lacks a weight, or has none that counts"),
        ("slot=1,core=1,memory=1,memory=2", "has memory twice"),
        ("slot=1,core=1,disk=1", "cannot be read at 'disk=1'"),
        ("slot=1,core=1,memory=-1", "cannot be read at 'memory=-1'"),
        ("slot=1,core=1,memory=0.5", "cannot be read"),
        ("slot=1,core=1,memory=", "cannot be read"),
        ("slot=1,core=1,memory=²", "cannot be read"),
        ("slot=1,core=1,memory=1000001", "lacks a weight|from 0 to 1000000"),
        ("slot=1,core=1,memory=99999999999999999999", "cannot be read"),
        ("slot:1,core:1,memory:1", "cannot be read"),
    ],
)
def test_what_is_no_weight_is_refused_with_an_example(text: str, words: str) -> None:
    """Each of the three once, none negative, one that counts: as existing pods are held to it."""
    with pytest.raises(InvalidValue, match=words) as caught:
        parse_weights(text, "metadata.annotations[w]")
    assert (caught.value.field, caught.value.value) == ("metadata.annotations[w]", text)
    assert "; write " in caught.value.reason


@given(*[st.integers(0, 1_000_000)] * 3)
def test_weights_are_read_as_written(slot: int, core: int, memory: int) -> None:
    """The numbers themselves, unless none of them counts."""
    text = f"core={core},memory={memory},slot={slot}"
    if slot or core or memory:
        assert parse_weights(text, "f") == Weights(slots=slot, cores=core, memory=memory)
    else:
        with pytest.raises(InvalidValue):
            parse_weights(text, "f")


@given(st.text(alphabet="slotcremy=,0123456789 -.", max_size=40))
def test_any_text_is_weights_or_is_refused(text: str) -> None:
    """And what is taken has a weight that counts."""
    try:
        weights = parse_weights(text, "f")
    except InvalidValue:
        return
    assert min(weights.slots, weights.cores, weights.memory) >= 0
    assert max(weights.slots, weights.cores, weights.memory) > 0
