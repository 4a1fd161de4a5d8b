"""``hetero new-vendor``: what it writes works as it is, and it writes over nothing."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.cli import new_vendor
from hetero.testing.fake import fake_vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Hetero, Install

ROOT = Path(__file__).parents[3]
FILES = {
    "LICENSE",
    "README.md",
    "examples/cluster.yaml",
    "examples/pod.yaml",
    "hetero_my_chip_2/__init__.py",
    "hetero_my_chip_2/discovery.py",
    "hetero_my_chip_2/enforcement.py",
    "hetero_my_chip_2/py.typed",
    "hetero_my_chip_2/splitting.py",
    "pyproject.toml",
    "tests/devices.json",
    "tests/test_my_chip_2.py",
    "values-my-chip-2.yaml",
}


@pytest.fixture
def written(hetero: Hetero, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``written(name)``: the directory that the command wrote."""
    install(fake_vendor())
    monkeypatch.chdir(tmp_path)

    def write(name: str, *words: str) -> Path:
        answer = hetero("new-vendor", name, *words)
        assert (answer.code, answer.err) == (0, "")
        return tmp_path / f"hetero-{name}"

    return write


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this interpreter in a package's directory, which imports the core from here."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_the_files_are_told_as_they_are_written(
    hetero: Hetero, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One a line, and no other; nothing of the template is left to fill in."""
    install()
    monkeypatch.chdir(tmp_path)
    told = hetero("new-vendor", "my-chip-2").out.splitlines()
    assert {str(Path(line).relative_to("hetero-my-chip-2")) for line in told} == FILES
    assert {str(path) for path in Path("hetero-my-chip-2").rglob("*") if path.is_file()} == set(told)
    for path in told:
        text = Path(path).read_text()
        assert not new_vendor.MARK.search(text), path
        assert max(map(len, text.splitlines()), default=0) <= 120, path


@pytest.mark.parametrize("name", ["acme", "my-chip-2", "x"])
def test_what_is_written_is_clean(written: Callable[..., Path], name: str) -> None:
    """By the rules of this house: ruff, formatted, and mypy --strict."""
    package = written(name)
    settings = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", "."]
    for words in (["ruff", "check", *settings], ["ruff", "format", "--check", *settings]):
        answer = run(package, *words)
        assert answer.returncode == 0, answer.stdout
    answer = run(package, "mypy", "--strict", "--cache-dir", str(package / "cache"), f"hetero_{name.replace('-', '_')}")
    assert answer.returncode == 0, answer.stdout


@pytest.mark.journey
def test_what_is_written_passes_its_own_tests(written: Callable[..., Path]) -> None:
    """All rules of the interface, faults of its driver included."""
    answer = run(written("my-chip-2", "--domain", "chips.example.com"), "pytest", "-q", "-p", "no:cacheprovider")
    assert answer.returncode == 0, answer.stdout
    assert re.search(r"^\d+ passed in ", answer.stdout, re.MULTILINE), answer.stdout


def test_the_names_are_those_of_the_vendor(written: Callable[..., Path]) -> None:
    """Distribution, entry point and package; resources below the domain that was named."""
    package = written("my-chip-2", "--domain", "chips.example.com")
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["name"] == "hetero-my-chip-2"
    assert project["entry-points"]["hetero"] == {"my-chip-2": "hetero_my_chip_2"}
    values = yaml.safe_load((package / "values-my-chip-2.yaml").read_text())["vendors"]["my-chip-2"]
    pod = yaml.safe_load((package / "examples/pod.yaml").read_text())
    asked = set(pod["spec"]["containers"][0]["resources"]["limits"])
    told = values["resources"]
    assert asked <= {told["count"], *told["totals"], *told["others"]}
    assert {name.split("/")[0] for name in asked} == {"chips.example.com"}
    assert json.loads((package / "tests/devices.json").read_text())["devices"][0]["uuid"] == "my-chip-2-0"


@pytest.mark.parametrize(
    "name", ["", "Acme", "9acme", "acme_1", "acme-", "-acme", "a--b", "acme.com", "ä", "a" * 32, "acme\n", "../acme"]
)
def test_a_malformed_name_is_refused(hetero: Hetero, install: Install, name: str) -> None:
    """It is a distribution, a module and a vendor at once, so it must be sound as each of them."""
    install()
    answer = hetero("new-vendor", "--", name)
    assert answer.code == 2
    assert answer.told.startswith("NAME: ")
    assert "is no name of a vendor; write lower-case letters" in answer.told


@pytest.mark.parametrize("name", ["class", "json", "machine", "answer", "import"])
def test_a_name_that_the_files_use_is_refused(hetero: Hetero, install: Install, name: str) -> None:
    """The vendor is a variable of that name: it would be no Python, or stand in another's place."""
    install()
    answer = hetero("new-vendor", name)
    assert (answer.code, answer.told) == (
        2,
        f"NAME: {name!r} is a word that the package's own files use; write a longer one",
    )


