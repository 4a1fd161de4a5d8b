"""Records are values: they cannot be changed, they compare by content, and their names cannot be mixed up."""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil

import msgspec
import pytest

import hetero.model
from hetero.model.device import LinkKind
from hetero.model.share import Reason

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
    assert {one.kind for one in inspect.signature(kind).parameters.values()} <= {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_field_is_explained(kind: type[msgspec.Struct]) -> None:
    """What a field means, and in which unit, is written where it is declared."""
    text = kind.__doc__ or ""
    described = [field for field in kind.__struct_fields__ if f"{field}:" in text]
    plain = {"ContainerPlacement", "Grant", "Inventory", "Mount", "Node", "ResourceName"}  # whose names say it all
    assert described == list(kind.__struct_fields__) or kind.__name__ in plain


@pytest.mark.parametrize("kind", [LinkKind, Reason])
def test_words_are_stored_as_they_are(kind: type[enum.StrEnum]) -> None:
    """An enumeration's values are its stored form: each once, none empty."""
    values = [str(one) for one in kind]
    assert len(set(values)) == len(values)
    assert all(values)


REQUIRED = {
    "Ask": ["vendor"],
    "Card": ["vendor", "settings"],
    "ContainerAsk": ["name"],
    "ContainerEdits": [],
    "ContainerPlacement": ["container"],
    "ContainerRequest": ["path", "limits"],
    "Device": ["uuid", "index", "model"],
    "DevicePolicy": [],
    "DeviceModel": ["vendor", "name", "capacity"],
    "DeviceShare": ["vendor", "device", "share"],
    "Grant": ["device", "share"],
    "Health": [],
    "Inventory": [],
    "Link": ["peer", "kind"],
    "Machine": ["name", "cards"],
    "Mount": ["host_path", "container_path"],
    "DeviceNode": ["host_path", "container_path"],
    "Node": ["name"],
    "Placement": ["namespace", "pod", "node"],
    "PodAsk": ["name"],
    "Process": ["pid"],
    "Refusal": ["reason", "message"],
    "ResourceName": ["name", "meaning"],
    "Sample": ["uuid", "memory_used"],
    "Selection": [],
    "Share": ["quantities"],
    "Slice": ["id", "grants", "directory"],
    "Unplaced": ["namespace", "pod", "refusals"],
    "Traits": [],
    "Weights": [],
}


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_new_field_has_a_default(kind: type[msgspec.Struct]) -> None:
    """Vendors and stored records of older releases do not know it: no field is required beyond these."""
    required = [one.name for one in msgspec.structs.fields(kind) if one.required]
    assert required == REQUIRED[kind.__name__]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_fields_cannot_be_set(kind: type[msgspec.Struct]) -> None:
    """A record that two stages hold says the same to both."""
    record = kind(**dict.fromkeys(REQUIRED[kind.__name__], "x"))
    for field in kind.__struct_fields__:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(record, field, "y")
