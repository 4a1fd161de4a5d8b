"""Which devices a pod wants, and which it does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.model.ask import Selection
from hetero.model.share import Reason
from hetero.placement.selection import mismatch, wanted
from hetero.testing.fake import fake_device

DEVICE = fake_device(3, model="Fake F1 Ultra")


def test_a_pod_that_selects_nothing_takes_any_device() -> None:
    """Empty lists mean any."""
    assert mismatch(Selection(), DEVICE) is None


@pytest.mark.parametrize("words", [("F1",), ("f1 ultra",), ("FAKE",), ("X9", "ultra"), ("",)])
def test_a_model_is_wanted_when_its_name_contains_one_of_the_words(words: tuple[str, ...]) -> None:
    """People write a part of the product's name, in any case."""
    assert mismatch(Selection(use_models=words), DEVICE) is None


@pytest.mark.parametrize("words", [("F2",), ("F1Ultra",), ("X9", "Y8"), ("fake f1 ultra max",)])
def test_a_model_is_not_wanted_when_its_name_contains_none(words: tuple[str, ...]) -> None:
    """The word must stand in the name, letter by letter."""
    assert mismatch(Selection(use_models=words), DEVICE) is Reason.MODEL_MISMATCH


def test_a_model_is_avoided_by_the_same_comparison() -> None:
    """A part of the name, in any case."""
    assert mismatch(Selection(avoid_models=("ULTRA",)), DEVICE) is Reason.MODEL_MISMATCH
    assert mismatch(Selection(avoid_models=("F2",)), DEVICE) is None


def test_devices_are_compared_exactly() -> None:
    """An identity is no word to search in: ``fake-3`` is not ``fake-33``, nor ``FAKE-3``."""
    assert mismatch(Selection(use_devices=("fake-3",)), DEVICE) is None
    for other in ("fake-33", "fake", "FAKE-3"):
        assert mismatch(Selection(use_devices=(other,)), DEVICE) is Reason.DEVICE_MISMATCH
        assert mismatch(Selection(avoid_devices=(other,)), DEVICE) is None


def test_one_of_several_devices_is_enough() -> None:
    """A list of devices is a choice."""
    assert mismatch(Selection(use_devices=("fake-1", "fake-3")), DEVICE) is None


def test_avoiding_is_stronger_than_wanting() -> None:
    """What is both wanted and avoided is avoided."""
    both = Selection(use_devices=("fake-3",), avoid_devices=("fake-3",))
    assert mismatch(both, DEVICE) is Reason.DEVICE_MISMATCH
    models = Selection(use_models=("fake",), avoid_models=("ultra",))
    assert mismatch(models, DEVICE) is Reason.MODEL_MISMATCH


def test_a_wanted_device_of_an_unwanted_model_is_refused_for_its_model() -> None:
    """Both lists must let a device pass."""
    assert mismatch(Selection(use_devices=("fake-3",), use_models=("F2",)), DEVICE) is Reason.MODEL_MISMATCH


def test_a_device_is_looked_at_before_its_model() -> None:
    """With both wrong the narrower one is named."""
    assert mismatch(Selection(use_devices=("x",), use_models=("F2",)), DEVICE) is Reason.DEVICE_MISMATCH


def test_numa_is_no_matter_of_one_device() -> None:
    """That devices lie together cannot be seen on one of them."""
    assert mismatch(Selection(same_numa=True), DEVICE) is None


_WORDS = st.lists(st.sampled_from(["f1", "F2", "ultra", "Fake", "x"]), max_size=3).map(tuple)


@settings(deadline=None)
@given(_WORDS, _WORDS)
def test_wanting_and_avoiding_the_same_words_leaves_nothing(use: tuple[str, ...], avoid: tuple[str, ...]) -> None:
    """A device that passes contains a wanted word, if any is named, and no avoided one."""
    passes = mismatch(Selection(use_models=use, avoid_models=avoid), DEVICE) is None
    name = DEVICE.model.name.lower()
    wanted = not use or any(word.lower() in name for word in use)
    assert passes == (wanted and not any(word.lower() in name for word in avoid))


