"""The vendor device interface itself: what it refuses, what it lets a vendor leave out."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import vendor as interface
from hetero.errors import InvalidValue
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.model.share import Share
from hetero.testing import fake_devices, fake_vendor
from hetero.vendor import Discovery, Driver, Enforcement, Feature, Finding, Simulation, Splitting, Vendor

FAKE = fake_vendor()
PARTS = [Discovery, Splitting, Enforcement, Simulation]
METHODS = [
    (part, name)
    for part in PARTS
    for name, _ in inspect.getmembers(part, inspect.isfunction)
    if not name.startswith("_")
]


class Plain(Splitting):
    """The least that a vendor has to write."""

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        return DeviceModel(vendor="plain", name=name, capacity={"slots": 1, "memory": memory}, mode=mode)

    def split(self, model: DeviceModel, ask: Ask) -> Share:
        return Share(quantities=dict(model.capacity))


class Silent(Enforcement):
    """The least hook."""

    def prepare(self, held: Slice) -> ContainerEdits:
        return ContainerEdits()


@pytest.mark.parametrize("name", ["", "Acme", "acme corp", "1acme", "acme/x", "a" * 32])
def test_malformed_names_are_refused(name: str) -> None:
    """When the plugin is loaded, not when a pod comes."""
    with pytest.raises(InvalidValue, match="is no vendor name; use lower-case letters"):
        replace(FAKE, name=name)


@pytest.mark.parametrize("name", ["acme", "acme-2", "a"])
def test_good_names_are_taken(name: str) -> None:
    """Letters, digits and dashes."""
    assert replace(FAKE, name=name).name == name


def test_a_vendor_has_resources() -> None:
    """Without a word for its devices nobody could ask for them."""
    with pytest.raises(InvalidValue, match="at least one resource family"):
        replace(FAKE, resources=())


def test_a_vendor_is_not_changed() -> None:
    """It is shared by threads and stages."""
    assert {one.kind for one in inspect.signature(Vendor).parameters.values()} <= {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(FrozenInstanceError):
        FAKE.name = "other"  # type: ignore[misc]


def test_features_are_what_is_not_missing() -> None:
    """In the order in which they are declared."""
    some = fake_vendor(missing={Feature.NUMA: "none", Feature.LINKS: "none"})
    assert Feature.NUMA not in some.features
    assert [*some.features] == [one for one in Feature if one not in some.missing]


def test_sets_of_devices_may_all_be_alike() -> None:
    """A vendor without rings or pairs says nothing, and the planner takes its own order."""
    assert list(Plain().combinations(fake_devices(4), 2)) == []


def test_a_hook_may_have_nothing_to_undo_or_check() -> None:
    """Release and check are there without being written; a region is kept only by those who say so."""
    held = Slice(id="s", grants=(), directory="/nowhere")
    Silent().release(held)
    assert list(Silent().check()) == []
    assert not Silent().region


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_unfinished_parts_cannot_be_made(part: type) -> None:
    """What a vendor must write is abstract."""
    with pytest.raises(TypeError, match="abstract"):
        part()


@pytest.mark.parametrize(("part", "name"), METHODS, ids=lambda one: one if isinstance(one, str) else one.__name__)
def test_every_method_has_its_contract(part: type, name: str) -> None:
    """Says when it is called or what it gives back, and what it raises where it talks to a driver."""
    text = getattr(part, name).__doc__ or ""
    assert "Returns:" in text or "Called" in text
    if part is Discovery or name == "prepare":
        assert "Raises:" in text


def test_everything_public_is_exported() -> None:
    """A vendor imports the interface from one place."""
    own = {
        name
        for name, kind in vars(interface).items()
        if inspect.isclass(kind) and kind.__module__ == interface.__name__
    }
    assert own <= set(interface.__all__)


SIGNATURES = {
    Discovery: {"driver": [], "devices": [], "sample": []},
    Splitting: {
        "model": ["name", "memory", "mode"],
        "split": ["model", "ask"],
        "alternatives": ["model", "ask"],
        "sets": ["devices", "ask"],
        "combinations": ["devices", "count"],
        "annotations": ["containers"],
    },
    Enforcement: {"prepare": ["held"], "check": [], "release": ["held"]},
    Simulation: {"card": ["settings", "field"], "prepare": ["machine", "directory"]},
}

WRITTEN = {
    Discovery: {"driver", "devices", "sample"},
    Splitting: {"model", "split"},
    Enforcement: {"prepare"},
    Simulation: {"card", "prepare"},
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_methods_gain_no_arguments(part: type) -> None:
    """Packages of others implement them: a new need is a field with a default in a record."""
    found = {
        name: [*inspect.signature(method).parameters][1:]
        for name, method in inspect.getmembers(part, inspect.isfunction)
        if not name.startswith("_")
    }
    assert found == SIGNATURES[part]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_a_new_method_is_optional(part: type) -> None:
    """A package that was written before it must still load: nothing beyond these is abstract."""
    assert part.__abstractmethods__ == WRITTEN[part]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "required"), [(Driver, ["version", "library"]), (Finding, ["subject", "ok", "detail"])]
)
def test_records_of_the_interface_are_frozen_and_named(kind: type[msgspec.Struct], required: list[str]) -> None:
    """And ask for no more than they did."""
    fields = [one.name for one in msgspec.structs.fields(kind) if one.required]
    assert fields == required
    record = kind(**dict.fromkeys(fields, "x"))
    with pytest.raises(AttributeError, match="immutable"):
        setattr(record, fields[0], "y")
    assert {one.kind for one in inspect.signature(kind).parameters.values()} <= {inspect.Parameter.KEYWORD_ONLY}


def test_what_a_vendor_leaves_out() -> None:
    """No simulation, nothing missing, no words of its own; and what one vendor lacks is not another's lack."""
    plain = Vendor(
        name="plain",
        title="Plain",
        version="1",
        resources=FAKE.resources,
        discovery=FAKE.discovery,
        splitting=Plain(),
        enforcement=Silent(),
    )
    assert (plain.simulation, dict(plain.missing), plain.words) == (None, {}, ())
    assert plain.features == tuple(Feature)
    assert replace(plain, missing={Feature.NUMA: "none"}).missing != plain.missing


