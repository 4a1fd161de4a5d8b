"""What pods of today write, and what it comes to."""

from __future__ import annotations

from typing import Any

import pytest
from hetero_cambricon.names import POLICY, RESOURCES, TYPES

from hetero.errors import InvalidRequest
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest

COUNT, MEMORY, CORES = "cambricon.com/vmlu", "cambricon.com/mlu.smlu.vmemory", "cambricon.com/mlu.smlu.vcore"


def ask(limits: dict[str, Any], **annotations: str) -> Ask | None:
    """What a container with these limits asks; annotations are under the vendor's domain."""
    keys = {f"cambricon.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return RESOURCES.ask(ContainerRequest(path="spec.containers[0]", limits=limits, annotations=keys))


@pytest.mark.parametrize(
    ("limits", "memory", "cores"),
    [
        ({COUNT: 1}, None, 100),
        ({COUNT: "1", MEMORY: "20", CORES: "10"}, 5120, 10),
        ({COUNT: 1, MEMORY: 1, CORES: 1}, 256, 1),
        ({COUNT: 1, MEMORY: 20}, 5120, 100),
        ({COUNT: 1, MEMORY: 20, CORES: 0}, 5120, 0),
        ({COUNT: 1, MEMORY: 0}, None, 100),
        ({COUNT: 1, CORES: 50}, None, 50),
        ({MEMORY: 4, CORES: 5}, 1024, 5),
    ],
)
def test_amounts_mean_what_they_mean_in_existing_clusters(limits: dict[str, Any], memory: int, cores: int) -> None:
    """Memory is in units of 256 MiB, and compute that is not named is all of it."""
    asked = ask(limits)
    assert asked is not None
    assert (asked.count, asked.memory, asked.cores) == (1, memory, cores)


@pytest.mark.parametrize("type_", ["mlu370", "mlu590"])
def test_names_with_a_type_ask_for_cards_of_that_type(type_: str) -> None:
    """The vendor's plugin has such names where it is told to; they mean the same of one type of card."""
    asked = ask({COUNT: 1, f"cambricon.com/{type_}.smlu.vmemory": 20, f"cambricon.com/{type_}.smlu.vcore": 10})
    assert asked is not None
    assert (asked.memory, asked.cores) == (5120, 10)
    assert asked.selection.use_models == (type_.upper(),)


def test_a_types_name_does_not_go_before_what_the_pod_says() -> None:
    """The annotation about models holds; names with and without a type may stand together for different amounts."""
    limits = {COUNT: 1, "cambricon.com/mlu370.smlu.vmemory": 20, CORES: 10}
    asked = ask(limits, use_mlutype="MLU370-X8")
    assert asked is not None
    assert (asked.memory, asked.cores) == (5120, 10)
    assert asked.selection.use_models == ("MLU370-X8",)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (
            {MEMORY: 8, "cambricon.com/mlu370.smlu.vmemory": 20},
            r"mlu370.smlu.vmemory\]: 20 is the same as cambricon.com/mlu",
        ),
        (
            {"cambricon.com/mlu370.smlu.vcore": 1, "cambricon.com/mlu590.smlu.vcore": 1},
            "is of another type of card than cambricon.com/mlu370.smlu.vcore; keep one",
        ),
        (
            {"cambricon.com/mlu370.smlu.vmemory": 20, "cambricon.com/mlu590.smlu.vcore": 10},
            r"mlu590.smlu.vcore\]: 10 is of another type of card than cambricon.com/mlu370.smlu.vmemory; name one type",
        ),
        ({"cambricon.com/mlu370.smlu.vcore": 101}, "mlu370.smlu.vcore.*write at most 100"),
    ],
)
def test_one_amount_has_one_name(limits: dict[str, Any], sentence: str) -> None:
    """Two names for it, or too much by any name, are refused with the field as it was written."""
    with pytest.raises(InvalidRequest, match=sentence):
        ask({COUNT: 1, **limits})


def test_every_type_has_its_names() -> None:
    """They are listed, so that webhook and scheduler know them."""
    names = [name.name for name in RESOURCES.names()]
    assert names[:3] == [COUNT, MEMORY, CORES]
    assert set(names[3:]) == {f"cambricon.com/{one}.smlu.{what}" for one in TYPES for what in ("vmemory", "vcore")}


def test_annotations_choose_devices() -> None:
    """Models by words, devices by identity; both as lists."""
    asked = ask({COUNT: 1}, use_gpuuuid="MLU-a, MLU-b", nouse_gpuuuid="MLU-c", nouse_mlutype="370")
    assert asked is not None
    assert asked.selection.use_devices == ("MLU-a", "MLU-b")
    assert asked.selection.avoid_devices == ("MLU-c",)
    assert asked.selection.avoid_models == ("370",)


@pytest.mark.parametrize(
    ("policy", "sets"), [("best-effort", ""), ("restricted", "restricted"), (" guaranteed ", "guaranteed")]
)
def test_a_policy_is_about_sets(policy: str, sets: str) -> None:
    """The mildest is a wish and binds nobody."""
    asked = ask({COUNT: 2}, mlulink_policy=policy)
    assert asked is not None
    assert asked.sets == sets


@pytest.mark.parametrize("count", range(1, 10))
def test_stricter_policies_know_sizes_of_rings_only(count: int) -> None:
    """1, 2, 4 and 8, as the vendor's plugin has it; any number is served as well as can be."""
    assert ask({COUNT: count}, mlulink_policy="best-effort") is not None
    if count in (1, 2, 4, 8):
        assert ask({COUNT: count}, mlulink_policy="restricted") is not None
        return
    with pytest.raises(
        InvalidRequest, match=r"limits\[cambricon.com/vmlu\]: \d is no size of a ring.*write 1, 2, 4 or 8"
    ):
        ask({COUNT: count}, mlulink_policy="guaranteed")


def test_an_unknown_policy_is_refused() -> None:
    """With the annotation and the words that there are."""
    with pytest.raises(InvalidRequest, match=rf"{POLICY}\]: 'strict' is no policy; write best-effort, restricted or"):
        ask({COUNT: 2}, mlulink_policy="strict")


def test_other_resources_are_nothing_of_ours() -> None:
    """Neither another vendor's, nor the vendor's own of whole cards."""
    assert ask({"cpu": 1, "cambricon.com/mlu": 1}) is None
    assert ask({COUNT: 0}) is None
