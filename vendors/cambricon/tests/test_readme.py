"""The README, which users believe, against the code, which they get."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest
from hetero_cambricon import cambricon, names, smlu
from hetero_cambricon.cndev import dotted
from hetero_cambricon.simulation import CardSettings, DriverSettings
from hetero_cambricon.splitting import SLOTS_PER_CARD, WITHOUT_SLICES
from hetero_cambricon.wiring import BOARD, SPIDER

README = (Path(__file__).parents[1] / "README.md").read_text()


def table(head: str) -> dict[str, str]:
    """First column to last column of the table whose first heading this is."""
    body = README.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    rows = [re.split(r" \| ", line.strip("| ")) for line in body.splitlines()[2:]]
    return {row[0].strip("`"): row[-1].strip("`") for row in rows}


@pytest.mark.parametrize(
    ("head", "settings"), [("key of a card", CardSettings), ("key of `drivers.cambricon`", DriverSettings)]
)
def test_every_key_of_a_machine_is_explained(head: str, settings: type[msgspec.Struct]) -> None:
    """No key is missing, none is left over, and each default is the one in force."""
    told = table(head)
    fields = {field.name: field for field in msgspec.structs.fields(settings)}
    assert list(told) == list(fields)
    for name, field in fields.items():
        if field.required:
            assert told[name] == "needed"
        elif field.default not in ("", msgspec.NODEFAULT):
            assert told[name] == str(field.default).lower()


def test_every_resource_and_annotation_is_explained() -> None:
    """What a pod may write is found here by its full name."""
    usual = [name.name for name in names.RESOURCES.names() if not any(one in name.name for one in names.TYPES)]
    assert list(table("resource")) == usual
    assert ", ".join(f"`{one}`" for one in names.TYPES) in README
    assert all(f"`{name}`" in README for name in (*names.RESOURCES.annotations(), names.POLICY))
    assert set(table("policy")) == set(names.POLICIES)


def test_every_word_for_programs_and_plugins_is_explained() -> None:
    """Variables of the environment, and annotations for the vendor's own plugin."""
    section = README.split("## What a program finds")[1].split("## What works")[0]
    assert all(f"`{word}`" in section for word in (names.VISIBLE, names.VIRTUAL, names.PROFILE, *names.ASSIGNED))


def test_every_limitation_is_told_with_its_reason() -> None:
    """The sentence is the one that ``hetero vendors`` prints."""
    told = table("feature")
    assert all(told[feature].startswith(reason) for feature, reason in cambricon.missing.items())


def test_the_numbers_in_the_text_are_those_in_force() -> None:
    """Versions, units, slots, and kinds of cards."""
    assert f"driver {dotted(smlu.SINCE_DRIVER)} and cndev {dotted(smlu.SINCE_LIBRARY)}" in README
    assert names.UNIT == 256
    assert SLOTS_PER_CARD == 100
    assert WITHOUT_SLICES == ("MLU100", "MLU220", "MLU270")
    assert (SPIDER, BOARD) == (("U290", "U370-M8"), ("U370-X8", "U590-H8"))


def test_the_entry_point_offers_the_vendor() -> None:
    """Installed is found: one entry point, one vendor."""
    (point,) = [one for one in entry_points(group="hetero") if one.name == "cambricon"]
    assert point.load().hetero_register_vendors() == [cambricon]