@given(st.sets(st.sampled_from(Feature)))
def test_each_feature_works_or_is_missing(missing: set[Feature]) -> None:
    """Never both, never neither."""
    vendor = replace(FAKE, missing=dict.fromkeys(missing, "the chip has none"))
    assert {*vendor.features} | missing == {*Feature}
    assert not {*vendor.features} & missing


def test_features_have_words_for_users() -> None:
    """``hetero vendors`` prints them and scripts compare them: each once, in lower case with dashes."""
    assert [*Feature] == [
        "memory",
        "memory-percentage",
        "cores",
        "exclusive",
        "priority",
        "partition",
        "numa",
        "links",
        "health",
        "processes",
        "simulation",
    ]


@given(st.text(max_size=40))
def test_any_name_is_taken_or_refused(name: str) -> None:
    """A name stands in annotations, file names and variables: nothing but letters, digits and dashes comes through."""
    try:
        vendor = replace(FAKE, name=name)
    except InvalidValue as error:
        assert str(error).startswith("name: ")  # noqa: PT017 — whichever of the two it is
    else:
        assert set(vendor.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert 1 <= len(vendor.name) <= 31


@pytest.mark.parametrize("name", ["acme\n", "ácme", "acme_2", "-acme", "ACME", " acme"])
def test_names_that_look_right_are_refused(name: str) -> None:
    """A trailing line, a foreign letter, an underscore: the sentence shows what was given."""
    with pytest.raises(InvalidValue) as caught:
        replace(FAKE, name=name)
    assert (caught.value.field, caught.value.value) == ("name", name)


def test_the_longest_name() -> None:
    """31 characters."""
    assert replace(FAKE, name="a" * 31).name == "a" * 31


def test_a_finding_that_is_well_needs_no_advice() -> None:
    """Nor does every driver say what it serves."""
    assert Finding(subject="driver", ok=True, detail="1.0").advice == ""
    assert Driver(version="1.0", library="libacme.so.1").api == ""


def test_parts_can_be_used_from_their_least() -> None:
    """A vendor of the least that must be written works like any other."""
    vendor = replace(FAKE, name="plain", splitting=Plain(), enforcement=Silent())
    model = vendor.splitting.model("Plain P1", 1024)
    assert vendor.splitting.split(model, Ask(vendor="plain")) == Share(quantities={"slots": 1, "memory": 1024})
    assert vendor.enforcement.prepare(Slice(id="s", grants=(), directory="/nowhere")) == ContainerEdits()
