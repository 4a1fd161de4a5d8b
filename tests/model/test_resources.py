"""From what a container names to what it asks: the words of one resource family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidRequest, InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.model.resources import ContainerRequest, Resources
from hetero.testing import fake_vendor

[FAMILY] = fake_vendor().resources
PATH = "spec.containers[0]"
NPU, MEMORY, PERCENTAGE, CORES, PRIORITY = (name.name for name in FAMILY.names())

OUT_OF_RANGE = "is out of range; write a whole number from 0 to 2147483647"

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 200)
    | st.floats()
    | st.binary(max_size=2)
    | st.text(max_size=8)
    | st.text(alphabet="0123456789.-+eEmkKi ", max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMED = st.dictionaries(st.sampled_from([NPU, MEMORY, PERCENTAGE, CORES, PRIORITY, "cpu", ""]), VALUES)
SOUND = st.fixed_dictionaries(
    {},
    optional={
        NPU: st.integers(1, 16),
        MEMORY: st.integers(1, 2**20),
        CORES: st.integers(0, 100),
        PRIORITY: st.integers(0, 9),
    },
)
FAMILIES = st.builds(
    replace,
    st.just(FAMILY),
    memory_unit=st.sampled_from([1, 256, 1024]),
    default_count=st.integers(1, 8),
    memory=st.sampled_from(["", MEMORY]),
    memory_percentage=st.sampled_from(["", PERCENTAGE]),
    cores=st.sampled_from(["", CORES]),
    priority=st.sampled_from(["", PRIORITY]),
)
WORDS = st.lists(st.text("abcXYZ019-. ", min_size=1).map(str.strip).filter(bool), max_size=4)


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
        ({"npu": 1, "percentage": 0}, Ask(vendor="fake", cores=100)),
        ({"npu": 1, "memory": 0, "percentage": 40}, Ask(vendor="fake", memory_percentage=40)),
        ({"npu": 1, "memory": 1024, "percentage": 0}, Ask(vendor="fake", memory=1024)),
        ({"npu": 1, "memory": 0, "cores": 30}, Ask(vendor="fake", cores=30)),
        ({"npu": 3, "percentage": 100, "cores": 100}, Ask(vendor="fake", count=3, memory_percentage=100, cores=100)),
        ({"memory": 1024}, Ask(vendor="fake", memory=1024)),
        ({"percentage": 40}, Ask(vendor="fake", memory_percentage=40)),
        ({"cores": 30}, Ask(vendor="fake", cores=30)),
        ({"cores": 30, "priority": 1}, Ask(vendor="fake", cores=30, priority=1)),
        ({"npu": 1, "priority": 7}, Ask(vendor="fake", cores=100, priority=7)),
        ({"npu": 1, "memory": 1024, "priority": 0}, Ask(vendor="fake", memory=1024, priority=0)),
    ],
    ids=str,
)
def test_what_is_named_is_what_is_asked(limits: dict[str, Any], expected: Ask) -> None:
    """Neither memory nor compute: the whole device alone. 0 memory: not asked. No count: one device."""
    assert ask(**limits) == expected


@pytest.mark.parametrize(
    "limits",
    [{}, {"npu": 0}, {"npu": "0"}, {"npu": 0, "memory": 0, "cores": 0}, {"priority": 1}, {"npu": 0, "priority": 1}],
    ids=str,
)
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


def result(family: Resources, limits: dict[str, Any]) -> Ask | InvalidRequest | None:
    """The ask, or our error."""
    try:
        return family.ask(request(limits))
    except InvalidRequest as error:
        return error


@given(FAMILIES, NAMED)
def test_any_limits_are_an_ask_or_refused(family: Resources, limits: dict[str, Any]) -> None:
    """Whatever stands in a manifest, for whatever family: an ask within bounds, nothing, or sentences with fields."""
    found = result(family, limits)
    if isinstance(found, Ask):
        assert found.count >= 1
        assert 0 <= found.cores <= 100
        assert found.memory is None or found.memory >= 1
        assert found.memory_percentage is None or 1 <= found.memory_percentage <= 100
        assert found.priority is None or found.priority >= 0


@given(FAMILIES, NAMED)
def test_a_refusal_is_about_what_is_named(family: Resources, limits: dict[str, Any]) -> None:
    """Each sentence is about a resource of this family that is named, with the value that stands there."""
    found = result(family, limits)
    if isinstance(found, InvalidRequest):
        named = {f"{PATH}.resources.limits[{name.name}]": limits.get(name.name) for name in family.names()}
        assert found.problems
        assert all(one.value is named[one.field] for one in found.problems)
        assert len({one.field for one in found.problems}) == len(found.problems)


@given(FAMILIES, NAMED)
def test_names_of_others_change_nothing(family: Resources, limits: dict[str, Any]) -> None:
    """A family reads its own names and no others, not even to look at their values."""
    own = {name.name for name in family.names()}
    alone = {name: value for name, value in limits.items() if name in own}
    more = {**limits, "cpu": object(), "other.example/npu": "many", None: 1}
    assert repr(result(family, more)) == repr(result(family, alone))  # type: ignore[arg-type]


@given(SOUND)
def test_sound_amounts_are_taken_as_they_are(limits: dict[str, int]) -> None:
    """Each amount in its place, whatever else is named."""
    found = result(FAMILY, limits)
    if set(limits) <= {PRIORITY}:
        assert found is None
        return
    assert isinstance(found, Ask)
    assert found.count == limits.get(NPU, 1)
    assert found.memory == limits.get(MEMORY)
    assert found.priority == limits.get(PRIORITY)
    assert found.cores == limits.get(CORES, 0 if MEMORY in limits else 100)


@given(SOUND)
def test_text_is_as_good_as_a_number(limits: dict[str, int]) -> None:
    """A client of the API may send either, and the API server stores text."""
    assert result(FAMILY, {name: str(value) for name, value in limits.items()}) == result(FAMILY, limits)


@given(SOUND, st.randoms(use_true_random=False))
def test_the_order_of_limits_does_not_matter(limits: dict[str, int], random: Any) -> None:
    """A mapping has none."""
    turned = list(limits.items())
    random.shuffle(turned)
    assert result(FAMILY, dict(turned)) == result(FAMILY, limits)


def test_a_number_without_end_is_refused() -> None:
    """YAML spells numbers in hexadecimal of which Python prints no decimal digits: still a sentence with the field."""
    [problem] = problems({NPU: 16**4000})
    assert problem == f"{PATH}.resources.limits[{NPU}]: a value too long to show " + OUT_OF_RANGE


@pytest.mark.parametrize("name", [NPU, MEMORY, PRIORITY])
def test_amounts_end_where_the_api_ends(name: str) -> None:
    """What comes out of the largest is still a whole number that any reader can hold."""
    assert isinstance(result(FAMILY, {NPU: 1, name: 2**31 - 1}), Ask)
    assert OUT_OF_RANGE in problems({NPU: 1, name: 2**31})[0]


@pytest.mark.parametrize("path", ["spec.containers[1]", "spec.template.spec.initContainers[0]"])
def test_the_field_is_where_the_container_stands(path: str) -> None:
    """In a Pod or in a workload's template: as whoever looks the field up would spell it."""
    with pytest.raises(InvalidRequest) as caught:
        FAMILY.ask(ContainerRequest(path=path, limits={NPU: "x"}))
    assert [one.field for one in caught.value.problems] == [f"{path}.resources.limits[{NPU}]"]


