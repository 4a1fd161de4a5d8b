"""The chart's page is what its values say; a value without a word is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chart import readme
from tests.chart.readme import CHART, README, Value

VALUES = (CHART / "values.yaml").read_text()
SAMPLE = """\
# -- A number.
one: 1
# Not told: no value.
two:
  # -- In several
  # lines | with a bar.
  # @default -- many
  list: [1, 2]
  none: {}
three: text
"""


def test_the_page_is_current() -> None:
    """Whoever changes a value runs `make chart-readme`."""
    assert README.read_text() == readme.readme(VALUES)


def test_every_value_has_a_word() -> None:
    """Or is within one that has; the page tells of each."""
    assert readme.undocumented(VALUES) == []
    assert len(list(readme.values(VALUES))) > 40


def test_comments_become_rows() -> None:
    """Path, default and meaning; a default that is told in words is not shown, and a bar does not end a cell."""
    one, two = readme.values(SAMPLE)
    assert one == Value("one", "`1`", "A number.")
    assert two == Value("two.list", "many", "In several lines | with a bar.")
    assert two.row() == "| `two.list` | many | In several lines \\| with a bar. |"


def test_a_value_without_a_word_is_found() -> None:
    """Those that hold told ones need none themselves."""
    assert readme.undocumented(SAMPLE) == ["two.none", "three"]


@pytest.mark.parametrize("file", sorted(CHART.glob("ci/*.yaml")), ids=lambda path: path.name)
def test_examples_say_what_they_are(file: Path) -> None:
    """The first line of each is a sentence."""
    first = file.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith((".", ","))


def test_the_schema_knows_every_value() -> None:
    """And no other at the top; what helm itself hands down apart."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    tops = {value.path.split(".")[0] for value in readme.values(VALUES)}
    assert set(schema["properties"]) - {"global"} == tops
    assert schema["additionalProperties"] is False
