"""The documentation says what the code says: a hook, a setting, a counter or a code that it lacks makes a test fail."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import metrics_page
import msgspec
import pytest

from hetero import hookspecs, metrics
from hetero.admission import policies
from hetero.cli import cluster_file, failures, group
from hetero.config import Settings
from hetero.model import policy

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
PAGES = sorted(page for place in ("*.md", "docs/**/*.md", "vendors/*/*.md", "native/*.md") for page in ROOT.glob(place))
HOOKS = [name for name in dir(hookspecs) if name.startswith("hetero_")]


def cells(page: Path) -> list[list[str]]:
    """The rows of all tables of a page; a cell that is all code is given without its marks."""
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    return [[re.sub(r"^`([^`]*)`$", r"\1", cell.strip()) for cell in line.strip("|").split("|")] for line in lines]


def settings(kind: type[msgspec.Struct] = Settings, prefix: str = "") -> Iterator[tuple[str, object]]:
    """All settings with their defaults, by dotted name."""
    for field in msgspec.structs.fields(kind):
        if isinstance(field.default, msgspec.Struct):
            yield from settings(type(field.default), f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field.default


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_signature(name: str) -> None:
    """The heading is the specification's own line."""
    signature = str(inspect.signature(getattr(hookspecs, name))).replace("'", "")
    assert f"## `{name}{signature}`" in (REFERENCE / "hooks.md").read_text()


def test_no_hook_is_documented_that_is_not_there() -> None:
    """What a reader finds, pluggy finds."""
    assert set(re.findall(r"^## `(\w+)", (REFERENCE / "hooks.md").read_text(), re.MULTILINE)) == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_used_by_the_third_partys_vendor(name: str) -> None:
    """The example shows all of the extension surface."""
    assert f"def {name}(" in (ROOT / "tests/plugins/hetero-toy/hetero_toy/__init__.py").read_text()


def test_every_setting_is_documented_with_its_default() -> None:
    """Names and defaults are those of :class:`hetero.config.Settings`."""
    said = {row[0]: row[1] for row in cells(REFERENCE / "configuration.md") if len(row) == 3}
    for name, default in settings():
        written = "[]" if default == () else str(default)
        assert said.get(name) == (written.lower() if isinstance(default, bool) else written), name


def metadata_keys() -> set[str]:
    """Every annotation and label that stands in the code, those of the vendors of this repository included."""
    vendors = [importlib.import_module(package.name) for package in ROOT.glob("vendors/*/hetero_*")]
    kept = [vendor for module in vendors for vendor in module.hetero_register_vendors()]
    keys = {key for vendor in kept for family in vendor.resources for key in family.annotations()}
    for file in ROOT.glob("hetero/**/*.py"):
        texts = (node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
        keys.update(
            text for text in texts if isinstance(text, str) and re.fullmatch(r"(hetero|hami)\.io/[a-z-]+", text)
        )
    return keys


def test_every_annotation_and_label_is_documented() -> None:
    """Each is in a table of the page, and the page has none that the code does not know."""
    rows = [cell for row in cells(REFERENCE / "annotations.md") for cell in row[:2]]
    told = {key for cell in rows for key in re.findall(r"[a-z.]+/[A-Za-z0-9-]+", cell) if "`" in cell or cell == key}
    # Of an ask itself: they narrow no choice.
    modes = {"nvidia.com/vgpu-mode", "cambricon.com/mlulink-policy", "huawei.com/vnpu-mode"}
    assert told - modes == metadata_keys()


def test_every_policy_is_documented() -> None:
    """The words of a chain, each in a row of its own, and those between nodes."""
    rows = cells(REFERENCE / "annotations.md")
    assert {row[0] for row in rows if row[1] in ("order", "choice", "filter")} == {*policy.Word}
    [values] = [row[1] for row in rows if policies.NODE_POLICY[0] in row[0]]
    assert values == ", ".join(f"`{word}`" for word in policy.Policy)


def test_keys_of_files_are_documented() -> None:
    """Every key of a cluster file."""
    text = (REFERENCE / "configuration.md").read_text()
    for field in msgspec.structs.fields(cluster_file.DeviceEntry):
        assert f"`nodes[].devices[].{field.name}`" in text


def test_every_metric_is_documented() -> None:
    """The tables are made of the declarations, and were made after the last change: `make metrics-doc`."""
    text = metrics_page.PAGE.read_text()
    assert metrics_page.page(text) == text
    assert [row[0] for row in cells(metrics_page.PAGE) if row[0].startswith("hetero_")] == [
        metric.name for metric in metrics.ALL
    ]


def test_every_exit_code_is_documented() -> None:
    """The page has the codes of :mod:`hetero.cli.failures` with the same words."""
    told = re.findall(r"^(\d+(?:\+n)?) +(.+)$", failures.__doc__ or "", re.MULTILINE)
    page = [tuple(row) for row in cells(REFERENCE / "exit-codes.md") if row[0][:1].isdigit()]
    assert page == [(code, words.replace("``", "`")) for code, words in told]


@pytest.mark.parametrize("name", group.COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """A sentence for the command, and one for each of its options."""
    context = click.Context(group.group)
    command = group.group.get_command(context, name)
    assert command is not None
    assert command.help
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Links within the repository resolve."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_both_languages_say_the_same() -> None:
    """As many headings and tables rows, and the same commands and manifests, comments apart."""
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    assert len(re.findall(r"^#+ ", english, re.MULTILINE)) == len(re.findall(r"^#+ ", chinese, re.MULTILINE))
    assert len(cells(ROOT / "README.md")) == len(cells(ROOT / "README.zh-CN.md"))
    assert _commands(english) == _commands(chinese)


def _commands(text: str) -> list[str]:
    blocks = re.findall(r"```(?:console|yaml|python)\n(.*?)```", text, re.DOTALL)
    lines = (line.split("  #")[0].split(" # ")[0].rstrip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


def test_the_readmes_manifest_is_the_examples() -> None:
    """What people copy from the page is what the demonstration runs."""
    assert (ROOT / "examples/manifests/gpu-pod.yaml").read_text() in (ROOT / "README.md").read_text()
