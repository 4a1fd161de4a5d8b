"""The chart's values say what the vendors' packages say, and its versions are the package's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_origin

import msgspec
import pytest
import yaml

import hetero
from hetero import plugins
from hetero.admission import registration
from hetero.config import NODE_POLICIES, Settings

CHART = Path(__file__).parents[2] / "charts/hetero"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
OURS = sorted(path.parent.name for path in CHART.parents[1].glob("vendors/*/pyproject.toml"))


def test_every_vendor_of_this_house_is_there() -> None:
    """And none that is not, and none is enabled: who installs says what the nodes have."""
    assert sorted(VALUES["vendors"]) == OURS
    assert [name for name, one in VALUES["vendors"].items() if one["enabled"]] == []


@pytest.mark.parametrize("name", OURS)
def test_resources_are_those_of_the_package(name: str) -> None:
    """Counts and totals are what a node's status has, others are what it has not; no name is missing."""
    told = VALUES["vendors"][name]["resources"]
    counts = [told["count"]] if isinstance(told["count"], str) else told["count"]
    vendor = plugins.load().vendors[name]
    assert sorted(counts) == sorted({family.count for family in vendor.resources})
    managed = registration.managed_resources({name: vendor})
    visible = {one["name"] for one in managed if not one["ignoredByScheduler"]}
    assert {*counts, *told["totals"]} == visible
    assert set(told.get("others", ())) == {one["name"] for one in managed} - visible


KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", tuple: "array"}


@pytest.mark.parametrize("topic", [field for field in msgspec.structs.fields(Settings) if field.name != "vendors"])
def test_the_schema_knows_the_settings(topic: msgspec.structs.FieldInfo) -> None:
    """Each of its kind, and no others: a wrong one is refused by Helm, not by a scheduler that then does not start."""
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]["properties"][topic.name]
    assert schema["additionalProperties"] is False
    settings = {field.name: KINDS[get_origin(field.type) or field.type] for field in msgspec.structs.fields(topic.type)}
    assert {name: one.get("type", "string") for name, one in schema["properties"].items()} == settings


def test_the_schema_has_the_words_of_settings() -> None:
    """Those that are taken, each, and another is not."""
    config = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]["properties"]
    assert config["placement"]["properties"]["node_policy"]["enum"] == list(NODE_POLICIES)
    for level in config["log"]["properties"]["level"]["enum"]:
        assert msgspec.convert({"log": {"level": level}}, Settings).log.level == level


def test_versions_are_the_packages() -> None:
    """The images that are pulled by default are those that were made with it."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == hetero.__version__
