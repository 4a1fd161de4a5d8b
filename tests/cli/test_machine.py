"""The devices of all vendors of this machine: a vendor that fails is told and counted, and hides nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from hetero import metrics
from hetero.cli.machine import NODE, Machine, discover
from hetero.errors import DriverFailed, DriverMissing
from hetero.model.device import Device, Health
from hetero.testing.fake import FakeDiscovery, fake_device, fake_devices, fake_vendor
from hetero.vendor import Vendor

FAILURES = [
    pytest.param(DriverFailed("init", 3, "busy"), "warning", id="driver"),
    pytest.param(ValueError("a defect"), "error", id="defect"),
    pytest.param(OSError(5, "Input/output error"), "error", id="system"),
]


class Broken(FakeDiscovery):
    """Raises when it is asked for devices."""

    def __init__(self, error: Exception) -> None:
        super().__init__(())
        self.error = error

    def devices(self) -> Sequence[Device]:
        raise self.error


def _vendor(name: str, count: int = 0) -> Vendor:
    return fake_vendor(name, devices=fake_devices(count, vendor=name))


def _broken(name: str, error: Exception) -> Vendor:
    return replace(fake_vendor(name), discovery=Broken(error))


def _names(machine: Machine) -> list[str]:
    return [device.uuid for device in machine.devices]


def test_without_vendors_there_are_no_devices() -> None:
    """A machine on which nothing is installed is no failure."""
    assert discover({}) == Machine((), {})


def test_devices_are_numbered_by_vendor_and_then_by_driver() -> None:
    """``--device 2`` is the same device whatever order the plugins were loaded in."""
    vendors = {name: _vendor(name, 2) for name in ("zeta", "alpha")}
    assert _names(discover(vendors)) == ["alpha-0", "alpha-1", "zeta-0", "zeta-1"]
    assert discover(vendors) == discover(dict(sorted(vendors.items())))


def test_the_order_of_a_driver_is_kept() -> None:
    """Also when it is not that of its numbers."""
    devices = [fake_device(1), fake_device(0)]
    assert _names(discover({"fake": fake_vendor(devices=devices)})) == ["fake-1", "fake-0"]


def test_an_unhealthy_device_keeps_its_number() -> None:
    """A card that falls ill must not change which one ``--device 1`` means."""
    devices = [fake_device(0, health=Health(ok=False, reason="too hot")), fake_device(1)]
    assert _names(discover({"fake": fake_vendor(devices=devices)})) == ["fake-0", "fake-1"]


@pytest.mark.parametrize(("error", "level"), FAILURES)
@pytest.mark.parametrize("name", ["a", "m", "z"])
def test_a_broken_vendor_does_not_hide_the_others(name: str, error: Exception, level: str) -> None:
    """Wherever it stands in the order; it is logged with its name, the kind and the reason."""
    vendors = {"b": _vendor("b", 1), name: _broken(name, error), "n": _vendor("n", 1)}
    with capture_logs() as lines:
        machine = discover(vendors)
    assert _names(machine) == ["b-0", "n-0"]
    assert machine.failures == {name: error}
    [line] = lines
    assert (line["log_level"], line["vendor"], line["kind"]) == (level, name, type(error).__name__)
    assert line["reason"] == str(error)


def test_several_broken_vendors_are_all_told() -> None:
    """Each with its own reason."""
    errors = {name: DriverFailed("init", code, name) for code, name in enumerate("abc")}
    with capture_logs() as lines:
        machine = discover({name: _broken(name, error) for name, error in errors.items()})
    assert machine.failures == errors
    assert [line["vendor"] for line in lines] == ["a", "b", "c"]


@pytest.mark.parametrize(("error", "level"), FAILURES)
def test_a_failure_is_counted(error: Exception, level: str) -> None:
    """By vendor."""
    before = metrics.driver_failures.value("counted")
    with capture_logs():
        discover({"counted": _broken("counted", error)})
    assert metrics.driver_failures.value("counted") == before + 1


def test_a_driver_that_is_not_installed_is_no_fault() -> None:
    """The machine has no such devices: known, but neither logged nor counted."""
    before = metrics.driver_failures.value("fake")
    with capture_logs() as lines:
        machine = discover({"fake": fake_vendor(devices=None), "other": _vendor("other", 1)})
    assert (lines, metrics.driver_failures.value("fake")) == ([], before)
    assert machine.absent("fake")
    assert isinstance(machine.failures["fake"], DriverMissing)
    assert _names(machine) == ["other-0"]


@pytest.mark.parametrize("name", ["other", "broken", "nobody"])
def test_only_a_missing_driver_makes_a_vendor_absent(name: str) -> None:
    """One without devices, a broken one and an unknown one are something else."""
    with capture_logs():
        machine = discover({"other": _vendor("other"), "broken": _broken("broken", DriverFailed("init", 1, "x"))})
    assert not machine.absent(name)


@pytest.mark.parametrize("answer", [None, 3])
def test_a_vendor_that_answers_nonsense_is_a_broken_one(answer: object) -> None:
    """A defect of a package is its own."""

    class Nonsense(FakeDiscovery):
        def devices(self) -> Sequence[Device]:
            return answer  # type: ignore[return-value]

    with capture_logs():
        machine = discover({"a": replace(fake_vendor("a"), discovery=Nonsense(())), "b": _vendor("b", 1)})
    assert _names(machine) == ["b-0"]
    assert list(machine.failures) == ["a"]


@pytest.mark.parametrize(
    ("devices", "reason"),
    [
        (["x"], "it lists 'x', which is no device"),
        ([fake_device(0, vendor="z"), None], "it lists None, which is no device"),
        ([fake_device(0, vendor="z")] * 2, "it lists 'z-0', which is listed already"),
        ([fake_device(5, vendor="z"), fake_device(0, vendor="b")], "it lists 'b-0', which is listed already"),
    ],
)
def test_a_list_that_no_planner_can_use_is_the_vendors_failure(devices: list[Device], reason: str) -> None:
    """What is no device, or has another's identity, would make every command fail for the devices of all vendors."""
    with capture_logs() as lines:
        machine = discover({"b": _vendor("b", 1), "z": fake_vendor("z", devices=devices)})
    assert _names(machine) == ["b-0"]
    assert str(machine.failures["z"]) == reason
    assert [(line["log_level"], line["vendor"], line["reason"]) for line in lines] == [("error", "z", reason)]


def test_a_failed_vendors_devices_are_nobodys() -> None:
    """An identity that a broken list named first can still be listed by the vendor whose it is."""
    with capture_logs():
        machine = discover(
            {"a": fake_vendor("a", devices=[fake_device(0, vendor="b"), None]), "b": _vendor("b", 1)}  # type: ignore[list-item]
        )
    assert _names(machine) == ["b-0"]
    assert list(machine.failures) == ["a"]


def test_a_vendor_that_fails_half_way_gives_no_device() -> None:
    """Half a list would number the devices of the others differently from one call to the next."""

    class Half(FakeDiscovery):
        def devices(self) -> Sequence[Device]:
            def generate():
                yield fake_device(0)
                raise DriverFailed("next", 1, "lost")

            return generate()  # type: ignore[return-value]

    with capture_logs():
        machine = discover({"a": replace(fake_vendor("a"), discovery=Half(())), "b": _vendor("b", 1)})
    assert _names(machine) == ["b-0"]


def test_the_machine_is_one_node_to_the_planner() -> None:
    """With all devices, in the order of their numbers."""
    machine = discover({"a": _vendor("a", 1), "b": _vendor("b", 1)})
    assert machine.node.name == NODE
    assert machine.node.devices == machine.devices
