"""Which cards are found, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hetero_hygon.splitting import dcu_model, whole_model

from hetero.errors import DriverFailed
from hetero.model.device import Health, LinkKind, Process

Make = Callable[..., Any]
K100 = {"model": "K100_AI", "memory": 65520}
Z100 = {"model": "Z100L", "memory": 32752}
GENERATIONS = pytest.mark.parametrize("generation", ["hyhal", "dtk"])


@GENERATIONS
def test_the_driver_tells_its_generation(machine: Make, generation: str) -> None:
    """The two are told apart by a function that only the newer has."""
    found = machine(generation=generation, version="2.9.1").discovery.driver()
    assert (found.version, found.api) == ("2.9.1", f"rocm_smi of {'hyhal' if generation == 'hyhal' else 'DTK'}")
    assert found.library.endswith("librocm_smi64.so.2")
    assert ("/dtk/" in found.library) == (generation == "dtk")


@GENERATIONS
def test_a_card_is_described_by_what_is_its_own(machine: Make, generation: str) -> None:
    """Identity, product, memory, units, NUMA node, address and device files: none is that of card 0."""
    first = {**K100, "serial": "TNK7A21", "numa": 0}
    second = {**Z100, "serial": "WX1", "numa": 1}
    one, two = machine(first, second, generation=generation).devices()
    assert (one.uuid, one.index, one.numa, one.bus) == ("DCU-TNK7A21", 0, 0, "0000:33:00.0")
    assert one.model == dcu_model("K100_AI", 65520, 120)
    assert one.paths == ("/dev/kfd", "/dev/mkfd", "/dev/dri/card1", "/dev/dri/renderD128")
    assert (two.uuid, two.index, two.numa, two.bus) == ("DCU-WX1", 1, 1, "0000:34:00.0")
    assert two.model == dcu_model("Z100L", 32752, 60)
    assert two.paths == ("/dev/kfd", "/dev/mkfd", "/dev/dri/card2", "/dev/dri/renderD129")
    assert one.health == two.health == Health()


@pytest.mark.parametrize("serial", ["TNK7A21", "00012", "99999999999", "1", "7-B"])
def test_a_serial_number_is_no_index(machine: Make, serial: str) -> None:
    """Today's plugin reads it as one: letters lead to card 0, small numbers to a wrong card, large ones to a crash."""
    found = machine(K100, K100, {**K100, "serial": serial})
    card = found.devices()[2]
    assert card.uuid == f"DCU-{serial}"
    held = found.slice_of("s", 2, memory=1024, cores=10)
    found.enforcement.prepare(held)
    [text] = found.vdevs().values()
    assert f"PciBusId: {card.bus}" in text


def test_a_serial_number_of_several_cards_identifies_none(machine: Make) -> None:
    """Then the chip's unique number does; so it is where the card tells no serial number, or zeros."""
    twin = {**K100, "serial": "SAME"}
    devices = machine(
        twin, twin, {**K100, "serial": "none"}, {**K100, "serial": "0000"}, {**K100, "serial": "OWN"}
    ).devices()
    assert len({device.uuid for device in devices}) == 5
    assert all(device.uuid.startswith("DCU-0") and len(device.uuid) == 20 for device in devices[:4])
    assert devices[4].uuid == "DCU-OWN"


def test_a_card_without_any_identity_is_left_out(machine: Make) -> None:
    """None is made up, and the others are there."""
    found = machine({**K100, "serial": "none"}, {**K100, "serial": "OWN"})
    found.change("unique_id", 0, card=0)
    assert [(device.uuid, device.index) for device in found.devices()] == [("DCU-OWN", 0)]


@pytest.mark.parametrize("call", ["rsmi_dev_memory_total_get", "rsmi_dev_pci_id_get", "rsmi_dev_cu_num_get"])
def test_a_card_that_never_could_be_described_is_marked(machine: Make, call: str) -> None:
    """Who it is is known, so it is listed as unhealthy, and nothing of it is given; later it is what it is."""
    found = machine({**K100, "serial": "A"}, {**K100, "serial": "B"})
    found.fault(f"{call} 1 fail 6")
    ill, well = found.devices()
    assert (ill.uuid, ill.model.name, ill.model.capacity["memory"]) == ("DCU-A", "K100_AI", 0)
    assert call in ill.health.reason
    assert well.health.ok
    assert found.devices()[0].model == well.model


