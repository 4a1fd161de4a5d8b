"""``hetero top``: slices and their processes, once or again and again."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from hetero.cli import top
from hetero.enforcement import layout, region
from hetero.errors import DriverFailed
from hetero.model.device import Health, Sample
from hetero.model.quantity import MIB
from hetero.testing.fake import FakeDiscovery, fake_devices, fake_vendor
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Hetero, Holder, Install, ShareMaker, StuckMaker, VendorMaker

ONCE = ("top", "--once", "--interval", "0.1")
Between = Callable[[Callable[[], None]], None]

KEYS = {
    "slice", "vendor", "device", "uuid", "command", "memory_used_mib", "memory_limit_mib", "compute_used_percent",
    "compute_limit_percent", "compute_lent_percent", "yielding", "refused_allocations", "processes",
}  # fmt: skip


@pytest.fixture
def regional(install: Install) -> Vendor:
    """A vendor whose slices have regions."""
    vendor = fake_vendor(devices=fake_devices(2, memory=12288), region=True)
    install(vendor)
    return vendor


@pytest.fixture(autouse=True)
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    """What happens while ``top`` waits between two readings, instead of waiting."""

    def put(happens: Callable[[], None]) -> None:
        monkeypatch.setattr(top.time, "sleep", lambda _: happens())

    put(lambda: None)
    return put


def _write(path: Path, record: layout.Record, name: str, *values: object) -> None:
    """Set a field of the first record of its kind, as the native runtime would."""
    data = bytearray(path.read_bytes())
    field = record.fields[name]
    kind = f"<{len(values)}{field.format[-1]}" if field.format[-1] == "Q" else f"<{field.format}"
    struct.pack_into(kind, data, record.start + field.offset, *values)
    path.write_bytes(data)


def _use(path: str, memory: int, *, pid: int = 0, busy_ns: int = 0) -> None:
    """A process of the slice uses MiB of its first device and keeps it busy."""
    place = Path(path)
    _write(place, layout.DEVICE, "memory.bytes", memory * MIB)
    _write(place, layout.DEVICE, "busy_ns", busy_ns)
    _write(place, layout.REGION, "slots_used", 1)
    _write(place, layout.SLOT, "state", layout.TAKEN)
    _write(place, layout.SLOT, "pid", pid or os.getpid())
    _write(place, layout.SLOT, "name", b"worker")
    _write(place, layout.ENTRY, "after", 0, memory * MIB)
    _write(place, layout.ENTRY, "done", 1)
    _write(place, layout.SLOT, "busy_ns", busy_ns)


def _raise(error: type[BaseException] | None) -> None:
    if error is not None:
        raise error


def test_json_has_a_version_and_stable_keys(hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker) -> None:
    """Programs rely on the keys of a slice and of a process."""
    _use(hold(regional, share(memory=2048, cores=30)).held.region, 64)
    answer = hetero("top", "--output", "json")
    [row] = answer.json["slices"]
    assert (answer.code, answer.json["version"], set(row)) == (0, 1, KEYS)
    assert set(row["processes"][0]) == {"pid", "name", "memory_used_mib", "compute_used_percent"}


def test_a_slice_shows_what_it_uses_of_what_it_may(
    hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """Memory used and allowed, compute allowed, the command, and the device by its number."""
    held = hold(regional, share(device=1, memory=2048, cores=30), command=("python", "train.py"))
    _use(held.held.region, 512)
    [row] = hetero("top", "--output", "json").json["slices"]
    assert (row["device"], row["uuid"], row["slice"]) == (1, "fake-1", held.held.id)
    assert (row["memory_used_mib"], row["memory_limit_mib"], row["compute_limit_percent"]) == (512, 2048, 30)
    assert row["command"] == ["python", "train.py"]
    heading, line, process = hetero(*ONCE).out.splitlines()
    assert heading.split()[0] == "slice"
    assert "512 / 2048 MiB" in line
    assert "0 / 30 %" in line
    assert line.rstrip().endswith("python train.py")
    assert f"{os.getpid()} worker" in process
    assert "512 MiB" in process


def test_who_makes_way_is_shown(hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker) -> None:
    """While it does, in its own line; in the JSON every slice says whether."""
    region_file = hold(regional, share(memory=2048, cores=30)).held.region
    _use(region_file, 64)
    hold(regional, share(device=1, memory=1024, cores=20))
    _write(Path(region_file), layout.DEVICE, "yield_percent", 1)
    _write(Path(region_file), layout.DEVICE, "yield_until_ns", time.monotonic_ns() + 60 * 10**9)
    assert sorted(row["yielding"] for row in hetero("top", "--output", "json").json["slices"]) == [False, True]
    [line] = [line for line in hetero(*ONCE).out.splitlines() if "yields" in line]
    assert "0 / 30 % yields" in line


def test_a_loan_is_shown_beside_the_limit(hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker) -> None:
    """While it holds; of two slices only the borrower shows one."""
    lent = hold(regional, share(memory=2048, cores=30)).held
    hold(regional, share(device=1, memory=1024, cores=20))
    loan = region.Loan(percent=40, until_ns=time.monotonic_ns() + 60 * 10**9)
    region.change(Path(lent.region), 0, policy="conserve", lent=loan)
    rows = {row["slice"]: row for row in hetero("top", "--output", "json").json["slices"]}
    assert sorted((row["compute_limit_percent"], row["compute_lent_percent"]) for row in rows.values()) == [
        (20, 0),
        (30, 40),
    ]
    printed = hetero(*ONCE).out
    assert "0 / 30+40 %" in printed
    assert "0 / 20 %" in printed


def test_compute_is_what_was_used_during_the_interval(
    hetero: Hetero,
    regional: Vendor,
    hold: Holder,
    share: ShareMaker,
    between: Between,
) -> None:
    """Device time that was used before counts for nothing; time used while looking does."""
    path = hold(regional, share(memory=2048)).held.region
    _use(path, 1, busy_ns=10**12)
    assert hetero("top", "--output", "json").json["slices"][0]["compute_used_percent"] == 0
    between(lambda: _use(path, 1, busy_ns=2 * 10**12))
    [row] = hetero("top", "--output", "json").json["slices"]
    assert row["compute_used_percent"] > 0
    assert row["processes"][0]["compute_used_percent"] > 0
    assert row["compute_limit_percent"] is None


def test_a_vendor_without_a_region_has_unknowns_not_zeros(
    hetero: Hetero, two_devices: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """Null for programs and a dash for people: nothing was measured."""
    hold(two_devices, share(memory=2048))
    [row] = hetero("top", "--output", "json").json["slices"]
    assert (row["memory_used_mib"], row["compute_used_percent"], row["processes"]) == (None, None, [])
    assert "- / 2048 MiB" in hetero(*ONCE).out
    assert "█" not in hetero(*ONCE).out


def test_slices_stand_side_by_side(hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker) -> None:
    """Every slice has a line, on whichever device."""
    ids = {hold(regional, share(device=device)).held.id for device in (0, 0, 1)}
    assert {row["slice"] for row in hetero("top", "--output", "json").json["slices"]} == ids
    assert all(one in hetero(*ONCE).out for one in ids)


def test_a_slice_of_two_devices_has_a_line_for_each(
    hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """Limits hold per device, so use is shown per device."""
    held = hold(regional, share(device=0), share(device=1, memory=512))
    rows = hetero("top", "--output", "json").json["slices"]
    assert [(row["slice"], row["device"], row["memory_limit_mib"]) for row in rows] == [
        (held.held.id, 0, 1024),
        (held.held.id, 1, 512),
    ]


def test_a_slice_on_a_device_that_is_gone_has_no_number(
    hetero: Hetero, install: Install, regional: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """It is still there and still shown, by its identity."""
    hold(regional, share(device=1))
    install(fake_vendor(devices=fake_devices(1)))
    [row] = hetero("top", "--output", "json").json["slices"]
    assert (row["device"], row["uuid"]) == (None, "fake-1")


def test_a_damaged_region_hides_no_other_slice(
    hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """What cannot be read is unknown, and logged; the rest is shown."""
    Path(hold(regional, share()).held.region).write_bytes(b"nothing")
    _use(hold(regional, share()).held.region, 7)
    answer = hetero("top", "--output", "json")
    assert sorted(str(row["memory_used_mib"]) for row in answer.json["slices"]) == ["7", "None"]
    assert "is no region" in answer.err


def test_a_driver_that_fails_is_told_once(
    hetero: Hetero, install: Install, two_devices: Vendor, broken: VendorMaker
) -> None:
    """Below the table, in a sentence; in a field for programs. A driver that is not there is no failure."""
    install(broken("broken", DriverFailed("init", 9, "not loaded")), fake_vendor("absent", devices=None), two_devices)
    answer = hetero(*ONCE)
    assert (answer.code, answer.told) == (0, "no broken devices: init answered 9 (not loaded)")
    failures = hetero("top", "--output", "json").json["failures"]
    assert [one["vendor"] for one in failures] == ["absent", "broken"]
    assert failures[1]["reason"] == "init answered 9 (not loaded)"


def test_no_slices_is_an_empty_table(hetero: Hetero) -> None:
    """A heading alone, and an empty list for programs."""
    answer = hetero("top", "--output", "json").json
    assert (answer["version"], answer["slices"]) == (1, [])
    assert len(hetero(*ONCE).out.splitlines()) == 1


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output is a terminal, for ``top`` and for rich."""
    monkeypatch.setattr(top, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")


@pytest.mark.usefixtures("terminal")
def test_live_it_looks_again_until_it_is_interrupted(
    hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker, between: Between
) -> None:
    """Ctrl-C is how one leaves: no traceback, and the code that a shell expects."""
    hold(regional, share(), command=("train",))
    looks: list[int] = []

    def look() -> None:
        looks.append(len(looks))
        if len(looks) > 3:
            raise KeyboardInterrupt

    between(look)
    answer = hetero("top")
    assert (answer.code, len(looks), answer.err.strip()) == (130, 4, "")
    assert "train" in answer.out


@pytest.mark.usefixtures("terminal")
def test_a_driver_that_fails_is_told_on_the_screen(
    hetero: Hetero, install: Install, broken: VendorMaker, between: Between
) -> None:
    """With the table, which would be drawn over a line of standard error; what it says can do nothing there."""
    install(broken("broken", DriverFailed("init", 9, "not\x1bloaded")), fake_vendor(devices=fake_devices(1)))
    happens = iter((None, KeyboardInterrupt))
    between(lambda: _raise(next(happens)))
    answer = hetero("top")
    assert r"no broken devices: init answered 9 (not\x1bloaded)" in answer.out
    assert answer.err.strip() == ""


def test_a_pipe_gets_one_table(
    hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker, between: Between
) -> None:
    """Nothing can be drawn over there; ``hetero top | grep`` must not wait for ever."""
    held = hold(regional, share(memory=512))
    once = hetero(*ONCE).out
    assert held.held.id in once
    looks: list[None] = []
    between(lambda: looks.append(None) if not looks else pytest.fail("looks again"))
    assert hetero("top").out == once


@pytest.mark.parametrize(
    ("used", "limit", "full"),
    [(0, 100, 0), (50, 100, 6), (100, 100, 12), (250, 100, 12), (1, 100, 0), (4, 100, 0), (5, 100, 1)],
)
def test_a_bar_is_as_full_as_the_limit_is_used(used: float, limit: float, full: int) -> None:
    """Twelve characters; never more, whatever is measured."""
    assert top.bar(used, limit) == "█" * full + "░" * (top.WIDTH - full)


@pytest.mark.parametrize(("used", "limit"), [(None, 100), (5, None), (5, 0)])
def test_there_is_no_bar_without_both_figures(used: float | None, limit: float | None) -> None:
    """An empty bar would claim that nothing is used."""
    assert top.bar(used, limit) == ""


@pytest.mark.parametrize("interval", ["nan", "inf"])
def test_an_interval_is_a_time(hetero: Hetero, install: Install, interval: str) -> None:
    """What is no number of seconds is refused in words."""
    install()
    answer = hetero("top", "--once", "--interval", interval)
    assert answer.code == 2
    assert "--interval" in answer.told


DEVICE_KEYS = {
    "device", "vendor", "uuid", "healthy", "health", "memory_used_mib", "utilization_percent", "temperature_celsius",
    "power_watts",
}  # fmt: skip


class _Measured(FakeDiscovery):
    """Knows how warm its first device is, and of the second nothing but what is in use."""

    def sample(self) -> Sequence[Sample]:
        first, second = self.devices()
        warm = Sample(uuid=first.uuid, memory_used=512, utilization=30, temperature=61, power=150.5)
        return [warm, Sample(uuid=second.uuid, memory_used=7, health=Health(ok=False, reason="too hot"))]


def test_programs_read_what_whole_devices_do(hetero: Hetero, install: Install) -> None:
    """Use, temperature and power where the driver tells them, a null where it does not; health is that of now."""
    install(replace(fake_vendor(), discovery=_Measured(fake_devices(2))))
    first, second = hetero("top", "--output", "json").json["devices"]
    assert set(first) == DEVICE_KEYS
    assert (first["device"], first["temperature_celsius"], first["power_watts"]) == (0, 61, 150.5)
    assert (first["memory_used_mib"], first["utilization_percent"], first["health"]) == (512, 30, "ok")
    assert (second["temperature_celsius"], second["power_watts"], second["utilization_percent"]) == (None, None, None)
    assert (second["memory_used_mib"], second["healthy"], second["health"]) == (7, False, "too hot")


def test_slices_are_shown_although_their_driver_hangs(
    *, hetero: Hetero, install: Install, hold: Holder, share: ShareMaker, stuck: StuckMaker
) -> None:
    """What they use is in their regions, which need no driver; their device is known from them, and unhealthy."""
    vendor = fake_vendor(devices=fake_devices(2), region=True)
    _use(hold(vendor, share(device=1, memory=2048)).held.region, 64)
    install(replace(vendor, discovery=stuck("fake").discovery))
    answer = hetero("top", "--output", "json")
    [row], [device] = answer.json["slices"], answer.json["devices"]
    assert (answer.code, row["memory_used_mib"], row["device"]) == (0, 64, 0)
    assert (device["uuid"], device["healthy"]) == ("fake-1", False)
    assert device["health"] == "the driver did not come back from 'devices' within 0.05 s"
