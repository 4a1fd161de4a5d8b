"""The images of hetero hold all that its processes import, and nothing that never runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from images import finish, locked
from tests.cluster.images import closure, packaged, pythons
from tests.cluster.images.tree import File, Tree
from tests.cluster.images.workload import Lacking

ROOT = Path(__file__).parents[2]
NEEDED = {
    "agent": ("agent", "allocation", "enforcement", "kube", "model", "monitoring"),
    "scheduler": ("scheduler", "admission", "placement", "kube", "model", "monitoring"),
}
IMPORT_ALL = """
import importlib.util, pkgutil, sys
import hetero
for name in sys.argv[1:]:
    if importlib.util.find_spec(f"hetero.{name}"):
        package = importlib.import_module(f"hetero.{name}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
print(*sorted(sys.modules))
"""
HELP_ALL = """
from click.testing import CliRunner
from hetero.cli import group
for name in group.COMMANDS:
    answer = CliRunner().invoke(group.group, [name, "--help"])
    print(name, answer.exit_code, answer.exception or "")
"""


@pytest.fixture(scope="module", params=packaged.NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each image."""
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def packages(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of an image, in a folder, as they are before they are compiled."""
    folder = tmp_path_factory.mktemp(name)
    for tree in (packaged.fetched(name), packaged.own()):
        pythons.write(tree, finish.PLACE, folder)
    finish.leave_out(folder)
    return folder


def run(packages: Path, *words: str) -> str:
    """What a Python prints that finds these packages and no others."""
    python = [str(Path(sys.executable).resolve()), "-S", "-B"]
    found = {"PYTHONPATH": str(packages), "PATH": os.environ["PATH"]}
    done = subprocess.run([*python, *words], env=found, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_of_its_process_can_be_imported(name: str, packages: Path) -> None:
    """Nothing is missing from the list of packages."""
    modules = run(packages, "-c", IMPORT_ALL, *NEEDED[name]).split()
    assert "hetero.kube.client" in modules
    assert not {"pytest", "hypothesis"} & set(modules)


def test_every_command_answers(packages: Path) -> None:
    """Those of the other process say at least what they are."""
    answers = run(packages, "-c", HELP_ALL).splitlines()
    assert len(answers) >= 10
    assert [line for line in answers if not line.endswith(" 0 ")] == []


def test_all_our_vendors_are_found(packages: Path) -> None:
    """By their entry points."""
    told: dict[str, Any] = json.loads(run(packages, str(packages / "bin/hetero"), "vendors", "--output", "json"))
    found = told["vendors"]
    ours = {path.parent.name for path in ROOT.glob("vendors/*/pyproject.toml")}
    assert {one["name"] for one in found} == ours
    assert {one["version"] for one in found} == {packaged.version()}


def test_the_preload_library_is_the_one_for_every_image(packages: Path) -> None:
    """Built for glibc 2.17, and alone: no simulated driver beside it."""
    library = packages / "hetero_native/lib/libvgpu.so"
    assert library.read_bytes() == (packaged.PORTABLE / "libvgpu.so").read_bytes()
    assert list(library.parent.iterdir()) == [library]


def test_nothing_is_in_it_that_never_runs(packages: Path) -> None:
    """No caches, no tests, no installer, no compiler, nothing of a test suite."""
    names = {found.name for found in packages.iterdir()}
    assert not names & {
        "pip",
        "setuptools",
        "ziglang",
        "cmake",
        "pytest",
        "_pytest",
        "hypothesis",
        "mypy",
        "grpc_tools",
    }
    assert not (packages / "kubernetes/aio").exists()
    assert not [found for found in packages.rglob("*") if found.name in ("__pycache__", "tests")]
    assert [found.name for found in (packages / "bin").iterdir()] == ["hetero"]


def test_our_packages_are_described_as_their_wheels_do() -> None:
    """Names, versions and entry points, of all distributions that `make build` installs."""
    described = {path for path in packaged.own().entries if path.endswith("/METADATA")}
    projects = [packaged.project(folder) for folder in (ROOT, ROOT / "native", *sorted(ROOT.glob("vendors/*")))]
    for one in (project["project"] for project in projects):
        assert f"{finish.PLACE}/{one['name'].replace('-', '_')}-{one['version']}.dist-info/METADATA" in described
    assert len(described) == len(projects)


def test_a_package_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is what the lock says, not what happens to be there."""
    entry = locked.pins(locked.LOCK.read_text())["click"][0]
    monkeypatch.setattr(
        locked, "pins", lambda lock: {"click": [entry.replace("==", "==0.")], "no-such": ["no-such==1"]}
    )
    with pytest.raises(Lacking, match=r"click \S+ is installed, and the lock has 0\.\S+: make build"):
        packaged.files("click")
    with pytest.raises(Lacking, match="no-such is not installed: make build"):
        packaged.files("no-such")


def test_the_standard_library_has_no_installer_and_no_screen() -> None:
    """The interpreter's own modules are there, and the libraries that they are made of."""
    there = {path.removeprefix(f"{pythons.LIBRARY}/").split("/")[0] for path in pythons.library().entries}
    assert {"asyncio", "ctypes", "encodings", "json", "lib-dynload", "logging", "os.py", "ssl.py"} <= there
    assert not {"ensurepip", "idlelib", "site-packages", "test", "tkinter", "__pycache__"} & there
    assert any(path.startswith(f"{pythons.LIBRARY}/lib-dynload/_ssl") for path in pythons.library().entries)


def test_libraries_of_packages_are_their_own() -> None:
    """What lies inside the image's own folder is not put beside the C library again."""
    tree = Tree()
    modules = [Path(sys.executable).resolve()]
    closure.add(tree, modules, own=Path("/"))
    assert tree.entries == {}
    closure.add(tree, modules)
    assert all(path.startswith(("/lib", "/usr/lib")) for path in tree.entries)
    assert all(isinstance(entry, File) for entry in tree.entries.values())