def test_a_card_of_which_not_even_the_product_is_told_is_marked(machine: Make) -> None:
    """Its identity is enough to name it."""
    found = machine({**K100, "serial": "A"})
    found.fault("rsmi_dev_id_get * fail 6")
    [card] = found.devices()
    assert (card.uuid, card.model.name, card.health.ok) == ("DCU-A", "unknown", False)


def test_a_card_is_remembered_by_its_identity(machine: Make) -> None:
    """When one before it has gone, its number is another, and it is not taken for that one."""
    found = machine({**K100, "serial": "A"}, {**Z100, "serial": "B"})
    before = found.devices()
    conf = found.directory / "cards.conf"
    above, _, last = conf.read_text().split("[card]")
    conf.with_name("fresh").write_text("[card]".join([above, last]))
    conf.with_name("fresh").rename(conf)
    found.fault("rsmi_dev_memory_total_get * fail 6")
    [card] = found.devices()
    assert (card.uuid, card.model, card.index) == ("DCU-B", before[1].model, 0)


def test_no_card_is_listed_twice(machine: Make) -> None:
    """One that tells no identity is not taken for the card that had its number before, when that one is there."""
    found = machine({**K100, "serial": "A"}, {**K100, "serial": "B"})
    found.devices()
    found.change("serial", "B", card=0)
    found.change("serial", "C", card=1)
    found.change("health", "lost", card=1)
    assert [device.uuid for device in found.devices()] == ["DCU-B"]


def test_another_makers_cards_are_not_ours(machine: Make) -> None:
    """AMD's library has the same name, and lists AMD's cards."""
    found = machine(K100, {**K100, "serial": "OWN"})
    found.path("/sys/bus/pci/devices/0000:33:00.0/vendor").write_text("0x1002\n")
    [card] = found.devices()
    assert (card.uuid, card.index) == ("DCU-OWN", 0)
    found.enforcement.prepare(found.slice_of("s", 0, memory=1, cores=1))
    assert "0000:34:00.0" in "".join(found.vdevs().values())


def test_a_new_product_is_known_by_its_own_name(machine: Make) -> None:
    """A PCI device id that no table has."""
    found = machine({"model": "BW9000", "memory": 1024, "cus": 96})
    assert [device.model for device in found.devices()] == [dcu_model("BW9000", 1024, 96)]


@GENERATIONS
def test_links_are_those_of_the_library(machine: Make, generation: str) -> None:
    """Direct ones with their lanes, where the generation tells how many; else by NUMA nodes."""
    linked = [{**K100, "links": {1: 3}, "numa": 0}, {**K100, "links": {0: 3}, "numa": 0}]
    one, two, three, _ = machine(*linked, {**K100, "numa": 0}, {**K100, "numa": 1}, generation=generation).devices()
    lanes = 3 if generation == "hyhal" else 1
    assert [(link.kind, link.lanes) for link in one.links] == [
        (LinkKind.DIRECT, lanes),
        (LinkKind.NUMA, 0),
        (LinkKind.SYSTEM, 0),
    ]
    assert two.links[0].peer == one.uuid
    assert [link.kind for link in three.links] == [LinkKind.NUMA, LinkKind.NUMA, LinkKind.SYSTEM]


@GENERATIONS
def test_a_sample_is_what_the_card_does_now(machine: Make, generation: str) -> None:
    """Each in our unit; a process on two cards is on both, and nobody knows how much of it is where."""
    busy = {**K100, "used": 512, "busy": 42, "temperature": 71, "power": 260, "processes": {77: 100, 78: 5}}
    found = machine(busy, {**Z100, "processes": {77: 50}}, generation=generation)
    one, two = found.discovery.sample()
    assert (one.memory_used, one.utilization, one.temperature, one.power) == (512, 42, 71, 260.0)
    assert one.processes == (Process(pid=77), Process(pid=78, memory=5))
    assert two.processes == (Process(pid=77),)
    assert [device.uuid for device in found.devices()] == [one.uuid, two.uuid]


