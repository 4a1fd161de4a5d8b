"""From what a container names to what it asks: the words of one resource family."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidRequest
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest, Resources
from hetero.testing import fake_vendor

[FAMILY] = fake_vendor().resources
PATH = "spec.containers[0]"
NPU, MEMORY, PERCENTAGE, CORES, PRIORITY = (name.name for name in FAMILY.names())

NAMED = st.dictionaries(
    st.sampled_from([NPU, MEMORY, PERCENTAGE, CORES, PRIORITY, "cpu"]),
    st.one_of(st.integers(), st.floats(), st.text(max_size=8), st.none(), st.booleans(), st.lists(st.integers())),
)


def request(limits: dict[str, Any], **annotations: str) -> ContainerRequest:
    """A container that names these limits."""
    keyed = {f"fake.example/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return ContainerRequest(path=PATH, limits=limits, annotations=keyed)


def ask(family: Resources = FAMILY, /, **limits: Any) -> Ask | None:
    """What a container asks that names these resources, by the last part of their names."""
    names = {"npu": NPU, "memory": MEMORY, "percentage": PERCENTAGE, "cores": CORES, "priority": PRIORITY}
    return family.ask(request({names[key]: value for key, value in limits.items()}))


def problems(limits: dict[str, Any]) -> list[str]:
    """The sentences with which limits are refused."""
    with pytest.raises(InvalidRequest) as caught:
        FAMILY.ask(request(limits))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"npu": 1}, Ask(vendor="fake", cores=100)),
        ({"npu": "2"}, Ask(vendor="fake", count=2, cores=100)),
        ({"npu": 1, "memory": 1024}, Ask(vendor="fake", memory=1024)),
        ({"npu": 1, "memory": "1Ki"}, Ask(vendor="fake", memory=1024)),
        ({"npu": 1, "memory": 0}, Ask(vendor="fake", cores=100)),
        ({"npu": 1, "percentage": 40}, Ask(vendor="fake", memory_percentage=40)),
        ({"npu": 1, "percentage": 100}, Ask(vendor="fake", memory_percentage=100, cores=100)),
        ({"npu": 1, "percentage": 100, "cores": 50}, Ask(vendor="fake", memory_percentage=100, cores=50)),
        ({"npu": 1, "cores": 30}, Ask(vendor="fake", cores=30)),
        ({"npu": 1, "cores": 0}, Ask(vendor="fake", cores=0)),
        ({"npu": 1, "memory": 1024, "cores": 100}, Ask(vendor="fake", memory=1024, cores=100)),
        ({"memory": 1024}, Ask(vendor="fake", memory=1024)),
        ({"npu": 1, "memory": 1024, "priority": 0}, Ask(vendor="fake", memory=1024, priority=0)),
    ],
    ids=str,
)
def test_what_is_named_is_what_is_asked(limits: dict[str, Any], expected: Ask) -> None:
    """Neither memory nor compute: the whole device alone. 0 memory: not asked. No count: one device."""
    assert ask(**limits) == expected


@pytest.mark.parametrize("limits", [{}, {"npu": 0}, {"priority": 1}])
def test_nothing_asked_is_no_ask(limits: dict[str, Any]) -> None:
    """No resource of the family, a count of zero, or a priority alone."""
    assert ask(**limits) is None


def test_an_ask_for_everything_is_exclusive() -> None:
    """All of a device's compute leaves nothing for another program."""
    whole, part = ask(npu=1), ask(npu=1, cores=99)
    assert whole is not None
    assert whole.exclusive
    assert part is not None
    assert not part.exclusive


def test_memory_may_be_counted_in_units() -> None:
    """A vendor whose unit is 256 MiB: 4 of them are 1024 MiB."""
    counted = ask(replace(FAMILY, memory_unit=256), memory=4)
    assert counted is not None
    assert counted.memory == 1024


def test_the_default_count_is_the_familys() -> None:
    """Chips that come in pairs ask for two when none is named."""
    paired = ask(replace(FAMILY, default_count=2), memory=4)
    assert paired is not None
    assert paired.count == 2


@pytest.mark.parametrize("value", [-1, 1.5, "0.5", "many", None, True, [1], "1.5Gi1"])
@pytest.mark.parametrize("name", [NPU, MEMORY, PERCENTAGE, CORES, PRIORITY])
def test_malformed_amounts_are_refused_where_they_stand(name: str, value: object) -> None:
    """The sentence begins with the field and has the value."""
    [problem] = [one for one in problems({NPU: 1, name: value}) if name in one]
    assert problem.startswith(f"{PATH}.resources.limits[{name}]: {value!r} ")


@pytest.mark.parametrize("name", [PERCENTAGE, CORES])
def test_percentages_end_at_a_hundred(name: str) -> None:
    """More than all of a device cannot be had."""
    assert "from 0 to 100" in problems({NPU: 1, name: 101})[0]


def test_all_problems_are_told_at_once() -> None:
    """Each malformed amount has its sentence, in the order of the family's names."""
    told = problems({CORES: -1, NPU: "x", MEMORY: 1.5})
    assert [one.split("[")[2].split("]")[0] for one in told] == [NPU, MEMORY, CORES]


def test_memory_is_asked_in_one_way() -> None:
    """MiB together with percent: the sentence names both and says what to do."""
    [problem] = problems({NPU: 1, MEMORY: 1024, PERCENTAGE: 10})
    assert MEMORY in problem
    assert PERCENTAGE in problem
    assert "keep one of the two" in problem


@pytest.mark.parametrize("name", [MEMORY, PERCENTAGE, CORES])
def test_amounts_of_no_device_are_refused(name: str) -> None:
    """A count of zero with an amount of something is a slip, not an ask for nothing."""
    [problem] = problems({NPU: 0, name: 10})
    assert problem.startswith(f"{PATH}.resources.limits[{NPU}]")


def test_annotations_select_devices() -> None:
    """Words and identities separated by commas, blanks around them ignored, empty ones too."""
    found = FAMILY.ask(
        request(
            {NPU: 1}, use_models="F1, F2 ,", avoid_models="F3", use_devices="a,b", avoid_devices="c", same_numa="True"
        )
    )
    assert found is not None
    selection = found.selection
    assert selection.use_models == ("F1", "F2")
    assert (selection.avoid_models, selection.use_devices) == (("F3",), ("a", "b"))
    assert (selection.avoid_devices, selection.same_numa) == (("c",), True)


def test_annotations_that_a_family_lacks_are_not_read() -> None:
    """No name, no meaning: an empty key is not looked up."""
    bare = Resources(vendor="bare", count="bare.example/npu")
    found = bare.ask(ContainerRequest(path=PATH, limits={"bare.example/npu": 1}, annotations={"": "x"}))
    assert found == Ask(vendor="bare", cores=100)
    assert bare.annotations() == ()


def test_names_come_with_their_meaning() -> None:
    """``hetero vendors`` shows them; a family without a resource shows none for it."""
    assert [name.name for name in Resources(vendor="v", count="v.example/n").names()] == ["v.example/n"]
    assert all(name.meaning for name in FAMILY.names())
    assert len(FAMILY.annotations()) == 5


@given(NAMED)
def test_any_limits_are_an_ask_or_refused(limits: dict[str, Any]) -> None:
    """Whatever stands in a manifest, the answer is an ask, nothing, or sentences with fields."""
    try:
        found = FAMILY.ask(request(limits))
    except InvalidRequest as error:
        fields = [problem.field for problem in error.problems]
    else:
        fields = []
        assert found is None or (found.count >= 1 and 0 <= found.cores <= 100)
    assert all(field.startswith(PATH) for field in fields)
