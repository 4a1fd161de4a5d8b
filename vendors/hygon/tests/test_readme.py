"""The README, which users believe, and the examples, which they copy, against the code, which they get."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest
import yaml
from hetero_hygon import hygon, names
from hetero_hygon.models import COMPUTE_UNITS
from hetero_hygon.simulation import CardSettings, DriverSettings
from hetero_hygon.splitting import VDCUS_PER_CARD

from hetero.model.ask import Ask, Selection
from hetero.model.resources import ContainerRequest
from hetero.model.share import Share

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = Path(__file__).parents[3] / "examples/hygon"


def table(head: str) -> dict[str, str]:
    """First column to last column of the table whose first heading this is."""
    body = README.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    rows = [re.split(r" \| ", line.strip("| ")) for line in body.splitlines()[2:]]
    return {row[0].strip("`"): row[-1].strip("`") for row in rows}


@pytest.mark.parametrize(
    ("head", "settings"), [("key of a card", CardSettings), ("key of `drivers.hygon`", DriverSettings)]
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
    assert list(table("resource")) == [name.name for name in names.RESOURCES.names()]
    assert all(f"`{name}`" in README for name in names.RESOURCES.annotations())


def test_what_a_container_finds_is_explained() -> None:
    """Each variable, device file and place."""
    section = README.split("## What a container finds")[1].split("## ")[0]
    for word in (
        names.VISIBLE_TO_TOOLKIT,
        *names.SHARED_NODES,
        names.DRIVER_FILES,
        names.VDEV_IN_CONTAINER,
        f"/run/hetero/{names.VENDOR}",
    ):
        assert f"`{word}" in section


def test_every_limitation_is_told_with_its_reason() -> None:
    """The sentence is the one that ``hetero vendors`` prints."""
    told = table("feature")
    assert all(told[feature].startswith(reason) for feature, reason in hygon.missing.items())


def test_the_numbers_in_the_text_are_those_in_force() -> None:
    """VDCUs of a card, and the example of rounding."""
    assert VDCUS_PER_CARD == 4
    assert "four on one card" in README
    assert COMPUTE_UNITS["BW200"] == 80
    assert "a card with 80 units would be 81 of them" in README


def test_the_entry_point_offers_the_vendor() -> None:
    """Installed is found: one entry point, one vendor."""
    (point,) = [one for one in entry_points(group="hetero") if one.name == "hygon"]
    assert point.load().hetero_register_vendors() == [hygon]


ASKED = {
    "slice": Ask(vendor="hygon", memory=2000, cores=60),
    "whole-cards": Ask(vendor="hygon", count=2, cores=100),
    "compute-only": Ask(vendor="hygon", cores=30),
    "memory-only": Ask(vendor="hygon", memory=4096),
    "chosen-model": Ask(
        vendor="hygon",
        memory=2000,
        cores=15,
        selection=Selection(use_models=("K100_AI",), avoid_models=("Z100", "Z100L")),
    ),
    "chosen-card": Ask(vendor="hygon", memory=2000, cores=15, selection=Selection(use_devices=("DCU-TNK7A21",))),
    "two-containers": Ask(vendor="hygon", memory=8192, cores=25),
}


def test_every_example_is_known() -> None:
    """None is added without saying what it asks."""
    assert {file.stem for file in EXAMPLES.glob("*.yaml")} == set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_examples_ask_what_they_say(name: str) -> None:
    """And a K100_AI serves each."""
    pod = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    request = ContainerRequest(
        path="spec.containers[0]",
        limits=pod["spec"]["containers"][0]["resources"]["limits"],
        annotations=pod["metadata"].get("annotations", {}),
    )
    found = names.RESOURCES.ask(request)
    assert found == ASKED[name]
    assert isinstance(hygon.splitting.split(hygon.splitting.model("K100_AI", 65520), found), Share)
