"""Cards as a simulated driver tells them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hetero_cambricon import cambricon, places
from hetero_cambricon.cndev import ADVICE, Cndev
from hetero_cambricon.discovery import CndevDiscovery
from hetero_cambricon.splitting import SHARED, STATIC, WHOLE

from hetero.driver import Library
from hetero.errors import DriverFailed, DriverMissing
from hetero.model.ask import Ask
from hetero.model.device import Device, Health, Process
from hetero.model.share import Refusal

MLU590 = {"model": "MLU590-M9", "memory": 80675}
Make = Callable[..., Any]


def only(machine: Any) -> Device:
    """The one device."""
    [device] = machine.devices()
    return device


def test_a_card_is_told_with_all_that_is_known(machine: Make) -> None:
    """Identity as the vendor's plugins spell it, product, memory, NUMA node, bus, and the nodes that there are."""
    made = machine({**MLU590, "numa": 1, "uuid": "10001012-1916-0000-0000-000000000000"})
    assert only(made) == Device(
        uuid="MLU-10001012-1916-0000-0000-000000000000",
        index=0,
        model=cambricon.splitting.model("MLU590-M9", 80675),
        numa=1,
        paths=("/dev/cambricon_dev0", "/dev/cambricon_ipcm0", "/dev/cambricon_ctl"),
        bus="0000:10:00.0",
    )


def test_the_driver_is_told_by_both_versions(machine: Make) -> None:
    """That of the kernel, and that of the library."""
    driver = machine(version="6.0.3", cndev="5.1.2").discovery.driver()
    assert (driver.version, driver.api) == ("6.0.3", "5.1.2")
    assert driver.library.endswith("libcndev.so")


@pytest.mark.parametrize(
    ("card", "driver", "mode"),
    [
        ({}, {}, SHARED),
        ({"smlu": False}, {}, WHOLE),
        ({"mim": True}, {}, STATIC),
        ({"model": "MLU270-S4"}, {}, WHOLE),
        ({}, {"version": "5.10.26"}, WHOLE),
        ({}, {"version": "5.10.27"}, SHARED),
        ({}, {"cndev": "3.8.9"}, WHOLE),
        ({}, {"cndev": "3.9.0"}, SHARED),
        ({}, {"version": "6.0.0"}, SHARED),
    ],
)
def test_the_mode_says_how_the_card_is_split(machine: Make, card: dict, driver: dict, mode: str) -> None:
    """Slices need the mode, and a driver and a library that are new enough."""
    assert only(machine({**MLU590, **card}, **driver)).model.mode == mode


def test_a_mode_that_is_switched_is_noticed(machine: Make) -> None:
    """An administrator turns it on with cnmon while the agent runs."""
    made = machine({**MLU590, "smlu": False})
    assert only(made).model.mode == WHOLE
    made.change("smlu", "on")
    assert only(made).model.mode == SHARED


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("health", "fail:memory is worn out", "memory is worn out"),
        ("health", "bad", "the driver reports a problem"),
        ("driver_state", "2", "the driver is booting"),
        ("driver_state", "5", "the driver is failed to boot"),
        ("compute_mode", "2", "its compute mode is prohibited"),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_an_ill_card_says_why_and_recovers(machine: Make, key: str, value: str, reason: str, old: bool) -> None:
    """By either version of the question about health; the other card is not disturbed, and the fault may pass."""
    made = machine()
    if old:
        made.fail("cndevGetCardHealthStateV2 * fail 10")
        reason = reason.replace("memory is worn out", "the driver reports a problem")
    made.change(key, value, card=1)
    assert [one.health for one in made.devices()] == [Health(), Health(ok=False, reason=reason)]
    made.change(key, {"health": "ok", "driver_state": "4", "compute_mode": "0"}[key], card=1)
    assert [one.health.ok for one in made.devices()] == [True, True]


def test_a_warning_is_no_illness(machine: Make) -> None:
    """The driver diagnoses it and goes on."""
    assert only(machine({**MLU590, "health": "warn:it is hot"})).health.ok


def test_a_lost_card_stays_in_the_list(machine: Make) -> None:
    """As it was known, unhealthy, with the driver's words; it hides no other and comes back by itself."""
    made = machine()
    before = made.devices()
    made.change("health", "lost")
    lost, other = made.devices()
    assert lost.uuid == before[0].uuid
    assert "answered 18 (the device has a problem)" in lost.health.reason
    assert (other.uuid, other.health) == (before[1].uuid, Health())
    assert [sample.health.ok for sample in made.discovery.sample()] == [False, True]
    made.change("health", "ok")
    assert made.devices() == before


def test_a_card_that_was_never_described_is_left_out(machine: Make) -> None:
    """It has no identity, and none is made up."""
    made = machine()
    made.change("health", "lost")
    assert [device.index for device in made.devices()] == [1]


