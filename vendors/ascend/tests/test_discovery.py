"""Which NPUs there are and what they are doing, on the simulated driver."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hetero_ascend.chips import CHIPS
from hetero_ascend.dcmi import Dcmi
from hetero_ascend.discovery import DcmiDiscovery
from hetero_ascend.names import SOFT, VIR03
from hetero_ascend.splitting import NpuSplitting

from hetero.errors import DriverFailed, DriverMissing
from hetero.model.device import Health, LinkKind, Process

Make = Callable[..., Any]


@pytest.mark.parametrize("product", [product for chip in CHIPS for product in chip.products])
def test_a_chip_is_the_model_that_its_name_describes(machine: Make, product: str) -> None:
    """Each chip by its own kind of memory; a cluster in a file is planned as the real one."""
    [chip] = [one for one in CHIPS if product in one.products]
    simulated = machine(product)
    assert simulated.device().model == NpuSplitting().model(product, chip.memory)
    assert simulated.device().model.family == chip.family


def test_identity_is_the_die(machine: Make) -> None:
    """Five words in hexadecimal, the same whatever the place of the card."""
    die = "00C0FFEE-00000002-A0000003-00000004-0000000A"
    device = machine({"model": "910B3", "die": die, "phy": 5}).device()
    assert device.uuid == die
    assert device.index == 0
    assert device.paths[0] == "/dev/davinci5"


def test_numberings_are_kept_apart(machine: Make) -> None:
    """Two dies on a card, cards out of order: paths go by the physical id, the index by the list."""
    simulated = machine(*({"model": "Ascend910", "phy": phy} for phy in (6, 7, 2, 3)))
    devices = simulated.discovery.devices()
    assert [device.index for device in devices] == [0, 1, 2, 3]
    assert [device.paths[0] for device in devices] == [f"/dev/davinci{phy}" for phy in (6, 7, 2, 3)]
    assert Dcmi().chips() == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_shared_nodes_are_those_that_are_there(machine: Make) -> None:
    """A driver without one of them gives a program the others."""
    simulated = machine("910B3")
    shared = ("/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc", "/dev/dvpp_cmdlist")
    assert simulated.device().paths == ("/dev/davinci0", *shared)
    simulated.root("dev/dvpp_cmdlist").unlink()
    assert simulated.device().paths == ("/dev/davinci0", *shared[:-1])


def test_the_newest_chips_are_told_by_the_other_family_of_calls(machine: Make) -> None:
    """One number for each, other nodes, no card."""
    simulated = machine({"model": "950PR", "phy": 3, "temperature": 51})
    device = simulated.device()
    assert device.model.family == "Ascend950"
    assert device.paths == ("/dev/davinci3", "/dev/hisi_hdc", "/dev/uburma", "/dev/ummu")
    [sample] = simulated.discovery.sample()
    assert sample.temperature == 51


@pytest.mark.parametrize(("state", "word"), [("2", "major alarm"), ("3", "critical alarm")])
def test_an_alarm_is_a_reason_with_its_codes(machine: Make, state: str, word: str) -> None:
    """And the chip is well again when the alarm is over, without a restart."""
    simulated = machine("910B3")
    assert simulated.device().health == Health()
    simulated.change(0, health=state, errors="0x80E01801,0x80CB8008")
    assert simulated.device().health == Health(ok=False, reason=f"{word}: 0x80CB8008, 0x80E01801")
    simulated.change(0, health="1", errors="")
    assert simulated.device().health == Health()


@pytest.mark.parametrize("state", ["0xFFFFFFFF", "77"])
def test_a_state_that_is_none_is_no_health(machine: Make, state: str) -> None:
    """An absent chip, and one in a state that nobody has described."""
    simulated = machine("910B3")
    simulated.change(0, health=state)
    assert not simulated.device().health.ok


def test_a_lost_chip_hides_no_other(machine: Make) -> None:
    """It stays in the list as it was, unhealthy, and comes back."""
    simulated = machine("910B3", "910B3", "910B3")
    before = simulated.discovery.devices()
    simulated.change(1, health="lost")
    after = simulated.discovery.devices()
    assert [device.uuid for device in after] == [device.uuid for device in before]
    assert [device.health.ok for device in after] == [True, False, True]
    assert "-8008" in after[1].health.reason
    samples = simulated.discovery.sample()
    assert [sample.health.ok for sample in samples] == [True, False, True]
    simulated.change(1, health="0")
    assert simulated.discovery.devices() == before


def test_a_chip_that_never_answered_has_no_identity(machine: Make) -> None:
    """It is left out, as nothing is made up; the others count from 0."""
    simulated = machine("910B3", {"model": "910B3", "health": "lost"}, "910B3")
    devices = simulated.discovery.devices()
    assert [device.paths[0] for device in devices] == ["/dev/davinci0", "/dev/davinci2"]
    assert [device.index for device in devices] == [0, 1]


def test_an_unknown_chip_is_shown_and_not_given(machine: Make) -> None:
    """A name that begins like a known one is another chip."""
    simulated = machine("910B4")
    simulated.change(0, chip="910B4-2")
    device = simulated.device()
    assert not device.health.ok
    assert "910B4-2" in device.health.reason
    assert device.model.family == ""


def test_two_chips_with_one_identity_are_one(machine: Make) -> None:
    """What the driver tells twice cannot be an identity twice."""
    simulated = machine("910B3", "910B3")
    first = "00000001-00000002-00000003-00000004-00000005"
    simulated.change(0, die=first)
    simulated.change(1, die=first)
    assert [device.paths[0] for device in simulated.discovery.devices()] == ["/dev/davinci0"]


@pytest.mark.parametrize(
    ("numa", "cpus", "found"), [("1", "", 1), ("-1", "24-47", 1), ("-1", "", -1), ("0", "24-47", 0)]
)
def test_numa_is_told_by_the_kernel_or_by_near_processors(machine: Make, numa: str, cpus: str, found: int) -> None:
    """The kernel goes before; where it does not know, the node of the processors that the driver calls near."""
    simulated = machine({"model": "910B3", "numa": 0}, {"model": "910B3", "numa": 1})
    simulated.root("sys/bus/pci/devices/0000:81:00.0/numa_node").write_text(f"{numa}\n")
    simulated.change(0, cpus=cpus) if cpus else simulated.change(0, cpus="x")
    assert simulated.device().numa == found


def test_a_bus_address_of_another_vendor_is_not_believed(machine: Make) -> None:
    """In a container the kernel may show other devices under the same address."""
    simulated = machine({"model": "910B3", "numa": 1})
    simulated.change(0, cpus="x")
    simulated.root("sys/bus/pci/devices/0000:81:00.0/vendor").write_text("0x10de\n")
    assert simulated.device().numa == -1


@pytest.mark.parametrize(
    ("product", "number", "group", "kinds"),
    [
        ("910A", 8, 4, (LinkKind.DIRECT, LinkKind.SYSTEM)),
        ("910B3", 16, 8, (LinkKind.DIRECT, LinkKind.SYSTEM)),
        ("Ascend910", 4, 2, (LinkKind.DIRECT, LinkKind.SWITCH)),
        ("310P3", 2, 1, (LinkKind.SYSTEM, LinkKind.SYSTEM)),
    ],
)
def test_links_follow_the_board(
    machine: Make, product: str, number: int, group: int, kinds: tuple[LinkKind, LinkKind]
) -> None:
    """Rings, boxes and modules; each chip has a path to each other one."""
    devices = machine(*[product] * number).discovery.devices()
    for device in devices:
        assert len(device.links) == number - 1
        for link in device.links:
            peer = next(one for one in devices if one.uuid == link.peer)
            assert link.kind is kinds[peer.index // group != device.index // group]


def test_a_sample_tells_what_the_chip_does(machine: Make) -> None:
    """Memory of the chip and of each program, use, temperature, power."""
    card = {"model": "910B3", "used": 3000, "processes": "41:100,42:28", "utilization": 73, "power": 1234}
    [sample] = machine(card).discovery.sample()
    assert sample.memory_used == 3128
    assert sample.processes == (Process(pid=41, memory=100), Process(pid=42, memory=28))
    assert (sample.utilization, sample.temperature, sample.power) == (73, 40, 123.4)


def test_memory_of_ddr_is_what_is_not_available(machine: Make) -> None:
    """310P is asked by another call, which tells what is left."""
    [sample] = machine({"model": "310P3", "used": 1527}).discovery.sample()
    assert sample.memory_used == 1527


def test_sensors_that_are_not_there_are_not_made_up(machine: Make) -> None:
    """None, and no 0."""
    [sample] = machine({"model": "910B3", "temperature": -1, "power": -1}).discovery.sample()
    assert sample.temperature is None
    assert sample.power is None


def test_a_driver_tells_its_versions(machine: Make) -> None:
    """By its library, or where that does not tell by the file of its package."""
    simulated = machine("910B3", version="24.1.rc2")
    assert simulated.discovery.driver().version == "24.1.rc2"
    assert simulated.discovery.driver().library.endswith("libdcmi.so")
    simulated.fail("dcmi_get_driver_version * fail -8255")
    simulated.root("usr/local/Ascend/driver/version.info").write_text("Version=23.0.3\nrelease=1\n")
    assert simulated.discovery.driver().version == "23.0.3"


def test_the_gated_template_is_asked_of_the_drivers_tool(machine: Make) -> None:
    """Only where it lists the name; other chips have no such question."""
    assert machine("910B2", vir03=True).device().model.mode == VIR03
    assert machine("910B2").device().model.mode == ""
    assert machine("910B3", vir03=True).device().model.mode == ""


def test_a_tool_that_is_not_there_opens_no_gate(machine: Make) -> None:
    """Then the templates of the vendor's documentation are had."""
    simulated = machine("910B2", vir03=True)
    simulated.root("usr/local/bin/npu-smi").unlink()
    assert simulated.device().model.mode == ""