def test_a_wrong_amount_is_told_before_a_wrong_combination() -> None:
    """What amounts come to together is looked at once each of them can be read."""
    told = problems({NPU: 1, MEMORY: "much", PERCENTAGE: 10})
    assert len(told) == 1
    assert "is not a quantity" in told[0]
    assert "cannot be combined" in problems({NPU: 1, MEMORY: 1, PERCENTAGE: 10})[0]


def test_all_wrong_combinations_are_told() -> None:
    """Memory in two ways, of no device: both."""
    told = problems({NPU: 0, MEMORY: 1, PERCENTAGE: 10})
    assert [one.split("]")[1].split("[")[1] for one in told] == [PERCENTAGE, NPU]
    assert "asks for no device; write 1 or more" in told[1]


class Pairs(Resources):
    """Chips that are had in twos."""

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        yield from super().problems(ask, amounts, request)
        if ask.count % 2:
            yield InvalidValue(self.field(request, self.count), amounts.get(self.count), "is odd; write 2, 4, 6 or 8")


def test_a_vendor_adds_rules_of_its_own() -> None:
    """They see what the amounts come to, defaults included, and are told together with the usual ones."""
    pairs = Pairs(vendor="p", count=NPU, memory=MEMORY, memory_percentage=PERCENTAGE)
    both = result(pairs, {NPU: 3, MEMORY: 1, PERCENTAGE: 1})
    assert isinstance(both, InvalidRequest)
    assert ["combined" in str(one) or "odd" in str(one) for one in both.problems] == [True, True]
    assert isinstance(result(pairs, {MEMORY: 1}), InvalidRequest)
    assert result(pairs, {NPU: 4}) == Ask(vendor="p", count=4, cores=100)