def test_serial_numbers_need_not_be_numbers_of_people(machine: Make) -> None:
    """They are words to compare: chips of one board share one, and cards without one are on no board together."""
    made = machine({**MLU590, "board": 4294967296}, {**MLU590, "board": 4294967296}, MLU590)
    assert [[link.kind for link in device.links] for device in made.devices()] == [
        ["board", "bridge"],
        ["board", "bridge"],
        ["bridge", "bridge"],
    ]
    for card in range(3):
        made.change("sn", "0", card=card)
    assert {link.kind for device in made.devices() for link in device.links} == {"bridge"}


def test_two_chips_of_a_board_are_two_devices(machine: Make) -> None:
    """With identities of their own, although their serial number is the same."""
    made = machine(*({"model": "MLU370-X8", "memory": 24576, "board": 0} for _ in range(2)))
    assert len({device.uuid for device in made.devices()}) == 2


def test_links_are_counted_in_lanes(machine: Make) -> None:
    """Ports that are up and lead to a card of this machine."""
    made = machine(
        {**MLU590, "numa": 0, "links": {1: 2}}, {**MLU590, "numa": 0, "links": {0: 2}}, {**MLU590, "numa": 1}
    )
    made.change("links", "1, 1, x, -")
    first, second, third = made.devices()
    assert [(link.kind, link.lanes) for link in first.links] == [("direct", 2), ("system", 0)]
    assert [(link.kind, link.lanes) for link in second.links] == [("direct", 2), ("system", 0)]
    assert [link.kind for link in third.links] == ["system", "system"]


@pytest.mark.parametrize(
    "call", ["cndevGetCardSN", "cndevGetMLULinkPortNumber", "cndevGetMLULinkRemoteInfo", "cndevTopologyGetRelationship"]
)
@pytest.mark.parametrize("action", ["fail 10", "fail 7", "garbage"])
def test_links_that_cannot_be_told_make_no_card_ill(machine: Make, call: str, action: str) -> None:
    """They are a preference; the card works without."""
    made = machine({**MLU590, "links": {1: 1}}, {**MLU590, "links": {0: 1}})
    made.fail(f"{call} * {action}")
    assert [device.health.ok for device in made.devices()] == [True, True]


def test_the_kernel_is_asked_about_numa_first(machine: Make) -> None:
    """Where it does not show the card, the library is; where nobody knows, it is -1."""
    made = machine({**MLU590, "numa": 1})
    made.change("numa", "0")
    assert only(made).numa == 1
    (made.root / "sys/bus/pci/devices/0000:10:00.0/numa_node").unlink()
    assert only(made).numa == 0
    made.fail("cndevGetNUMANodeIdByDevId * fail 10")
    assert only(made).numa == -1


def test_nodes_of_other_generations_are_found(machine: Make) -> None:
    """Those that the machine has, named as they are on the machine itself."""
    made = machine(MLU590)
    for name in ("cambr-msgq:0", "cambricon_gdrdrv", "cambr-msgq:1"):
        (made.root / "dev" / name).touch()
    assert only(made).paths[2:] == ("/dev/cambr-msgq:0", "/dev/cambricon_ctl", "/dev/cambricon_gdrdrv")


def test_cards_that_the_driver_does_not_list_are_seen_on_the_bus(machine: Make) -> None:
    """Parts of cards that the bus itself has split are no cards, and other makers' devices neither."""
    made = machine()
    assert places.functions() == ["0000:10:00.0", "0000:11:00.0"]
    directory = made.root / "sys/bus/pci/devices"
    for address, vendor, kind in (("0000:20:00.0", "0x10de", "0x120000"), ("0000:21:00.0", "0xcabc", "0x020000")):
        (directory / address).mkdir()
        (directory / address / "vendor").write_text(f"{vendor}\n")
        (directory / address / "class").write_text(f"{kind}\n")
    (directory / "0000:11:00.0/physfn").touch()
    assert places.functions() == ["0000:10:00.0"]
    made.change_machine("listed", "1")
    assert len(made.devices()) == 1


def test_what_a_card_does_can_be_watched(machine: Make) -> None:
    """Memory and processes in MiB, the use in percent, degrees and watts."""
    made = machine({**MLU590, "temperature": 71, "power": 250, "utilization": 93})
    made.change("memory_used_mib", "5000")
    made.change("processes", "41:100:7, 42:3:0")
    [sample] = made.discovery.sample()
    assert (sample.memory_used, sample.utilization, sample.temperature, sample.power) == (5000, 93, 71, 250.0)
    assert sample.processes == (
        Process(pid=41, memory=100, utilization=7),
        Process(pid=42, memory=3, utilization=0),
    )


