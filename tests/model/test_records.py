"""Records are values: they cannot be changed, they compare by content, and their names cannot be mixed up."""

from __future__ import annotations

import enum
import importlib
import pkgutil

import msgspec
import pytest

import hetero.model
from hetero.model.device import CORES, MEMORY, SLOTS, Health, LinkKind
from hetero.model.share import Reason, Share

MODULES = [importlib.import_module(f"hetero.model.{one.name}") for one in pkgutil.iter_modules(hetero.model.__path__)]
RECORDS = sorted(
    {
        kind
        for module in MODULES
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
    },
    key=lambda kind: kind.__name__,
)


def test_there_are_records() -> None:
    """The checks below are about something."""
    assert len(RECORDS) >= 20


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_records_are_frozen_and_named(kind: type[msgspec.Struct]) -> None:
    """No stage changes another's record, and no argument is given by its place."""
    assert kind.__struct_config__.frozen
    assert not kind.__struct_config__.eq or kind.__eq__ is not object.__eq__
    with pytest.raises(TypeError):
        kind(1)  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_field_is_explained(kind: type[msgspec.Struct]) -> None:
    """What a field means, and in which unit, is written where it is declared."""
    text = kind.__doc__ or ""
    described = [field for field in kind.__struct_fields__ if f"{field}:" in text]
    plain = {"ContainerPlacement", "Grant", "Inventory", "Mount", "Node", "ResourceName"}  # whose names say it all
    assert described == list(kind.__struct_fields__) or kind.__name__ in plain


def test_a_share_tells_memory_and_cores() -> None:
    """0 where a chip has no such dimension."""
    assert Share(quantities={MEMORY: 5, CORES: 7}).memory == 5
    assert Share(quantities={MEMORY: 5, CORES: 7}).cores == 7
    assert (Share(quantities={SLOTS: 1}).memory, Share(quantities={SLOTS: 1}).cores) == (0, 0)


@pytest.mark.parametrize("kind", [LinkKind, Reason])
def test_words_are_stored_as_they_are(kind: type[enum.StrEnum]) -> None:
    """An enumeration's values are its stored form: each once, none empty."""
    values = [str(one) for one in kind]
    assert len(set(values)) == len(values)
    assert all(values)


def test_the_reasons_are_the_words_that_people_search_for() -> None:
    """Existing dashboards and runbooks look for these."""
    assert Reason.INSUFFICIENT_MEMORY == "CardInsufficientMemory"
    assert Reason.TOO_FEW_DEVICES == "NodeInsufficientDevice"
    assert Reason.EXCLUSIVE_CONFLICT == "ExclusiveDeviceAllocateConflict"


def test_devices_are_well_unless_told_otherwise() -> None:
    """Most are."""
    assert Health().ok
