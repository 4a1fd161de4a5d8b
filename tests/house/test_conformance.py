"""Every vendor in this repository passes the whole suite of `hetero.testing`: none leaves a rule out unseen."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hetero.testing import VendorConformance

ROOT = Path(__file__).parents[2]
VENDORS = sorted(ROOT.glob("vendors/*/tests"))
RULES = {name for name in dir(VendorConformance) if name.startswith("test_")}
FAULTS = {"missing", "old", "errors", "garbage", "hangs"}

Subjects = dict[str, tuple[Path, ast.ClassDef]]


def trees(tests: Path) -> dict[Path, ast.Module]:
    """The modules of a vendor's tests."""
    return {path: ast.parse(path.read_text()) for path in sorted(tests.rglob("*.py"))}


def subjects(tests: Path) -> Subjects:
    """Classes to which the whole suite is applied, by name, those that they inherit from before them."""
    found: Subjects = {}
    for path, tree in trees(tests).items():
        for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            if {ast.unparse(base) for base in node.bases} & {"VendorConformance", *found}:
                found[node.name] = path, node
    return found


def names(node: ast.AST) -> set[str]:
    """What is defined directly in a class."""
    assigned = {ast.unparse(name) for one in ast.walk(node) if isinstance(one, ast.Assign) for name in one.targets}
    assigned |= {ast.unparse(one.target) for one in ast.walk(node) if isinstance(one, ast.AnnAssign)}
    return assigned | {one.name for one in ast.walk(node) if isinstance(one, ast.FunctionDef)}


@pytest.fixture(params=[*VENDORS, ROOT / "tests/plugins/hetero-toy/tests"], ids=lambda path: path.parent.name)
def tests(request: pytest.FixtureRequest) -> Path:
    """The tests of a vendor, or of the third party's."""
    path: Path = request.param
    return path


def test_there_are_vendors_and_rules() -> None:
    """The tests below look at something."""
    assert len(VENDORS) >= 4
    assert len(RULES) >= 60


def test_the_whole_suite_is_applied_where_there_are_devices(tests: Path) -> None:
    """On a stand-in for the driver, which has faults: without one most rules have nothing to look at."""
    whole = [node.name for _, node in subjects(tests).values() if {"surroundings", "faults"} <= names(node)]
    assert whole, f"{tests} applies VendorConformance to no simulated driver"


def test_no_rule_is_left_out(tests: Path) -> None:
    """None is overridden, none is skipped, and none of the suite's parts is taken alone."""
    assert [name for _, node in subjects(tests).values() for name in names(node) & RULES] == []
    for path, tree in trees(tests).items():
        attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not {one for one in attributes if "skip" in one.lower() or "xfail" in one}, path
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not {name for name in imported if name.endswith("Rules")}, path


def test_the_suite_is_run(tests: Path) -> None:
    """The file is collected by its name, or started by one that is."""
    collected = list(tests.rglob("test_*.py"))
    for path, _ in subjects(tests).values():
        assert path in collected or any(f'"{path.name}"' in other.read_text() for other in collected), path


@pytest.mark.parametrize("tests", VENDORS, ids=lambda path: path.parent.name)
def test_every_kind_of_broken_driver_is_tried(tests: Path) -> None:
    """Those of the issue: none, another version, errors, nonsense, and one that does not come back."""
    told = {
        node.value
        for tree in trees(tests).values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert told >= FAULTS, sorted(FAULTS - told)