def test_sensors_that_a_card_lacks_are_not_told(machine: Make) -> None:
    """None, and not 0."""
    found = machine()
    found.change("temperature", "", card=0)
    found.change("power", "", card=0)
    found.change("busy", "", card=0)
    one = found.discovery.sample()[0]
    assert (one.temperature, one.power, one.utilization) == (None, None, -1)


@pytest.mark.parametrize(
    ("health", "reason"),
    [("lost", "rsmi_dev_serial_number_get answered 3 (FILE_ERROR)"), ("ecc:3", "3 errors of memory")],
)
@GENERATIONS
def test_an_unhealthy_card_says_why_and_recovers(machine: Make, generation: str, health: str, reason: str) -> None:
    """It stays in the list, hides no other, and is healthy again when its reason is gone."""
    found = machine(K100, K100, generation=generation)
    before = found.devices()
    found.change("health", health, card=0)
    ill, well = found.devices()
    assert ill.uuid == before[0].uuid
    assert not ill.health.ok
    assert reason in ill.health.reason
    assert well == before[1]
    assert [sample.health.ok for sample in found.discovery.sample()] == [False, True]
    found.change("health", "ok", card=0)
    assert found.devices() == before


def test_a_card_that_the_kernel_has_lost_is_unhealthy(machine: Make) -> None:
    """Whatever the library still remembers of it."""
    found = machine()
    found.path("/sys/bus/pci/devices/0000:33:00.0").rename(found.path("/sys/gone"))
    assert found.devices()[0].health.reason == "the kernel does not show 0000:33:00.0 any more"


def test_what_the_kernel_does_not_show_the_library_tells(machine: Make) -> None:
    """NUMA node and device file, e.g. in a container without the machine's sysfs."""
    found = machine({**K100, "numa": 1})
    found.path("/sys").rename(found.path("/elsewhere"))
    [card] = found.devices()
    assert card.health.ok
    assert card.numa == 1
    assert card.paths == ("/dev/kfd", "/dev/mkfd", "/dev/dri/renderD128")


@pytest.mark.parametrize("driver", [{"container": True}, {"vdcus": 0}])
def test_cards_that_cannot_be_split_are_whole(machine: Make, driver: dict[str, Any]) -> None:
    """Where the library makes no vDCUs."""
    assert machine(K100, **driver).devices()[0].model == whole_model("K100_AI", 65520)


def test_without_libhydmi_cards_are_whole(machine: Make, tmp_path: Path) -> None:
    """Telemetry and whole cards need only the other library."""
    found = machine(K100)
    (tmp_path / "librocm_smi64.so.2").symlink_to(f"{found.edits.library_path[0]}/librocm_smi64.so.2")
    [[card]] = found.elsewhere("devices", HETERO_DRIVER_PATH=str(tmp_path))
    assert card["model"] == msgspec.to_builtins(whole_model("K100_AI", 65520))
    assert card["health"]["ok"]


def test_a_libhydmi_that_does_not_work_makes_cards_unhealthy(machine: Make) -> None:
    """Rather than pretending that they could be split; the reason names the call."""
    found = machine(K100)
    found.fault("dmiGetMaxVDeviceCount * fail 22")
    [card] = found.devices()
    assert "dmiGetMaxVDeviceCount answered 22 (SMI_INIT_ERROR" in card.health.reason
    found.fault()
    assert found.devices()[0].health.ok


def test_the_library_is_not_woken_before_its_driver(machine: Make) -> None:
    """What it finds at its first call it keeps for good, so it is not called while there is no device file."""
    found = machine(K100)
    node = found.path("/dev/mkfd")
    node.unlink()
    [card] = found.devices()
    assert "/dev/mkfd is not there" in card.health.reason
    node.touch()
    assert found.devices()[0].health.ok


def test_without_a_driver_the_library_is_named(machine: Make) -> None:
    """And what to install."""
    for answer in machine().elsewhere("driver", "devices", "sample", HETERO_DRIVER_PATH=""):
        assert answer["kind"] == "DriverMissing"
        assert answer["text"].startswith("librocm_smi64.so.2 was not found: install Hygon's driver")