CHIPS = ("Acme 910B4", "Acme 910B4-1", "910B4", "910B4-1", "910A")


@pytest.mark.parametrize(
    ("words", "models"),
    [
        (("910B4",), {"910B4"}),  # not 910B4-1, nor what has a maker's name before it
        (("910b4-1",), {"910B4-1"}),
        (("910B4", "910A"), {"910B4", "910A"}),
        (("acme 910b4",), {"Acme 910B4"}),
        (("910B",), {"Acme 910B4", "Acme 910B4-1", "910B4", "910B4-1"}),
        (("acme",), {"Acme 910B4", "Acme 910B4-1"}),
        (("910B4", "acme"), {"910B4", "Acme 910B4", "Acme 910B4-1"}),
        (("910C",), set()),
        (("",), set(CHIPS)),
        ((), set(CHIPS)),
    ],
)
def test_a_whole_name_means_that_model_alone(words: tuple[str, ...], models: set[str]) -> None:
    """Another chip must not be given for one whose name its own contains; a part of names still means all of them."""
    assert wanted(Selection(use_models=words), CHIPS) == models


def test_a_word_is_a_whole_name_only_where_there_is_such_a_model() -> None:
    """Where the cluster has none, the word is a part of names as ever."""
    assert wanted(Selection(use_models=("910B4",)), ["Acme 910B4", "Acme 910B4-1"]) == {"Acme 910B4", "Acme 910B4-1"}


def test_a_whole_name_is_avoided_alone() -> None:
    """Who avoids one chip may have the longer-named one."""
    assert wanted(Selection(avoid_models=("910B4",)), ["910B4", "910B4-1"]) == {"910B4-1"}


def test_models_that_differ_in_case_are_both_meant() -> None:
    """A word knows no case, so it is the whole name of both."""
    assert wanted(Selection(use_models=("ACME x",)), ["Acme X", "ACME X", "Acme XL"]) == {"Acme X", "ACME X"}


def test_a_device_is_held_against_the_models_that_are_wanted() -> None:
    """The answer for a whole cluster serves each of its devices; without it a device is looked at alone."""
    selection = Selection(use_models=("Fake F1",))
    assert mismatch(selection, DEVICE) is None
    models = wanted(selection, [DEVICE.model.name, "Fake F1"])
    assert mismatch(selection, DEVICE, models) is Reason.MODEL_MISMATCH
    assert mismatch(selection, fake_device(model="Fake F1"), models) is None


_NAMES = st.lists(st.text(alphabet="ab-1 B", min_size=1, max_size=4), min_size=1, max_size=6)


@settings(deadline=None)
@given(_NAMES, st.lists(st.text(alphabet="abAB-1", max_size=3), max_size=3).map(tuple), st.booleans())
def test_every_word_means_one_whole_name_or_all_that_contain_it(
    names: list[str], words: tuple[str, ...], avoid: bool
) -> None:
    """Said the long way round: a model is meant when a word equals its name, or is contained and equals none."""
    lower = {name.lower() for name in names}

    def meant(name: str) -> bool:
        return any(
            word.lower() == name.lower() or (word.lower() in name.lower() and word.lower() not in lower)
            for word in words
        )

    if avoid:
        assert wanted(Selection(avoid_models=words), names) == {name for name in names if not meant(name)}
    else:
        assert wanted(Selection(use_models=words), names) == {name for name in names if not words or meant(name)}


@settings(deadline=None)
@given(_NAMES, st.data())
def test_the_name_of_a_model_always_selects_it(names: list[str], data: st.DataObject) -> None:
    """And no name that differs in more than case, whatever else the cluster has; the order of models plays no part."""
    name = data.draw(st.sampled_from(names))
    found = wanted(Selection(use_models=(name,)), names)
    assert name in found
    assert {other.lower() for other in found} == {name.lower()}
    assert wanted(Selection(use_models=(name,)), names[::-1]) == found
