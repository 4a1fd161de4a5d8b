"""The README, which users believe, against the code, which they get."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest
from hetero_nvidia import enforcement, mig, names, nvidia
from hetero_nvidia.health import APPLICATION_ERRORS
from hetero_nvidia.resources import PROFILES, RESOURCES
from hetero_nvidia.simulation import CardSettings, DriverSettings
from hetero_nvidia.splitting import SLOTS_PER_GPU

README = (Path(__file__).parents[1] / "README.md").read_text()


def table(head: str) -> dict[str, str]:
    """First column to last column of the table whose first heading this is."""
    body = README.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    rows = [re.split(r" \| ", line.strip("| ")) for line in body.splitlines()[2:]]
    return {row[0].strip("`"): row[-1].strip("`") for row in rows}


@pytest.mark.parametrize(
    ("head", "settings"), [("key of a card", CardSettings), ("key of `drivers.nvidia`", DriverSettings)]
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
    named = [name.name for name in RESOURCES.names() if name.name not in PROFILES]
    assert list(table("resource")) == [*named, "nvidia.com/mig-<profile>"]
    assert all(f"`{name}`" in README for name in (*RESOURCES.annotations(), names.MODE))


def test_every_profile_is_told() -> None:
    """The table of boards has each board with the names of its profiles, and no other."""
    told = table("board")
    assert len(told) == len({", ".join(profile.name for profile in board.profiles) for board in mig.BOARDS})
    assert {name for names in told.values() for name in names.split(", ")} == {*PROFILES.values()}


def test_every_variable_is_explained() -> None:
    """Each constant of the environment is in the table of what a program finds."""
    section = README.split("## What a program finds")[1].split("## ")[0]
    variables = [
        value for value in vars(names).values() if isinstance(value, str) and re.match("(CUDA|NVIDIA)_", value)
    ]
    assert len(variables) == 9
    assert all(f"`{variable}" in section for variable in variables)


def test_every_limitation_is_told_with_its_reason() -> None:
    """The sentence is the one that ``hetero vendors`` prints."""
    told = table("feature")
    assert all(told[feature].startswith(reason) for feature, reason in nvidia.missing.items())
    assert told["partition"].startswith("works")


def test_the_numbers_in_the_text_are_those_in_force() -> None:
    """Errors of programs, and programs on one GPU."""
    *first, last = sorted(APPLICATION_ERRORS)
    assert f"Xid {', '.join(map(str, first))} and {last}" in README
    assert SLOTS_PER_GPU == 10
    assert "ten programs" in README
    assert enforcement.names.PRELOAD in README


def test_the_entry_point_offers_the_vendor() -> None:
    """Installed is found: one entry point, one vendor."""
    (point,) = [one for one in entry_points(group="hetero") if one.name == "nvidia"]
    assert point.load().hetero_register_vendors() == [nvidia]
