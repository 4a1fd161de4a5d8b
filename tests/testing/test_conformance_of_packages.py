"""The rules about a vendor's package: what a fresh process sees of it, and what a crash of one leaves behind."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hetero.testing import fake_vendor
from hetero.testing.fake import FakeSplitting

PACKAGE = """
import os
from dataclasses import replace
from pathlib import Path

from hetero.hookspecs import hookimpl
from hetero.model.allocation import ContainerEdits
from hetero.testing import fake_vendor
from hetero.vendor import Enforcement

class Files(Enforcement):
    def prepare(self, held):
        own = Path(held.directory, "own")
        own.mkdir(exist_ok=True)
        (own / "limits").write_text("4096")
        return ContainerEdits(env={"FAKE_LIMITS": str(own)})
"""

HOOK = """
@hookimpl
def hetero_register_vendors():
    return [replace(fake_vendor(), enforcement=Files())]
"""

OPENS = """
import ctypes
try:
    ctypes.CDLL("libfake.so.1")
except OSError:
    pass
"""

STARTS = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""

READS = """
@hookimpl
def hetero_register_vendors():
    Path("/etc/hosts").read_bytes()
    return [replace(fake_vendor(), enforcement=Files())]
"""

REGISTERS_ANOTHER = """
@hookimpl
def hetero_register_vendors():
    return [fake_vendor("other")]
"""

SCORES = """
class Moody:
    name = "moody"
    def score(self, node, device, left):
        return float("nan")

@hookimpl
def hetero_register_scorers():
    return [Moody()]
"""

KNOWS_ITSELF = """
class Files(Enforcement):
    token = os.urandom(8).hex()
    def prepare(self, held):
        return ContainerEdits(env={"FAKE_TOKEN": self.token})
"""

BELIEVES_A_DIRECTORY = """
class Files(Enforcement):
    def prepare(self, held):
        own = Path(held.directory, "own")
        if not own.exists():
            own.mkdir()
            (own / "limits").write_text("4096")
        return ContainerEdits(env={"FAKE_LIMITS": str(own)})
"""

BELIEVES_A_FILE = """
class Files(Enforcement):
    def prepare(self, held):
        own = Path(held.directory, "limits")
        if not own.exists():
            with own.open("w") as file:
                file.write("4096")
        return ContainerEdits(env={"FAKE_LIMITS": str(own)})
"""

STRAYS = """
class Files(Enforcement):
    def prepare(self, held):
        self.beside(held).write_text("")
        return ContainerEdits()

    def beside(self, held):
        return Path(held.directory + ".lock")

    def release(self, held):
        self.beside(held).unlink(missing_ok=True)
"""

BROKEN = {
    "opens": ("import_opens_no_driver", OPENS + HOOK),
    "starts": ("import_starts_nothing", STARTS + HOOK),
    "reads": ("registering_reads_nothing", READS),
    "registers_another": ("the_package_registers_the_vendor", REGISTERS_ANOTHER),
    "registers_nonsense": ("the_package_registers_the_vendor", HOOK + "def hetero_register_vendorz(): ..."),
    "scores": ("scorers_give_numbers", HOOK + SCORES),
    "knows_itself": ("another_process_prepares_the_same", KNOWS_ITSELF + HOOK),
    "believes_a_directory": ("a_crash_is_made_good", BELIEVES_A_DIRECTORY + HOOK),
    "believes_a_file": ("a_crash_is_made_good", BELIEVES_A_FILE + HOOK),
    "strays": ("preparing_stays_in_its_directory", STRAYS + HOOK),
}


@pytest.fixture
def broken(
    broken_rules: Callable[..., set[str]],
    rules_of_packages: frozenset[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, str], set[str]]:
    """``broken(name, code)``: the rules that a package breaks, whose vendor is the one that it registers."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def check(name: str, code: str) -> set[str]:
        package = f"conformance_{name}"
        (tmp_path / f"{package}.py").write_text(PACKAGE + code)
        given = importlib.import_module(package).hetero_register_vendors()
        vendor = next((one for one in given if one.name == "fake"), fake_vendor())
        models = (FakeSplitting("fake").model("Fake F1", 16384),)
        return broken_rules(vendor, rules_of_packages, package=package, models=models)

    return check


def test_a_sound_package_conforms(broken) -> None:
    """One that writes files, and makes good what a crash left."""
    assert broken("sound", HOOK) == set()


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_package_is_caught_by_its_rule(broken, what: str) -> None:
    """By that one alone: a failure tells its author what is wrong."""
    rule, code = BROKEN[what]
    assert broken(what, code) == {f"test_{rule}"}


def test_every_rule_can_be_broken(rules_of_packages: frozenset[str]) -> None:
    """A rule that no package can break checks nothing."""
    assert {f"test_{rule}" for rule, _ in BROKEN.values()} == rules_of_packages
