"""``hetero devices``: every device of every vendor, numbered, with what is sliced off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hetero.errors import DriverFailed
from hetero.model.device import Health, Sample
from hetero.testing.fake import FakeDiscovery, fake_device, fake_devices, fake_vendor
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Hetero, Holder, Install, ShareMaker, StuckMaker, VendorMaker

KEYS = {
    "index", "vendor", "model", "mode", "uuid", "memory_mib", "cores_percent", "numa", "bus", "healthy", "health",
    "slices", "sliced_memory_mib", "sliced_cores_percent", "temperature_celsius", "power_watts",
}  # fmt: skip


def test_json_has_a_version_and_the_same_keys_for_every_device(hetero: Hetero) -> None:
    """Programs rely on the keys: none may vanish within a version."""
    answer = hetero("devices", "--output", "json")
    assert answer.code == 0
    assert answer.json["version"] == 1
    assert [set(row) for row in answer.json["devices"]] == [KEYS, KEYS]
    assert answer.err == ""


def test_devices_are_numbered_over_all_vendors(hetero: Hetero, install: Install) -> None:
    """The number is what ``hetero run --device`` takes: by vendor's name, then in the order of the driver."""
    install(fake_vendor("zeta", devices=fake_devices(1, vendor="zeta")), fake_vendor(devices=fake_devices(2)))
    rows = hetero("devices", "--output", "json").json["devices"]
    assert [(row["index"], row["uuid"]) for row in rows] == [(0, "fake-0"), (1, "fake-1"), (2, "zeta-0")]


def test_a_device_is_shown_with_all_that_a_user_chooses_by(hetero: Hetero, install: Install) -> None:
    """Amounts have units; what is not known is a null for programs and a dash for people."""
    sick = fake_device(1, model="Fake F2", numa=1, health=Health(ok=False, reason="fell off the bus"))
    install(fake_vendor(devices=[fake_device(memory=12288), sick]))
    first, second = hetero("devices", "--output", "json").json["devices"]
    assert (first["memory_mib"], first["cores_percent"], first["numa"], first["health"]) == (12288, 100, None, "ok")
    assert (second["numa"], second["healthy"], second["health"]) == (1, False, "fell off the bus")
    heading, one, two = hetero("devices").out.splitlines()
    assert heading.split()[:2] == ["#", "vendor"]
    assert "12288 MiB" in one
    assert one.split()[-5:] == ["-", "-", "-", "ok", "-"]
    assert "fell off the bus" in two


def test_what_is_sliced_off_is_shown_for_each_device(
    hetero: Hetero, two_devices: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """Slices of the same device add up; the other device is untouched."""
    hold(two_devices, share(memory=2048, cores=30))
    hold(two_devices, share(memory=1024))
    rows = hetero("devices", "--output", "json").json["devices"]
    sliced = [(row["slices"], row["sliced_memory_mib"], row["sliced_cores_percent"]) for row in rows]
    assert sliced == [(2, 3072, 30), (0, 0, 0)]
    lines = hetero("devices").out.splitlines()
    assert "3072 MiB, 30 % in 2 slices" in lines[1]
    assert lines[2].split()[-1] == "-"


def test_one_slice_without_a_share_of_compute_is_told_shortly(
    hetero: Hetero, two_devices: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """No compute was promised, so none is named."""
    hold(two_devices, share(device=1, memory=512))
    assert "512 MiB in 1 slice" in hetero("devices").out
    assert "slices" not in hetero("devices").out


@pytest.mark.parametrize("error", [RuntimeError("boom"), DriverFailed("init", 7, "no permission"), OSError("gone")])
def test_a_vendor_that_fails_hides_no_other(
    hetero: Hetero, install: Install, two_devices: Vendor, broken: VendorMaker, error: Exception
) -> None:
    """What goes wrong with one vendor stays with that one, and is said."""
    install(broken("broken", error), two_devices)
    answer = hetero("devices")
    assert answer.code == 0
    assert "fake-0" in answer.out
    assert "fake-1" in answer.out
    assert answer.told == f"no broken devices: {error}"  # once: whoever reads a table needs no log beside it
    assert len(hetero("devices", "--output", "json").json["devices"]) == 2


def test_a_vendor_without_a_driver_is_no_trouble_where_others_have_devices(
    hetero: Hetero, install: Install, two_devices: Vendor
) -> None:
    """Most machines have chips of one vendor: the others' drivers are not missed."""
    install(fake_vendor("absent", devices=None), two_devices)
    assert hetero("devices").err == ""


def test_a_machine_without_devices_says_why(hetero: Hetero, install: Install) -> None:
    """An empty answer would leave the user guessing; JSON stays JSON."""
    install(fake_vendor(devices=None))
    assert hetero("devices").told == "no fake devices: libfake.so.1 was not found: install the fake driver"
    failure = {"vendor": "fake", "reason": "libfake.so.1 was not found: install the fake driver"}
    assert hetero("devices", "--output", "json").json == {"version": 1, "devices": [], "failures": [failure]}


def test_a_driver_that_shows_no_device_is_told(hetero: Hetero, install: Install) -> None:
    """Not the same as no driver, and not the same as no vendor."""
    install(fake_vendor(devices=()))
    assert hetero("devices").told == "no devices: the drivers of fake show none"


def test_no_vendor_at_all_says_what_to_install(hetero: Hetero, install: Install) -> None:
    """The core alone knows no chip."""
    install()
    answer = hetero("devices")
    assert (answer.code, answer.out) == (0, "")
    assert answer.told.startswith("no devices: no vendor is installed; pip install one")


class _Measured(FakeDiscovery):
    """Knows how warm its first device is."""

    def sample(self) -> Sequence[Sample]:
        return [Sample(uuid="fake-0", memory_used=512, temperature=61, power=150.5)]


def test_temperature_and_power_are_shown_where_they_are_known(hetero: Hetero, install: Install) -> None:
    """In their units; a device of which the driver says nothing has a dash, and a null for programs."""
    install(replace(fake_vendor(), discovery=_Measured(fake_devices(2))))
    first, second = hetero("devices", "--output", "json").json["devices"]
    assert (first["temperature_celsius"], first["power_watts"]) == (61, 150.5)
    assert (second["temperature_celsius"], second["power_watts"]) == (None, None)
    heading, one, two = hetero("devices").out.splitlines()
    assert heading.split()[-5:] == ["°C", "W", "health", "sliced", "off"]
    assert one.split()[-4:] == ["61", "150", "ok", "-"]
    assert two.split()[-4:] == ["-", "-", "ok", "-"]


def test_devices_of_a_driver_that_hangs_are_known_from_slices(
    *,
    hetero: Hetero,
    install: Install,
    two_devices: Vendor,
    hold: Holder,
    share: ShareMaker,
    stuck: StuckMaker,
) -> None:
    """What is in use has not gone: it is shown unhealthy with the reason; the other vendor's devices are as ever."""
    hold(two_devices, share(device=1))
    zeta = fake_vendor("zeta", devices=fake_devices(1, vendor="zeta"))
    install(replace(two_devices, discovery=stuck("fake").discovery), zeta)
    answer = hetero("devices", "--output", "json")
    reason = "the driver did not come back from 'devices' within 0.05 s"
    assert [(row["uuid"], row["health"], row["slices"]) for row in answer.json["devices"]] == [
        ("fake-1", reason, 1),
        ("zeta-0", "ok", 0),
    ]
    assert answer.json["failures"] == [{"vendor": "fake", "reason": reason}]
    assert answer.err == ""
    said = hetero("devices").told
    assert said == f"no fake devices but those of slices: {reason}"