def test_more_processes_than_expected_are_asked_for_again(machine: Make) -> None:
    """The library tells how many there are; all of them are read."""
    made = machine(MLU590)
    made.change("processes", ", ".join(f"{pid}:1:1" for pid in range(100, 140)))
    assert [one.pid for one in made.discovery.sample()[0].processes] == list(range(100, 140))


def test_what_a_card_does_not_measure_is_left_open(machine: Make) -> None:
    """A card that does not support a question is not ill."""
    made = machine(MLU590)
    calls = ("GetTemperatureInfo", "GetDevicePowerInfo", "GetDeviceUtilizationInfo", "GetProcessUtilization")
    made.fail(*(f"cndev{call} * fail 10" for call in calls))
    made.change("processes", "41:100:7")
    [sample] = made.discovery.sample()
    assert sample.health.ok
    assert (sample.utilization, sample.temperature, sample.power) == (-1, None, None)
    assert sample.processes == (Process(pid=41, memory=100),)


def test_an_older_library_is_asked_in_its_own_version(machine: Make) -> None:
    """It knows the structs of the version before; one that knows neither says so."""
    made = machine(MLU590, api=5)
    assert only(made).model.capacity["memory"] == 80675
    made.change_machine("api", "9")
    with pytest.raises(DriverFailed, match=r"answered 3 \(a struct of another version"):
        made.devices()


def test_a_library_that_was_ended_is_started_again(machine: Make) -> None:
    """Whatever ended it in this process: the question fails once."""
    made = machine(MLU590)
    made.devices()
    made.cndev.library.open().cndevRelease()
    with pytest.raises(DriverFailed, match="not initialised"):
        made.discovery.driver()
    assert len(made.devices()) == 1


@pytest.mark.parametrize(
    "call",
    [
        "cndevGetUUID",
        "cndevGetMemoryUsageV2",
        "cndevGetCardNameStringByDevId",
        "cndevGetCardHealthStateV2",
        "cndevGetComputeMode",
        "cndevGetMimMode",
        "cndevGetSMLUMode",
    ],
)
def test_garbage_makes_no_device(machine: Make, call: str) -> None:
    """What cannot be true is an error of that card; nothing of it gets into a record."""
    made = machine(MLU590)
    [known] = made.devices()
    made.fail(f"{call} * garbage")
    [ill] = made.devices()
    assert ill.model == known.model
    assert ill.uuid == known.uuid
    assert not ill.health.ok
    assert re.search(r"answered -2", ill.health.reason)


def test_a_card_that_tells_its_identity_alone_is_shown(machine: Make) -> None:
    """Unhealthy, with the reason; nothing is made up about it, and nothing of it is given."""
    made = machine()
    made.fail("cndevGetMemoryUsageV2 1 garbage")
    ill, other = made.devices()
    assert ill.uuid.startswith("MLU-")
    assert (ill.index, ill.model.capacity, ill.health.ok, other.health.ok) == (0, {"slots": 100}, False, True)
    answer = cambricon.splitting.split(ill.model, Ask(vendor="cambricon", cores=100))
    assert isinstance(answer, Refusal)
    assert "is not described by the driver" in answer.message
    assert [device.health.ok for device in made.devices()] == [True, True]


def test_another_card_in_the_same_place_is_another(machine: Make) -> None:
    """What was known of the card before is not told of it."""
    made = machine(MLU590)
    [before] = made.devices()
    made.change("uuid", "ffffffff-1916-0000-0000-000000000000")
    made.fail("cndevGetMemoryUsageV2 * fail 7")
    [other] = made.devices()
    assert other.uuid != before.uuid
    assert other.model.capacity == {"slots": 100}


@pytest.mark.parametrize("call", ["cndevGetDeviceCount", "cndevGetDriverVersion", "cndevGetLibVersion"])
def test_garbage_about_all_is_an_error(machine: Make, call: str) -> None:
    """A list of four thousand million cards is none."""
    made = machine(MLU590)
    made.fail(f"{call} * garbage")
    with pytest.raises(DriverFailed, match="it told 4294967295"):
        made.devices()


def test_without_a_driver_each_question_says_what_to_install() -> None:
    """The package is there on machines without the chip; the loader would give what it has by the real name."""
    discovery = CndevDiscovery(Cndev(Library(("libcndev-absent.so",), ADVICE, {})))
    for question in (discovery.driver, discovery.devices, discovery.sample):
        with pytest.raises(DriverMissing, match=r"libcndev-absent.so was not found: install Cambricon's driver"):
            question()


def test_a_driver_that_is_not_loaded_is_told_in_its_words(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """And asked again: it may be loaded later."""
    made = machine(MLU590)
    monkeypatch.setenv("HETERO_SIM_CNDEV", "/nonexistent")
    with pytest.raises(DriverFailed, match=r"answered 1 \(no driver is loaded"):
        made.devices()
    monkeypatch.setenv("HETERO_SIM_CNDEV", str(made.directory))
    assert len(made.devices()) == 1
