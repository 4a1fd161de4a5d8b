"""The vendor device interface itself: what it refuses, what it lets a vendor leave out."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, replace

import pytest

from hetero import vendor as interface
from hetero.errors import InvalidValue
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.model.share import Share
from hetero.testing import fake_devices, fake_vendor
from hetero.vendor import Discovery, Enforcement, Feature, Simulation, Splitting

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
