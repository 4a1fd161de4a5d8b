"""Placements and refusals as people and programs read them."""

from __future__ import annotations

from hetero.cli import placements
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Reason, Refusal, Share

FULL = Refusal(reason=Reason.SLOTS_EXHAUSTED, message="full")
NONE = Refusal(reason=Reason.NO_DEVICES, message="none")


def test_nodes_are_grouped_by_what_they_lack() -> None:
    """The most frequent first, equally frequent ones by their first node; three names are enough."""
    refusals = {**{f"n{index}": NONE for index in range(5)}, "a": FULL}
    assert placements.reasons(refusals, 9) == [
        "5/9 nodes (n0, n1, n2, …): none [NodeUnfitPod]",
        "1/9 nodes (a): full [CardTimeSlicingExhausted]",
    ]
    assert placements.reasons({"b": NONE, "a": FULL}, 2)[0].startswith("1/2 nodes (a)")
    assert placements.reasons({}, 4) == []


def test_the_same_reason_in_other_words_is_another_group() -> None:
    """The figures are what people look for."""
    other = Refusal(reason=Reason.SLOTS_EXHAUSTED, message="fuller")
    assert len(placements.reasons({"a": FULL, "b": other}, 2)) == 2


def test_of_many_reasons_the_first_are_told() -> None:
    """The others are counted."""
    refusals = {f"n{index}": Refusal(reason=Reason.QUOTA, message=f"{index:02}") for index in range(20)}
    told = placements.reasons(refusals, 20)
    assert len(told) == placements.MOST + 1
    assert told[-1] == "12/20 nodes: 12 more reasons, which --output json has"


def test_each_container_is_a_row() -> None:
    """Init containers first, and those that have nothing as well."""
    share = Share(quantities={SLOTS: 1, MEMORY: 8, CORES: 5}, template="t")
    held = ContainerPlacement(container="c", devices=(DeviceShare(vendor="fake", device="d", share=share),))
    init = ContainerPlacement(container="i")
    placed = Placement(namespace="team", pod="p", node="n", containers=(held,), init_containers=(init,))
    first, second = placements.rows([placed])
    assert (first["kind"], first["container"], first["devices"]) == ("init", "i", [])
    assert second == {
        "namespace": "team",
        "pod": "p",
        "kind": "container",
        "container": "c",
        "node": "n",
        "devices": [{"vendor": "fake", "device": "d", "memory_mib": 8, "cores_percent": 5, "template": "t"}],
    }


def test_what_is_not_limited_says_so() -> None:
    """Nothing is charged for compute without a limit: "0 %" would say that the program has none."""
    shares = [Share(quantities={SLOTS: 1, MEMORY: 8, CORES: cores}) for cores in (0, 5)]
    devices = tuple(DeviceShare(vendor="fake", device="d", share=share) for share in shares)
    placed = Placement(
        namespace="team", pod="p", node="n", containers=(ContainerPlacement(container="c", devices=devices),)
    )
    [row] = placements.rows([placed])
    told = {column.heading: column.text(row) for column in placements.COLUMNS}
    assert told["cores"] == "no limit\n5 %"
    assert told["memory"] == "8 MiB\n8 MiB"
