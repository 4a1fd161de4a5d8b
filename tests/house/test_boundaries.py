"""The borders of the house hold, and a copy of the house in which one is broken is caught."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import boundaries
import pytest

from hetero import plugins
from hetero.vendor import Vendor

ROOT = Path(__file__).parents[2]
VENDORS = sorted(
    path.parent for path in [*ROOT.glob("vendors/*/pyproject.toml"), *ROOT.glob("tests/plugins/*/pyproject.toml")]
)
PACKAGES = {vendor: {path.name for path in vendor.glob("hetero_*")} for vendor in VENDORS}
LINTER = Path(sysconfig.get_path("scripts"), "lint-imports")


def others(vendor: Path) -> set[str]:
    """The packages of all vendors but this one."""
    return {name for other, names in PACKAGES.items() if other != vendor for name in names}


def words_of(vendor: Vendor) -> set[str]:
    """What belongs to a vendor alone: its name, the domains of its resources and annotations, its own words.

    One domain is of a scheduler for all of them, whose annotations the core reads too.
    """
    keys = [name.name for family in vendor.resources for name in family.names()]
    keys += [key for family in vendor.resources for key in family.annotations()]
    return {vendor.name, *vendor.words, *(key.split("/")[0] for key in keys)} - {"hami.io"}


def all_words() -> set[str]:
    """The words of the vendors in this house; the toy's name is a word of English and too short to look for."""
    found = plugins.load().vendors
    assert set(found) >= {"nvidia", "toy"}
    return {word for vendor in found.values() for word in words_of(vendor)} - {"toy"}


def test_the_core_names_no_vendor() -> None:
    """No word of an installed vendor occurs in the core: a new one needs no change there."""
    assert boundaries.vendor_words(ROOT, all_words()) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("hetero/placement/planner.py", "# NVIDIA cards first\n"),
        ("hetero/model/resources.py", 'COUNT = "nvidia.com/gpu"\n'),
        ("hetero/cli/devices.py", 'WIDGET = "toy.example/widget"\n'),
        ("native/runtime/region.c", "/* for libvgpu */\n"),
        ("native/include/hetero/region.h", "#define CUDA 1\n"),
        ("hetero/cli/vendor_template/README.md.template", "as libcuda has it\n"),
        ("charts/hetero/templates/agent.yaml", "image: hetero-nvidia\n"),
    ],
)
def test_a_vendors_word_in_the_core_is_caught(tmp_path: Path, file: str, line: str) -> None:
    """In Python, in C, in a chart's template, in any case, in a comment as well as in code."""
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(line)
    [found] = boundaries.vendor_words(tmp_path, all_words())
    assert found.startswith(f"{file}:1:")


def test_every_vendor_is_looked_at() -> None:
    """The checks below are about the vendors that there are."""
    assert {vendor.name for vendor in VENDORS} >= {"nvidia", "hetero-toy"}
    assert all(PACKAGES.values())


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda path: path.name)
def test_vendors_use_only_the_door(vendor: Path) -> None:
    """A vendor imports the interface and nothing behind it, and never another vendor."""
    for package in PACKAGES[vendor]:
        assert boundaries.foreign_imports(vendor / package, boundaries.DOOR, others(vendor)) == []


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda path: path.name)
def test_vendors_tests_use_the_kit(vendor: Path) -> None:
    """Its tests may use the kit for authors too."""
    assert (vendor / "tests").is_dir()
    assert boundaries.foreign_imports(vendor / "tests", boundaries.TESTING, others(vendor)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import hetero.placement",
        "from hetero.enforcement import region",
        "from hetero.plugins import load",
        "import hetero_nvidia.nvml",
        "def late():\n    from hetero.cli import main",
        "from hetero.testing import fake_vendor",
    ],
)
def test_a_vendor_that_looks_behind_the_door_is_caught(tmp_path: Path, line: str) -> None:
    """At the top of a file or within a function, of the core or of another vendor."""
    (tmp_path / "bad.py").write_text(f"from hetero.vendor import Vendor\n{line}\n")
    assert len(boundaries.foreign_imports(tmp_path, boundaries.DOOR, {"hetero_nvidia"})) == 1


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter over a copy of the house."""
    return subprocess.run(
        [LINTER, "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": os.pathsep.join(map(str, [root, *root.glob("vendors/*")]))},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what import-linter reads."""
    copy = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in (ROOT / "hetero", *ROOT.glob("vendors/*/hetero_*")):
        shutil.copytree(package, copy / package.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_the_layers_hold(house: Path) -> None:
    """Who may import whom, as ``pyproject.toml`` says and ``make lint`` checks."""
    answer = lint(house)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("hetero/model/ask.py", "from hetero import plugins"),
        ("hetero/placement/fit.py", "from hetero.admission import asks"),
        ("hetero/monitoring/usage.py", "from hetero.allocation import local"),
        ("hetero/errors.py", "from hetero import log"),
        ("hetero/vendor.py", "import hetero_nvidia"),
    ],
)
def test_a_broken_layer_is_caught(house: Path, file: str, line: str) -> None:
    """An import upwards, between stages that must not know each other, or of a vendor."""
    text = (house / file).read_text()
    try:
        (house / file).write_text(f"{text}\n{line}\n")
        assert lint(house).returncode == 1
    finally:
        (house / file).write_text(text)