def test_every_name_that_the_files_use_is_known(tmp_path: Path) -> None:
    """Whatever has a name in the files in which the vendor is a variable; those of several words are nobody's."""
    files = new_vendor.write(tmp_path / "acme", new_vendor.words("acme", "acme.example"))
    used = {name for path in files if path.name in ("__init__.py", "test_acme.py") for name in _names(path)}
    assert {name for name in used if re.fullmatch("[a-z][a-z0-9]*", name)} - {"acme"} == new_vendor.OURS


def _names(path: Path) -> Iterator[str]:
    """Whatever a file gives a name to, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.alias):
            yield node.asname or node.name.split(".")[0]
        elif isinstance(node, ast.Name | ast.arg | ast.FunctionDef):
            yield getattr(node, "id", None) or getattr(node, "arg", None) or node.name


@settings(max_examples=40)
@given(st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True).filter(lambda name: len(name) <= 31))
def test_every_sound_name_gives_sound_words(name: str) -> None:
    """Names of Python, of variables and of classes."""
    words = new_vendor.words(name, "acme.example")
    assert words["module"].isidentifier()
    assert words["Class"].isidentifier()
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*", words["NAME"])
    assert words["Title"].replace(" ", "-").lower() == name


@pytest.mark.parametrize("name", ["fake", "native", "broken"])
def test_a_name_that_is_taken_is_refused(hetero: Hetero, install: Install, name: str) -> None:
    """By a vendor, by a package, or by a plugin that could not be loaded."""
    from hetero.errors import PluginError

    install(fake_vendor(), failures=[PluginError("broken", "import failed")])
    answer = hetero("new-vendor", name)
    assert (answer.code, answer.told) == (2, f"NAME: '{name}' is taken by a package that is installed; write another")


@pytest.mark.parametrize("domain", ["acme", "Acme.com", "-a.com", "a..b", "devices.kubernetes.io", "a b.com", "a.1"])
def test_a_malformed_domain_is_refused(hetero: Hetero, install: Install, domain: str) -> None:
    """Kubernetes would refuse the resources."""
    install()
    answer = hetero("new-vendor", "acme", "--domain", domain)
    assert (answer.code, "is no domain for resources" in answer.told) == (2, True)


def test_the_domain_of_another_vendor_is_refused(hetero: Hetero, install: Install) -> None:
    """Its plugin would be skipped for a resource name that belongs to the other."""
    install(fake_vendor())
    answer = hetero("new-vendor", "acme", "--domain", "fake.example")
    assert answer.told == "--domain: 'fake.example' is that of vendor 'fake'; write one of your own"


def test_nothing_is_written_over(written: Callable[..., Path], hetero: Hetero) -> None:
    """A second time, and into a file; an empty directory is as good as none."""
    package = written("acme")
    (package / "README.md").write_text("mine")
    again = hetero("new-vendor", "acme")
    assert again.told == "--directory: 'hetero-acme' is there already; name a directory that is not"
    assert (package / "README.md").read_text() == "mine"
    assert "is there already" in hetero("new-vendor", "acme", "--directory", package / "README.md").told
    (package.parent / "empty").mkdir()
    assert hetero("new-vendor", "acme", "--directory", "empty").code == 0


def test_a_place_that_cannot_be_written_is_told(written: Callable[..., Path], hetero: Hetero) -> None:
    """In one line, with what the system says."""
    package = written("acme")
    answer = hetero("new-vendor", "acme", "--directory", package / "README.md" / "below")
    assert answer.code == 2
    assert answer.told.endswith("cannot be written: Not a directory; name another directory")