@given(st.integers(1, 2**31 - 1), st.sampled_from([1, 2, 256, 1024]))
def test_units_multiply(amount: int, unit: int) -> None:
    """MiB are the amount times the unit: exactly, and the meaning of the name says the unit."""
    family = replace(FAMILY, memory_unit=unit)
    assert family.ask(request({NPU: 1, MEMORY: amount})) == Ask(vendor="fake", memory=amount * unit)
    assert f"in units of {unit} MiB" in {one.name: one.meaning for one in family.names()}[MEMORY]


def test_a_family_is_said_in_its_asks() -> None:
    """A vendor with two families tells their asks apart by it."""
    found = ask(replace(FAMILY, family="small"), npu=1)
    assert found is not None
    assert (found.vendor, found.family) == ("fake", "small")


@pytest.mark.parametrize("lacking", ["memory", "memory_percentage", "cores", "priority"])
def test_a_name_that_a_family_lacks_is_not_read(lacking: str) -> None:
    """Not under the empty name, and not under the name that another family has for it."""
    family = replace(FAMILY, **{lacking: ""})
    found = family.ask(request({NPU: 1, "": 5, getattr(FAMILY, lacking): "nonsense"}))
    assert found == Ask(vendor="fake", cores=100)
    assert getattr(FAMILY, lacking) not in [one.name for one in family.names()]


@given(WORDS, st.sampled_from(["use-models", "avoid-models", "use-devices", "avoid-devices"]))
def test_words_are_separated_by_commas(words: list[str], key: str) -> None:
    """Blanks around a word and empty words are nobody's intention; order, case and repetition are left alone."""
    text = " , ".join(["", *words, ""])
    found = FAMILY.ask(ContainerRequest(path=PATH, limits={NPU: 1}, annotations={f"fake.example/{key}": text}))
    assert found is not None
    assert getattr(found.selection, key.replace("-", "_")) == tuple(words)


@pytest.mark.parametrize(
    ("text", "asked"), [("true", True), (" True ", True), ("TRUE", True), ("false", False), ("", False), ("1", False)]
)
def test_one_numa_node_is_asked_with_true(text: str, asked: bool) -> None:
    """And with no other word."""
    found = FAMILY.ask(request({NPU: 1}, same_numa=text))
    assert found is not None
    assert found.selection.same_numa is asked


def test_a_family_is_not_changed() -> None:
    """It is shared by threads; its names are given by their names, since there are so many."""
    with pytest.raises(FrozenInstanceError):
        FAMILY.count = "other.example/npu"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Resources("v", "v.example/npu")  # type: ignore[misc]


def test_asking_changes_nothing() -> None:
    """The container's limits and annotations are read by other families, too."""
    limits, notes = {NPU: "1", MEMORY: 5}, {"fake.example/use-models": "F1"}
    FAMILY.ask(ContainerRequest(path=PATH, limits=limits, annotations=notes))
    assert (limits, notes) == ({NPU: "1", MEMORY: 5}, {"fake.example/use-models": "F1"})


def test_a_kubelet_counts_programs_on_devices() -> None:
    """As many as a device has slots for; one where a chip does not say."""
    family = Resources(vendor="acme", count="acme.com/npu")
    model = DeviceModel(vendor="acme", name="A1", capacity={"slots": 6, "memory": 1024})
    assert family.counted(model) == {"acme.com/npu": 6}
    assert family.counted(DeviceModel(vendor="acme", name="A1", capacity={})) == {"acme.com/npu": 1}
