"""What a pod may write, and what it comes to: the names of today's clusters, with what each kind of chip demands."""

from __future__ import annotations

from typing import Any

import pytest
from hetero_ascend.names import HARD, MODE, RESOURCES, SOFT, ChipResources

from hetero.errors import InvalidRequest
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest

FAMILIES = {family.family: family for family in RESOURCES}
HAMI = ("Ascend910A", "Ascend910B2", "Ascend910B3", "Ascend910B4", "Ascend910B4-1", "Ascend910C", "Ascend310P")


def asked(family: str, annotations: dict[str, str] | None = None, **amounts: Any) -> Ask:
    """The ask of a container with these amounts of a family, by the end of the resource's name."""
    found = FAMILIES[family].ask(request(family, annotations, **amounts))
    assert found is not None
    return found


def request(family: str, annotations: dict[str, str] | None = None, **amounts: Any) -> ContainerRequest:
    """A container with these amounts."""
    ends = {"count": "", "memory": "-memory", "core": "-core"}
    limits = {f"huawei.com/{family}{ends[name]}": amount for name, amount in amounts.items()}
    return ContainerRequest(path="spec.containers[0]", limits=limits, annotations=annotations or {})


def refusals(family: str, annotations: dict[str, str] | None = None, **amounts: Any) -> list[str]:
    """Why a container is refused."""
    with pytest.raises(InvalidRequest) as caught:
        FAMILIES[family].ask(request(family, annotations, **amounts))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("family", HAMI)
def test_resources_are_those_of_todays_clusters(family: str) -> None:
    """Count, memory and cores of each kind of chip, and the two annotations about devices."""
    names = [one.name for one in FAMILIES[family].names()]
    assert names == [f"huawei.com/{family}", f"huawei.com/{family}-memory", f"huawei.com/{family}-core"]
    assert FAMILIES[family].annotations() == (f"hami.io/use-{family}-uuid", f"hami.io/no-use-{family}-uuid")


def test_the_newest_chips_have_the_vendors_own_name() -> None:
    """They are had whole, by count."""
    assert [one.name for one in FAMILIES["Ascend950"].names()] == ["huawei.com/npu"]


@pytest.mark.parametrize("family", HAMI)
def test_no_family_reads_anothers_names(family: str) -> None:
    """``Ascend910B4`` and ``Ascend910B4-1`` begin alike, and so would any test by a part of the name."""
    others = [one for one in RESOURCES if one.family != family]
    limits = {f"huawei.com/{family}": 1, f"huawei.com/{family}-memory": 1000}
    container = ContainerRequest(path="spec.containers[0]", limits=limits)
    assert all(one.ask(container) is None for one in others)
    uuids = {f"hami.io/use-{family}-uuid": "A"}
    for one in others:
        found = one.ask(ContainerRequest(path="p", limits={one.count: 1}, annotations=uuids))
        assert found is not None
        assert found.selection.use_devices == ()


@pytest.mark.parametrize("family", HAMI)
def test_a_vnpu_is_asked_of_the_hardware(family: str) -> None:
    """Memory without the annotation is a template; a node that splits by software does not serve it."""
    ask = asked(family, count=1, memory=1000)
    assert (ask.count, ask.memory, ask.cores, ask.mode) == (1, 1000, 0, HARD)


@pytest.mark.parametrize("family", HAMI)
def test_the_annotation_asks_for_software(family: str) -> None:
    """Raw MiB and percent, of several chips as well."""
    ask = asked(family, {MODE: SOFT}, count=2, memory=1000, core=30)
    assert (ask.count, ask.memory, ask.cores, ask.mode) == (2, 1000, 30, SOFT)


@pytest.mark.parametrize("family", [*HAMI, "Ascend950"])
def test_a_whole_chip_is_served_by_every_node(family: str) -> None:
    """By its count alone, whichever way the node splits."""
    resources = FAMILIES[family]
    for written in ({}, {MODE: SOFT}):
        ask = resources.ask(ContainerRequest(path="p", limits={resources.count: 2}, annotations=written))
        assert ask == Ask(vendor="ascend", family=family, count=2, cores=100)


def test_devices_can_be_chosen_and_avoided() -> None:
    """By identity, several separated by commas."""
    uuids = {"hami.io/use-Ascend910B3-uuid": "A, B", "hami.io/no-use-Ascend910B3-uuid": "C"}
    selection = asked("Ascend910B3", uuids, count=1).selection
    assert selection.use_devices == ("A", "B")
    assert selection.avoid_devices == ("C",)


def test_cores_need_the_annotation() -> None:
    """A template fixes the cores, so a percentage would mean nothing; the sentence names the way out."""
    [problem] = refusals("Ascend910B3", count=1, memory=1000, core=30)
    assert "huawei.com/Ascend910B3-core" in problem
    assert f"{MODE}: {SOFT}" in problem


def test_another_mode_is_refused() -> None:
    """The field is the annotation, and the sentence says what may be written."""
    [problem] = refusals("Ascend910B3", {MODE: "mig"}, count=1)
    assert problem.startswith(f"metadata.annotations[{MODE}]")
    assert SOFT in problem


@pytest.mark.parametrize("family", HAMI)
def test_several_vnpus_for_one_container_are_refused(family: str) -> None:
    """N > 1 is whole chips; more than the largest template has is a whole chip too."""
    resources = FAMILIES[family]
    assert isinstance(resources, ChipResources)
    [problem] = refusals(family, count=2, memory=resources.chip.largest)
    assert f"{resources.count}-memory" in problem
    assert asked(family, count=2, memory=resources.chip.largest + 1).count == 2


@pytest.mark.parametrize(("count", "given"), [(1, 2), (2, 2), (4, 4), (6, 6), (16, 16)])
def test_dies_of_910c_come_in_pairs(count: int, given: int) -> None:
    """One die takes its neighbour along; even numbers stay."""
    assert asked("Ascend910C", count=count).count == given
    assert asked("Ascend910C", count=count, memory=50000).count == given


@pytest.mark.parametrize("count", [3, 5, 15, 17])
def test_odd_numbers_of_910c_are_refused(count: int) -> None:
    """Before the pod is scheduled, with the numbers that may be written."""
    [problem] = refusals("Ascend910C", count=count)
    assert "huawei.com/Ascend910C" in problem
    assert "2, 4, 6" in problem


def test_a_part_of_a_910c_die_is_no_pair() -> None:
    """A template is made on one die, and software shares one as well; several are modules again."""
    assert asked("Ascend910C", count=1, memory=16384).count == 1
    assert asked("Ascend910C", {MODE: SOFT}, count=1, memory=1000).count == 1
    assert asked("Ascend910C", {MODE: SOFT}, count=2, memory=1000).count == 2
    assert refusals("Ascend910C", {MODE: SOFT}, count=3, memory=1000)


@pytest.mark.parametrize("count", [3, 5, 6, 7, 9])
def test_numbers_that_no_ring_of_910a_has_are_refused(count: int) -> None:
    """1, 2, 4 and 8 are what its rings give."""
    [problem] = refusals("Ascend910A", count=count)
    assert "1, 2, 4 or 8" in problem
    assert [asked("Ascend910A", count=good).count for good in (1, 2, 4, 8)] == [1, 2, 4, 8]


def test_all_problems_are_told_at_once() -> None:
    """A pod that is wrong in three ways is mended in one go."""
    assert len(refusals("Ascend910A", {MODE: "x"}, count=3)) == 2
    assert len(refusals("Ascend910A", count=3, memory=-1, core=101)) == 2