def test_a_broken_library_is_told_from_none(machine: Make, tmp_path: Path) -> None:
    """A file by that name that is no library."""
    (tmp_path / "librocm_smi64.so.2").write_text("no library")
    [answer] = machine().elsewhere("devices", HETERO_DRIVER_PATH=str(tmp_path))
    assert answer["kind"] == "DriverFailed"
    assert str(tmp_path) in answer["text"]


@pytest.mark.parametrize("call", ["rsmi_init", "rsmi_num_monitor_devices"])
def test_a_library_that_fails_is_named_with_its_call(machine: Make, call: str) -> None:
    """And asked anew the next time."""
    found = machine()
    found.fault(f"{call} 1 fail 8")
    with pytest.raises(DriverFailed, match=rf"{call} answered 8 \(INIT_ERROR\)"):
        found.discovery.devices()
    assert len(found.devices()) == 2


def test_an_unknown_error_is_no_missing_function(machine: Make) -> None:
    """Its code is 0xFFFFFFFF, which as a signed number would mean that the library lacks the call."""
    found = machine()
    before = found.devices()
    found.fault("rsmi_dev_temp_metric_get * fail -1")
    assert not found.discovery.sample()[0].health.ok
    assert found.devices() == before


GARBAGE = [
    "rsmi_dev_serial_number_get",
    "rsmi_dev_memory_total_get",
    "rsmi_dev_cu_num_get",
    "dmiGetMaxVDeviceCount",
]


@pytest.mark.parametrize("call", GARBAGE)
def test_nonsense_of_cards_is_not_believed(machine: Make, call: str) -> None:
    """A card of which it is told is unhealthy, and known again afterwards."""
    found = machine()
    before = found.devices()
    found.fault(f"{call} * garbage")
    assert [call in device.health.reason for device in found.devices()] == [True, True]
    found.fault()
    assert found.devices() == before


def test_a_version_that_cannot_be_is_an_error(machine: Make) -> None:
    """It is told, and not shown as it is."""
    found = machine()
    found.fault("rsmi_version_get * garbage")
    with pytest.raises(DriverFailed, match="rsmi_version_get answered -2"):
        found.discovery.driver()


def test_a_list_that_cannot_be_is_an_error(machine: Make) -> None:
    """Four thousand million cards are none."""
    found = machine()
    found.fault("rsmi_num_monitor_devices * garbage")
    with pytest.raises(DriverFailed, match="it told 4294967280 as number of cards, which is from 0 to 64"):
        found.discovery.devices()


@pytest.mark.parametrize("call", ["rsmi_dev_memory_usage_get", "rsmi_dev_busy_percent_get", "rsmi_dev_power_ave_get"])
def test_nonsense_of_sensors_spoils_no_other_card(machine: Make, call: str) -> None:
    """The sample of the card says so, and there is one for each card."""
    found = machine()
    found.fault(f"{call} 1 garbage")
    one, two = found.discovery.sample()
    if call != "rsmi_dev_busy_percent_get":  # -1 is what it may say
        assert not one.health.ok
        assert call in one.health.reason
    assert two.health.ok


@pytest.mark.parametrize("call", ["rsmi_compute_process_info_get", "rsmi_topo_get_link_type"])
@pytest.mark.parametrize("fault", ["garbage", "fail 6"])
def test_what_is_only_nice_to_know_may_be_missing(machine: Make, call: str, fault: str) -> None:
    """Links and processes: without them a card is as good."""
    found = machine({**K100, "processes": {5: 1}}, K100)
    found.fault(f"{call} * {fault}")
    assert [sample.health.ok for sample in found.discovery.sample()] == [True, True]


def test_many_processes_are_all_listed(machine: Make) -> None:
    """However many there are, in one list."""
    found = machine({**K100, "processes": dict.fromkeys(range(1000, 1100), 1)})
    assert len(found.discovery.sample()[0].processes) == 100


@pytest.mark.parametrize("count", range(1, 9))
def test_nodes_of_any_number_of_cards(machine: Make, count: int) -> None:
    """Of two products in turn, each with its own memory and units."""
    devices = machine(*(dict((K100, Z100)[index % 2]) for index in range(count))).devices()
    assert [device.index for device in devices] == list(range(count))
    assert [device.model.name for device in devices] == [("K100_AI", "Z100L")[index % 2] for index in range(count)]
    assert len({device.uuid for device in devices}) == len({device.paths for device in devices}) == count
