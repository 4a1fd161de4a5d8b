"""The README, which users believe, against the code, which they get."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest
from hetero_ascend import ascend, enforcement, journal, modes, names, rings, soft, vnpu
from hetero_ascend.chips import CHIPS, FAMILIES
from hetero_ascend.simulation import CardSettings, DriverSettings

README = (Path(__file__).parents[1] / "README.md").read_text()


def table(head: str) -> dict[str, str]:
    """First column to last column of the table whose first heading this is."""
    body = README.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    rows = [re.split(r" \| ?", line.strip("| ")) for line in body.splitlines()[2:]]
    return {row[0].strip("`"): row[-1].strip("` ") for row in rows}


@pytest.mark.parametrize(
    ("head", "settings"), [("key of a card", CardSettings), ("key of `drivers.ascend`", DriverSettings)]
)
def test_every_key_of_a_machine_is_explained(head: str, settings: type[msgspec.Struct]) -> None:
    """No key is missing, none is left over, and each default is the one in force."""
    told = table(head)
    fields = {field.name: field for field in msgspec.structs.fields(settings)}
    assert list(told) == list(fields)
    for name, field in fields.items():
        if field.required:
            assert told[name] == "needed"
        elif field.default != "":
            assert told[name] == str(field.default).lower()


def test_every_kind_of_chip_is_in_the_table_of_names() -> None:
    """With all the names that the driver gives it."""
    told = table("names")
    assert list(told) == [family.count for family in names.RESOURCES]
    for family in names.RESOURCES:
        products = re.findall(r"[^`, …]+", told[family.count])
        assert set(products) == set(FAMILIES[family.family].products)


def test_every_resource_and_annotation_is_explained() -> None:
    """By the example of one kind of chip, as the others are alike."""
    [example] = [family for family in names.RESOURCES if family.family == "Ascend910B3"]
    assert list(table("resource")) == [name.name for name in example.names()]
    assert all(f"`{name}`" in README for name in (*example.annotations(), names.MODE))


def test_every_template_is_told_with_what_it_takes() -> None:
    """Those by size in the table of chips, the others by name."""
    for chip in CHIPS:
        for one in chip.templates:
            row = f"{one.name} {one.memory}, {one.aicores}, {one.aicpus}"
            assert (row if one.plain else f"`{one.name}`") in README, one.name
    told = {row.split(" | ")[0]: row.split(" | ")[1:4] for row in re.findall(r"^\| (.* \| vir.*|.*) \|$", README, re.M)}
    for chip in CHIPS:
        [sizes] = [row for key, row in told.items() if _is_of(key, chip.products, chip.family) and len(row) == 3]
        assert sizes == [str(chip.memory), str(chip.aicores), str(chip.aicpus)]


def _is_of(cell: str, products: tuple[str, ...], family: str) -> bool:
    kinds = [kind.removesuffix("each die").strip(", ") for kind in cell.split(", ")]
    return family.removeprefix("Ascend") in kinds or any(product in kinds for product in products)


def test_every_variable_is_explained() -> None:
    """Those of a program, and those of the node's agent."""
    program = {enforcement.VISIBLE, enforcement.SPECS, enforcement.OPTIONS, soft.MEMORY_QUOTA, soft.CORE_SHARE}
    program |= {soft.GLOBAL_REGISTRY, soft.LOCAL_STATE}
    told = {name for cell in table("variable") for name in re.findall(r"[A-Z_]{6,}", cell)}
    assert told == program
    assert set(table("variable of the node's agent")) == {
        enforcement.MAKER_VARIABLE,
        modes.MODE_VARIABLE,
        vnpu.FORM_VARIABLE,
    }


def test_every_limitation_is_told_with_its_reason() -> None:
    """The sentence is the one that ``hetero vendors`` prints."""
    told = table("feature")
    assert all(told[feature].startswith(reason) for feature, reason in ascend.missing.items())


def test_the_numbers_in_the_text_are_those_in_force() -> None:
    """Sets, places, versions, files."""
    told = {"Ascend910A": [1, 2, 4, 8], "Ascend910B3": [*range(1, 9), 10, 12, 14, 16], "Ascend910C": [*range(2, 17, 2)]}
    for family, numbers in told.items():
        assert [count for count in range(1, 18) if not rings.complaint(family, count)] == numbers
    assert all(f"| {numbers} |" in README for numbers in ("1, 2, 4, 8", "1 to 8, 10, 12, 14, 16", "2, 4, … 16"))
    assert f"old before {vnpu.FIRST_OF_TODAY}" in README
    assert f"`{journal.PLACE}`" in README
    assert f"`{modes.SOFT_DIRECTORY}`" in README


def test_the_entry_point_offers_the_vendor() -> None:
    """Installed is found: one entry point, one vendor."""
    (point,) = [one for one in entry_points(group="hetero") if one.name == "ascend"]
    assert point.load().hetero_register_vendors() == [ascend]
