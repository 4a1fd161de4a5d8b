"""The rules about a vendor's package: what a fresh process sees of it, and what a crash of one leaves behind."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hetero.testing import fake_vendor, fault_rules
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

NAMES_THEM_ITSELF = """
from hetero.testing import fake_devices
from hetero.testing.fake import FakeDiscovery

class Counts(FakeDiscovery):
    own = os.urandom(4).hex()
    def devices(self):
        from msgspec.structs import replace as changed
        return [changed(one, uuid=f"fake-{self.own}-{one.index}") for one in fake_devices(2)]

@hookimpl
def hetero_register_vendors():
    return [replace(fake_vendor(), enforcement=Files(), discovery=Counts(()))]
"""

INSTANCES = """
from hetero.driver import host

class Files(Enforcement):
    def mine(self, held):
        place = host("fake", "/run/hetero/fake")
        place.mkdir(parents=True, exist_ok=True)
        return sorted(place.glob(f"{held.id}-*"))

    def create(self, held, number=0):
        (host("fake", "/run/hetero/fake") / f"{held.id}-{number}").write_text("")

    def prepare(self, held):
        if not self.mine(held):
            self.create(held)
        return ContainerEdits(env={"FAKE_INSTANCE": held.id})

    def release(self, held):
        for one in self.mine(held):
            one.unlink()
"""

LOOKS_IN_ITS_NOTES = """
class Careless(Files):
    def prepare(self, held):
        notes = Path(held.directory, "notes")
        if not notes.exists():
            self.create(held, len(self.mine(held)))
            notes.write_text("made")
        return ContainerEdits(env={"FAKE_INSTANCE": held.id})

Files = Careless
"""

FORGETS_WITHOUT_NOTES = """
class Careless(Files):
    def prepare(self, held):
        result = super().prepare(held)
        Path(held.directory, "notes").write_text("made")
        return result

    def release(self, held):
        if Path(held.directory, "notes").exists():
            super().release(held)

    def mine(self, held):
        return super().mine(held)

Files = Careless
"""

FAULTY = """
import time
from hetero.errors import DriverFailed
from hetero.testing import fake_devices
from hetero.testing.fake import FakeDiscovery
from msgspec.structs import replace as changed

class Faulty(FakeDiscovery):
    def devices(self):
        fault = os.environ.get("FAKE_FAULT", "")
        if fault == "hangs":
            time.sleep(10**6)
        devices = fake_devices(2)
        if fault == "garbage":
            return self.garbage(devices)
        return devices

    def garbage(self, devices):
        raise DriverFailed("fakeName", -2, "a name that is none")

@hookimpl
def hetero_register_vendors():
    return [replace(fake_vendor(), enforcement=Files(), discovery=Faulty(()))]
"""

FAULTS = {name: {"FAKE_FAULT": name} for name in ("garbage", "hangs")}

TRACEBACK = """
def garbage(self, devices):
    return devices[5]
Faulty.garbage = garbage
"""

BELIEVES_IT = """
def garbage(self, devices):
    return [changed(devices[0], uuid="fake-\\x01\\ufffd", numa=-12345)]
Faulty.garbage = garbage
"""

WAITS = """
def garbage(self, devices):
    time.sleep(10**6)
Faulty.garbage = garbage
"""

SEES_NOTHING = """
def garbage(self, devices):
    return devices
Faulty.garbage = garbage
"""

BROKEN = {
    "names_them_itself": ("devices_are_the_same_for_every_process", NAMES_THEM_ITSELF),
    "looks_in_its_notes": ("a_crash_is_made_good", INSTANCES + LOOKS_IN_ITS_NOTES + HOOK),
    "forgets_without_notes": ("a_crash_leaves_nothing_on_the_chip", INSTANCES + FORGETS_WITHOUT_NOTES + HOOK),
    "traceback": ("faulty_drivers_are_told", FAULTY + TRACEBACK),
    "believes_it": ("faulty_drivers_are_told", FAULTY + BELIEVES_IT),
    "waits": ("only_a_hanging_driver_is_not_heard_of", FAULTY + WAITS),
    "sees_nothing": ("faults_are_noticed", FAULTY + SEES_NOTHING),
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
    monkeypatch.setenv("HETERO_HOST_ROOT", str(tmp_path))
    monkeypatch.setattr(fault_rules, "PATIENCE_S", 2.0)  # for one that does not come back though it should

    def check(name: str, code: str) -> set[str]:
        package = f"conformance_{name}"
        (tmp_path / f"{package}.py").write_text(PACKAGE + code)
        given = importlib.import_module(package).hetero_register_vendors()
        vendor = next((one for one in given if one.name == "fake"), fake_vendor())
        models = (FakeSplitting("fake").model("Fake F1", 16384),)
        instances = tmp_path / "run/hetero/fake"
        return broken_rules(
            vendor,
            rules_of_packages,
            package=package,
            models=models,
            faults=FAULTS if "Faulty" in code else {},
            hardware=lambda _: sorted(path.name for path in instances.glob("*")),
        )

    return check


@pytest.mark.parametrize("code", [HOOK, INSTANCES + HOOK, FAULTY], ids=["files", "instances", "faults"])
def test_a_sound_package_conforms(broken, code: str, request: pytest.FixtureRequest) -> None:
    """One that writes files or makes instances, and makes good what a crash left; one that tells of all faults."""
    assert broken(f"sound_{request.node.callspec.id}", code) == set()


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_package_is_caught_by_its_rule(broken, what: str) -> None:
    """By that one alone: a failure tells its author what is wrong."""
    rule, code = BROKEN[what]
    assert broken(what, code) == {f"test_{rule}"}


def test_every_rule_can_be_broken(rules_of_packages: frozenset[str]) -> None:
    """A rule that no package can break checks nothing."""
    assert {f"test_{rule}" for rule, _ in BROKEN.values()} == rules_of_packages
