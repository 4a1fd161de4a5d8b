"""What a program finds around it, and what ``hetero doctor`` says of the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hetero_hygon import hygon
from hetero_hygon.splitting import dcu_model

from hetero.errors import DriverFailed, EnforcementError
from hetero.model.allocation import ContainerEdits, Grant, Mount, Slice
from hetero.model.device import Device
from hetero.model.share import Share

Make = Callable[..., Any]
K100 = {"model": "K100_AI", "memory": 65520}
Z100 = {"model": "Z100L", "memory": 32752}
DRIVER = Mount(host_path="/opt/hyhal", container_path="/opt/hyhal")


@pytest.mark.parametrize("count", range(1, 9))
def test_whole_cards_are_their_device_files(machine: Make, count: int) -> None:
    """Those of just these cards, the common ones once, the driver's files, and no vDCU."""
    found = machine(*[K100] * 8)
    cards = tuple(range(8 - count, 8))
    edits = found.enforcement.prepare(found.slice_of("a", *cards, cores=100))
    own = [path for card in cards for path in (f"/dev/dri/card{card + 1}", f"/dev/dri/renderD{128 + card}")]
    assert edits == ContainerEdits(
        env={"HCU_VISIBLE_DEVICES": "void"},
        mounts=(DRIVER,),
        device_nodes=("/dev/kfd", "/dev/mkfd", *own),
    )
    assert found.vdevs() == {}


def test_a_part_has_the_description_of_its_vdcu_as_well(machine: Make) -> None:
    """As a directory of its own below the slice's, which the driver finds at its place in the container."""
    found = machine()
    held = found.slice_of("a", 1, memory=2000, cores=33)
    edits = found.enforcement.prepare(held)
    assert edits.device_nodes == ("/dev/kfd", "/dev/mkfd", "/dev/dri/card2", "/dev/dri/renderD129")
    assert edits.mounts == (DRIVER, Mount(host_path=f"{held.directory}/vdev", container_path="/etc/vdev/docker"))
    assert all(mount.read_only for mount in edits.mounts)


def test_each_container_has_what_is_its_own(machine: Make) -> None:
    """Today's plugin answers for all containers of a pod with one object: the last one's limits are everybody's."""
    found = machine()
    one = found.enforcement.prepare(found.slice_of("a", 0, memory=2000, cores=10))
    two = found.enforcement.prepare(found.slice_of("b", 0, memory=4000, cores=20))
    assert one.mounts[-1] != two.mounts[-1]
    assert [path.read_text().split("mem: ")[1][:4] for path in sorted(found.directory.glob("?/vdev/*.conf"))] == [
        "2000",
        "4000",
    ]


def test_compute_alone_is_kept_to(machine: Make) -> None:
    """Today's plugin writes no file for it, so that the program has the card."""
    found = machine()
    found.enforcement.prepare(found.slice_of("a", 0, cores=30))
    [text] = found.vdevs().values()
    assert "cu_count: 36\nmem: 65520 MiB\n" in text


def test_memory_is_that_of_the_card_itself(machine: Make) -> None:
    """Today's plugin takes every card to be as large as card 0."""
    found = machine(K100, Z100)
    found.enforcement.prepare(found.slice_of("a", 1, cores=50))
    [text] = found.vdevs().values()
    assert "PciBusId: 0000:34:00.0\n" in text
    assert "cu_count: 30\nmem: 32752 MiB\n" in text


def test_a_driver_without_files_of_its_own_is_mounted_nowhere(machine: Make) -> None:
    """An image may bring the libraries."""
    found = machine()
    found.path("/opt/hyhal").rmdir()
    assert found.enforcement.prepare(found.slice_of("a", 0, cores=100)).mounts == ()


def test_a_part_beside_other_cards_is_refused(machine: Make) -> None:
    """Splitting gives no such shares; should they come, no limit is forgotten."""
    found = machine()
    one, two = found.slice_of("a", 0, memory=2000, cores=10), found.slice_of("b", 1, cores=100)
    both = msgspec.structs.replace(one, grants=one.grants + two.grants)
    with pytest.raises(EnforcementError, match="one vDCU at most"):
        found.enforcement.prepare(both)
    assert found.vdevs() == {}