def test_the_machine_says_how_it_is_split(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """By software where that is installed, unless the variable says otherwise, in both directions."""
    simulated = machine("910B3", soft=True)
    assert simulated.device().model.mode == SOFT
    monkeypatch.setenv("HETERO_ASCEND_MODE", "vnpu")
    assert simulated.device().model.mode == ""
    hard = machine("910B3")
    monkeypatch.setenv("HETERO_ASCEND_MODE", SOFT)
    assert hard.device().model.mode == SOFT


@pytest.mark.parametrize("call", ["dcmi_get_driver_version", "dcmi_get_dcmi_version"])
def test_a_version_that_is_no_text_is_an_error(machine: Make, call: str) -> None:
    """A library that writes nonsense as its version is not one to go by: it is told, and not shown as it is."""
    simulated = machine("910B3")
    simulated.discovery.driver()
    simulated.fail(f"{call} * garbage")
    with pytest.raises(DriverFailed, match=rf"{call} answered -2 \(it told '.*' as a version, which is no text\)"):
        simulated.discovery.driver()


def test_a_product_that_is_no_text_is_a_reason(machine: Make) -> None:
    """The chip is shown by what is known of it, and the nonsense as an escaped piece of the reason."""
    simulated = machine("910B3")
    simulated.fail("dcmi_get_device_chip_info_v2 * garbage")
    device = simulated.device()
    assert (device.model.name, device.health.ok) == ("unknown", False)
    assert "as the product, which is no text" in device.health.reason
    assert device.health.reason.isascii()


@pytest.mark.parametrize(
    "fault",
    [
        "dcmi_get_device_hbm_info * garbage",
        "dcmi_get_device_phyid_from_logicid * garbage",
        "dcmi_get_device_logic_id * garbage",
    ],
)
def test_nonsense_about_a_chip_is_a_reason(machine: Make, fault: str) -> None:
    """Sizes and numbers that cannot be make the chip unhealthy, and never a plan."""
    simulated = machine("910B3")
    assert simulated.device().health.ok
    simulated.fail(fault)
    device = simulated.device()
    assert not device.health.ok
    assert re.search(r"from 0 to|from 1 to", device.health.reason)


@pytest.mark.parametrize("fault", ["dcmi_get_device_hbm_info * garbage", "dcmi_get_device_chip_info_v2 * fail -8005"])
def test_a_chip_that_tells_its_identity_alone_is_shown(machine: Make, fault: str) -> None:
    """From the first look on: unhealthy with the reason, of no family, and all there once the driver is well."""
    simulated = machine("910B3")
    simulated.fail(fault)
    device = simulated.device()
    assert device.uuid
    assert not device.health.ok
    assert device.model.family == ""
    assert [sample.health.ok for sample in simulated.discovery.sample()] == [False]
    simulated.fail()
    assert simulated.device().health.ok
    assert simulated.device().model.family == "Ascend910B3"


@pytest.mark.parametrize("soft", [False, True])
def test_a_chip_without_an_identity_is_told_by_doctor(machine: Make, soft: bool) -> None:
    """It is in no list, so a finding names its place; one that tells another's identity as well."""
    simulated = machine("910B3", {"model": "910B3", "health": "lost"}, "910B3", soft=soft)
    assert [one.subject for one in simulated.enforcement.check() if not one.ok][:1] == ["card 1"]
    simulated.change(1, health="0", die=simulated.device(0).uuid)
    [bad] = [one for one in simulated.enforcement.check() if not one.ok]
    assert (bad.subject, bool(bad.advice)) == ("card 1", True)
    assert "another chip's" in bad.detail


@pytest.mark.parametrize("fault", ["dcmi_get_card_list * garbage", "dcmi_get_device_id_in_card * garbage"])
def test_nonsense_about_the_list_is_an_error(machine: Make, fault: str) -> None:
    """There is nothing to show then, and a sentence says why."""
    simulated = machine("910B3")
    simulated.fail(fault)
    with pytest.raises(DriverFailed, match="it told"):
        simulated.discovery.devices()


def test_an_older_name_of_a_call_is_used_where_there_is_no_other(machine: Make) -> None:
    """Old drivers list cards by another function, and describe chips by a shorter struct."""
    simulated = machine("910B3", "910B3")
    before = simulated.discovery.devices()
    simulated.fail("dcmi_get_card_list * fail -8255", "dcmi_get_device_chip_info_v2 * fail -8255")
    assert simulated.discovery.devices() == before


def test_processes_are_worth_less_than_the_rest(machine: Make) -> None:
    """A driver that cannot say who uses a chip still says how much is used."""
    simulated = machine({"model": "910B3", "used": 5})
    simulated.fail("dcmi_get_device_resource_info * garbage")
    [sample] = simulated.discovery.sample()
    assert sample.health.ok
    assert (sample.memory_used, sample.processes) == (5, ())


def test_a_driver_that_is_not_loaded_says_so(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is there, and the module is not."""
    simulated = machine("910B3")
    monkeypatch.delenv("HETERO_SIM_DCMI")
    with pytest.raises(DriverFailed, match=r"dcmi_init answered -8012 \(not ready\)"):
        simulated.discovery.devices()


def test_without_a_library_there_is_advice() -> None:
    """What to install, by the name of the file; in a process that has opened none before."""
    program = "from hetero_ascend import ascend; ascend.discovery.driver()"
    environment = {**os.environ, "HETERO_DRIVER_PATH": "", "LD_LIBRARY_PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert DriverMissing.__name__ in last
    assert re.search(r"libdcmi.so was not found: install the Ascend driver", last)


def test_a_die_of_zeros_is_no_identity(machine: Make) -> None:
    """Two such chips would be taken for one; each is left out, and doctor names it."""
    simulated = machine("910B3", "910B3")
    [first, _] = simulated.discovery.devices()
    simulated.change(1, die="00000000-00000000-00000000-00000000-00000000")
    fresh = DcmiDiscovery(Dcmi())
    assert [device.uuid for device in fresh.devices()] == [first.uuid]
    [finding] = [one for one in simulated.enforcement.check() if one.subject == "card 1"]
    assert (finding.ok, "0 as the identity" in finding.detail) == (False, True)


@pytest.mark.parametrize(
    "call",
    [
        "dcmi_get_device_pcie_info_v2",
        "dcmi_get_device_errorcode_v2",
        "dcmi_get_device_resource_info",
        "dcmi_get_affinity_cpu_info_by_device_id",
        "dcmi_get_device_utilization_rate",
        "dcmi_get_device_power_info",
        "dcmi_get_device_temperature",
    ],
)
def test_what_a_driver_does_not_tell_is_not_held_against_the_chip(machine: Make, call: str) -> None:
    """Older drivers have less to say: the chip is there, well, and can be given."""
    simulated = machine("910B3")
    whole = simulated.device()
    simulated.fail(f"{call} * fail -8255")
    device = simulated.device()
    assert (device.uuid, device.model, device.health, device.paths) == (whole.uuid, whole.model, Health(), whole.paths)
    [sample] = simulated.discovery.sample()
    assert sample.health == Health()


def test_utilization_is_of_the_cores_or_of_the_whole_chip_or_unknown(machine: Make) -> None:
    """The second question is asked where the first has no answer; of nonsense nothing is believed."""
    simulated = machine("910B3")
    simulated.fail("dcmi_get_device_utilization_rate * garbage")
    [sample] = simulated.discovery.sample()
    assert sample.utilization == -1
    simulated.fail("dcmi_get_device_utilization_rate 1 fail -8255")
    [sample] = simulated.discovery.sample()
    assert 0 <= sample.utilization <= 100


def test_without_any_version_there_is_none(machine: Make) -> None:
    """Neither the library nor the file of the driver's package tells one: that is no reason to fail."""
    simulated = machine("910B3")
    simulated.fail("dcmi_get_driver_version * fail -8255", "dcmi_get_dcmi_version * fail -8255")
    simulated.root("usr/local/Ascend/driver/version.info").unlink(missing_ok=True)
    driver = simulated.discovery.driver()
    assert (driver.version, driver.api) == ("", "")