def test_a_card_that_is_not_here_is_named(machine: Make) -> None:
    """Pulled out, or another machine's."""
    found = machine()
    held = found.slice_of("a", 0, memory=2000, cores=10)
    gone = msgspec.structs.replace(held.grants[0].device, uuid="DCU-GONE")
    elsewhere = msgspec.structs.replace(held, grants=(msgspec.structs.replace(held.grants[0], device=gone),))
    with pytest.raises(DriverFailed, match="no card of this machine is DCU-GONE"):
        found.enforcement.prepare(elsewhere)


def test_whole_cards_need_no_library(tmp_path: Any) -> None:
    """The device says all; nothing is opened."""
    device = Device(uuid="DCU-1", index=0, model=dcu_model("K100", 65520, 120), paths=("/dev/kfd", "/dev/dri/card9"))
    grant = Grant(device=device, share=Share(quantities=dict(device.model.capacity)))
    held = Slice(id="a", grants=(grant,), directory=str(tmp_path))
    assert hygon.enforcement.prepare(held).device_nodes == ("/dev/kfd", "/dev/dri/card9")
    hygon.enforcement.release(held)


def findings(found: Any) -> dict[str, tuple[bool, str]]:
    """Subject to whether it is well, and what to do."""
    return {one.subject: (one.ok, one.advice) for one in found.enforcement.check()}


def test_a_good_machine_is_said_to_be_good(machine: Make) -> None:
    """Library, device files, rights, vDCUs."""
    found = findings(machine())
    assert list(found) == ["libhydmi", "/dev/kfd", "/dev/mkfd", "rights", "vDCUs"]
    assert all(ok and not advice for subject, (ok, advice) in found.items() if subject != "rights")


def test_what_is_wrong_comes_with_what_to_do(machine: Make) -> None:
    """Device files that are not there, descriptions that are not understood, a library that does not work."""
    found = machine()
    found.path("/dev/kfd").unlink()
    found.path("/etc/vdev/vdev7.conf").write_text("?")
    found.fault("dmiGetMaxVDeviceCount * fail 22")
    said = findings(found)
    assert said["/dev/kfd"] == (False, "load the driver's kernel modules")
    assert "vdev<N>.conf" in said["vDCUs"][1]
    assert said["libhydmi"] == (False, "without it cards can only be given whole")


def test_a_library_that_takes_itself_to_be_in_a_container_is_told(machine: Make) -> None:
    """It says that it makes no vDCUs, and nothing else would explain why cards are whole."""
    assert "container" in findings(machine(container=True))["libhydmi"][1]


def test_a_machine_without_cards_is_not_complained_about(machine: Make) -> None:
    """No driver, or AMD's, whose library has the same name: nothing needs to be done."""
    found = machine()
    assert found.elsewhere("check", HETERO_DRIVER_PATH="") == [[]]
    for vendor in found.path("/sys/bus/pci/devices").glob("*/vendor"):
        vendor.write_text("0x1002\n")
    assert findings(found) == {}


def test_a_driver_that_does_not_work_is_looked_into(machine: Make) -> None:
    """Whose cards they are cannot be told then."""
    found = machine()
    found.fault("rsmi_num_monitor_devices * fail 6")
    assert len(findings(found)) == 5


def test_a_card_that_tells_no_identity_is_a_finding(machine: Make) -> None:
    """It is in no list of devices, so this is where people hear of it."""
    found = machine()
    found.change("health", "lost", card=1)
    said = findings(found)
    assert said["card 1"][0] is False
    assert "card 0" not in said
    assert len(found.devices()) == 1


def test_users_are_told_what_takes_root(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole cards do not."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert findings(machine())["rights"] == (False, "vDCUs are made by root; whole cards need no rights")
