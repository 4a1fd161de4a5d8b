"""What a program finds around it: vNPUs, whole chips, limits by software."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hetero_ascend import journal
from hetero_ascend.dcmi import Address, Dcmi
from hetero_ascend.enforcement import NpuEnforcement
from hetero_ascend.vnpu import Vnpus

from hetero.errors import DriverMissing, EnforcementError
from hetero.model.allocation import DeviceNode, Slice
from hetero.vendor import Finding

Make = Callable[..., Any]
SHARED = ("/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc", "/dev/dvpp_cmdlist")


def test_a_vnpu_is_made_and_given(machine: Make, slice_of: Make) -> None:
    """Its node by the name that programs look for, and by no other; the container runtime is told to make none."""
    simulated = machine("910B3", "910B3")
    edits = simulated.enforcement.prepare(slice_of(simulated.grant(1, memory=16384)))
    [number] = simulated.vnpus()
    assert 116 <= number <= 131
    assert edits.env == {"ASCEND_VISIBLE_DEVICES": str(number), "ASCEND_RUNTIME_OPTIONS": "VIRTUAL"}
    renamed = DeviceNode(host_path=f"/dev/vdavinci{number}", container_path=f"/dev/davinci{number}")
    assert edits.device_nodes == (renamed, *SHARED)
    assert not [mount for mount in edits.mounts if mount.host_path.startswith("/dev/")]


def test_the_vnpu_is_of_the_template_that_was_charged(machine: Make, slice_of: Make) -> None:
    """The driver has it by the name of the share."""
    simulated = machine("910B4")
    simulated.enforcement.prepare(slice_of(simulated.grant(template="vir10_4c_16g_m")))
    info = Vnpus(Dcmi()).one(Address(0, 0), simulated.vnpus()[0])
    assert info is not None
    assert info.name == b"vir10_4c_16g_m"
    assert info.computing.device_aicpu == 4


def test_release_destroys_it_and_no_other(machine: Make, slice_of: Make) -> None:
    """Once, twice, and for slices that were never prepared."""
    simulated = machine("910B3")
    one, other = (slice_of(simulated.grant(memory=1), name=name) for name in ("a", "b"))
    simulated.enforcement.release(one)
    simulated.enforcement.prepare(one)
    first = simulated.vnpus()
    simulated.enforcement.prepare(other)
    simulated.enforcement.release(other)
    simulated.enforcement.release(other)
    assert simulated.vnpus() == first
    simulated.enforcement.release(one)
    assert simulated.vnpus() == []


def test_two_containers_on_one_chip_each_get_their_own_template(machine: Make, slice_of: Make) -> None:
    """A plugin that looks templates up by chip gives both the last one."""
    simulated = machine("910B3")
    small, large = slice_of(simulated.grant(memory=16384), name="a"), slice_of(simulated.grant(memory=32768), name="b")
    numbers = [int(simulated.enforcement.prepare(held).env["ASCEND_VISIBLE_DEVICES"]) for held in (small, large)]
    names = [Vnpus(Dcmi()).one(Address(0, 0), number).name for number in numbers]  # type: ignore[union-attr]
    assert names == [b"vir05_1c_16g", b"vir10_3c_32g"]


def test_a_whole_chip_is_its_node(machine: Make, slice_of: Make) -> None:
    """By physical id, several in the order of the slice; nothing is made."""
    simulated = machine(*({"model": "910B3", "phy": phy} for phy in (4, 5)))
    edits = simulated.enforcement.prepare(slice_of(simulated.grant(1, cores=100), simulated.grant(0, cores=100)))
    assert edits.env == {"ASCEND_VISIBLE_DEVICES": "5,4"}
    assert edits.device_nodes == ("/dev/davinci5", *SHARED, "/dev/davinci4")
    assert simulated.vnpus() == []
    assert not simulated.root("run").exists()


def test_the_drivers_files_come_along(machine: Make, slice_of: Make) -> None:
    """Those that this machine has, by the names that they have there."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(cores=100))
    edits = simulated.enforcement.prepare(held)
    assert [mount.host_path for mount in edits.mounts] == [
        "/usr/local/Ascend/driver/lib64",
        "/usr/local/Ascend/driver/include",
        "/usr/local/Ascend/driver/version.info",
        "/usr/local/dcmi",
        "/usr/local/bin/npu-smi",
        "/etc/ascend_install.info",
        "/var/queue_schedule",
    ]
    assert [mount.host_path for mount in edits.mounts if not mount.read_only] == ["/var/queue_schedule"]
    assert edits.library_path == tuple(f"/usr/local/Ascend/driver/lib64/{part}" for part in ("common", "driver"))
    simulated.root("etc/ascend_install.info").unlink()
    assert "/etc/ascend_install.info" not in {one.host_path for one in simulated.enforcement.prepare(held).mounts}


def test_the_container_runtime_is_told_instead(machine: Make, slice_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The template by name and the chip by physical id; it makes the vNPU, and nobody else does."""
    monkeypatch.setenv("HETERO_ASCEND_VNPU", "runtime")
    simulated = machine({"model": "910B3", "phy": 6})
    edits = simulated.enforcement.prepare(slice_of(simulated.grant(memory=16384)))
    assert edits.env == {"ASCEND_VISIBLE_DEVICES": "6", "ASCEND_VNPU_SPECS": "vir05_1c_16g"}
    assert (edits.device_nodes, edits.mounts, simulated.vnpus()) == ((), (), [])
    whole = simulated.enforcement.prepare(slice_of(simulated.grant(cores=100)))
    assert whole.env == {"ASCEND_VISIBLE_DEVICES": "6"}


def test_the_container_runtime_makes_one(machine: Make, slice_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one is refused with the way out, where it would make the first alone."""
    monkeypatch.setenv("HETERO_ASCEND_VNPU", "runtime")
    simulated = machine("910B3", "910B4")
    with pytest.raises(EnforcementError, match="HETERO_ASCEND_VNPU=hetero"):
        simulated.enforcement.prepare(slice_of(simulated.grant(0, memory=1), simulated.grant(1, memory=1)))


def test_vnpus_of_two_kinds_of_chips_go_together(machine: Make, slice_of: Make) -> None:
    """A container that asks of two families gets both; with a whole chip it gets none, as the names would clash."""
    simulated = machine("910B3", "910B4")
    edits = simulated.enforcement.prepare(slice_of(simulated.grant(0, memory=1), simulated.grant(1, memory=1)))
    assert edits.env["ASCEND_VISIBLE_DEVICES"] == ",".join(map(str, simulated.vnpus()))
    with pytest.raises(EnforcementError, match="two containers"):
        simulated.enforcement.prepare(
            slice_of(simulated.grant(0, memory=1), simulated.grant(1, cores=100), name="mixed")
        )


def test_software_limits_are_told(machine: Make, slice_of: Make) -> None:
    """Memory and cores of the share, the registry of the chip, and a directory of the container's own."""
    simulated = machine({"model": "910B3", "phy": 3}, soft=True)
    held = slice_of(simulated.grant(memory=5000, cores=30))
    edits = simulated.enforcement.prepare(held)
    assert edits.env == {
        "ASCEND_VISIBLE_DEVICES": "3",
        "NPU_MEM_QUOTA": "5000",
        "NPU_PRIORITY": "30",
        "NPU_GLOBAL_SHM_PATH": "/hami-shared-region/3_global_registry",
        "NPU_LOCAL_SHM_PATH": "/hami-vnpu-shmem/vnpu_local_shmem",
    }
    assert edits.preload == (str(simulated.root("usr/local/hami-vnpu-core/libvnpu.so")),)
    own = edits.mounts[-1]
    assert Path(own.host_path).parent == Path(held.directory)
    assert (own.container_path, own.read_only) == ("/hami-vnpu-shmem", False)
    assert Path(own.host_path).stat().st_mode & 0o777 == 0o777
    assert "/dev/davinci3" in edits.device_nodes


def test_no_limit_of_cores_is_all_of_them(machine: Make, slice_of: Make) -> None:
    """0 asks for no limit, and the library's word for that is 100."""
    simulated = machine("910B3", soft=True)
    assert simulated.enforcement.prepare(slice_of(simulated.grant(memory=1))).env["NPU_PRIORITY"] == "100"


def test_each_of_several_chips_has_the_limit(machine: Make, slice_of: Make) -> None:
    """The library keeps one for all, so shares that are alike are kept on each chip, and others are refused."""
    simulated = machine("910B3", "910B3", soft=True)
    alike = [simulated.grant(index, memory=5000, cores=30, count=2) for index in (0, 1)]
    env = simulated.enforcement.prepare(slice_of(*alike)).env
    assert (env["NPU_MEM_QUOTA"], env["ASCEND_VISIBLE_DEVICES"]) == ("5000", "0,1")
    with pytest.raises(EnforcementError, match="5000 MiB and 30 percent, 6000 MiB and 30 percent"):
        simulated.enforcement.prepare(slice_of(alike[0], simulated.grant(1, memory=6000, cores=30), name="other"))


def test_a_whole_chip_has_no_limits_on_a_soft_machine(machine: Make, slice_of: Make) -> None:
    """Nothing stands between the program and the driver."""
    simulated = machine("910B3", soft=True)
    edits = simulated.enforcement.prepare(slice_of(simulated.grant(cores=100)))
    assert edits.env == {"ASCEND_VISIBLE_DEVICES": "0"}
    assert edits.preload == ()


def test_software_that_is_not_there_is_refused(machine: Make, slice_of: Make) -> None:
    """With the file, and both ways out; doctor says the same."""
    simulated = machine("910B3", soft=True)
    held = slice_of(simulated.grant(memory=1))
    simulated.root("usr/local/hami-vnpu-core/libvnpu.so").unlink()
    with pytest.raises(EnforcementError, match=r"libvnpu.so is not there; install hami-vnpu-core, or set"):
        simulated.enforcement.prepare(held)
    [finding] = simulated.enforcement.check()
    assert not finding.ok
    assert "libvnpu.so" in finding.detail


def test_doctor_says_nothing_of_chips_where_there_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the machines of other vendors it would be a finding about nothing; that there is none is said already."""

    def missing(_: Dcmi) -> list[Address]:
        raise DriverMissing("libdcmi.so", "install the driver")

    monkeypatch.setattr(Dcmi, "chips", missing)
    assert list(NpuEnforcement().check()) == []


def test_doctor_tells_of_vnpus_that_are_not_ours(machine: Make, slice_of: Make) -> None:
    """Ours are none of its business; strangers take room that nobody has counted."""
    simulated = machine("910B3")
    simulated.enforcement.prepare(slice_of(simulated.grant(memory=1)))
    [fine] = simulated.enforcement.check()
    assert fine == Finding(subject="splitting", ok=True, detail="by vNPUs, which hetero makes")
    Vnpus(Dcmi()).make(Address(0, 0), 100, "vir05_1c_16g")
    _, strange = simulated.enforcement.check()
    assert not strange.ok
    assert "100" in strange.detail
    assert "115" not in strange.detail


def test_a_chip_without_room_is_told_with_who_has_it(machine: Make, slice_of: Make) -> None:
    """The driver's code alone would help nobody."""
    simulated = machine("910B3")
    for number in (100, 101):
        Vnpus(Dcmi()).make(Address(0, 0), number, "vir10_3c_32g")
    with pytest.raises(
        EnforcementError, match=r"vir05_1c_16g cannot be made .*-8020 \(occupied\); vNPUs there: 100, 101"
    ):
        simulated.enforcement.prepare(slice_of(simulated.grant(memory=1)))


def test_a_chip_that_is_gone_is_named(machine: Make, slice_of: Make) -> None:
    """The slice was planned for it, and the driver has it no more."""
    simulated = machine("910B3", "910B3")
    grant = simulated.grant(1, memory=1)
    simulated.change(1, health="lost")
    with pytest.raises(EnforcementError, match=grant.device.uuid):
        simulated.enforcement.prepare(slice_of(grant))


def test_the_book_is_for_root_alone(machine: Make, slice_of: Make) -> None:
    """Its directory is made on demand."""
    simulated = machine("910B3")
    simulated.enforcement.prepare(slice_of(simulated.grant(memory=1)))
    assert simulated.root("run/hetero/ascend").stat().st_mode & 0o777 == 0o700


def test_a_book_that_cannot_be_read_says_what_to_do(machine: Make, slice_of: Make) -> None:
    """Guessing whose a vNPU is could destroy a running one."""
    simulated = machine("910B3")
    held: Slice = slice_of(simulated.grant(memory=1))
    simulated.enforcement.prepare(held)
    simulated.root("run/hetero/ascend/vnpus.json").write_text("[{")
    for action in (simulated.enforcement.prepare, simulated.enforcement.release):
        with pytest.raises(EnforcementError, match="remove it"):
            action(held)
    assert len(simulated.vnpus()) == 1


def test_numbers_in_the_book_are_ours(machine: Make, slice_of: Make) -> None:
    """Read without the lock, by whoever only looks."""
    simulated = machine("910B3")
    assert journal.numbers() == set()
    simulated.enforcement.prepare(slice_of(simulated.grant(memory=1)))
    assert journal.numbers() == set(simulated.vnpus())
    entries = msgspec.json.decode(simulated.root("run/hetero/ascend/vnpus.json").read_bytes(), type=list[journal.Entry])
    assert [(entry.slice, entry.position, entry.made) for entry in entries] == [("s", 0, True)]
    assert not simulated.root("run/hetero/ascend/vnpus.new").exists()


def test_a_vnpu_that_was_destroyed_by_hand_is_released(machine: Make, slice_of: Make) -> None:
    """What is gone needs no undoing, and the book forgets it; nothing of others is touched."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=16384))
    simulated.enforcement.prepare(held)
    [number] = simulated.vnpus()
    Vnpus(Dcmi()).make(Address(0, 0), 100, "vir05_1c_16g")
    Vnpus(Dcmi()).destroy(Address(0, 0), number)
    Vnpus(Dcmi()).destroy(Address(0, 0), number)
    simulated.enforcement.release(held)
    assert simulated.vnpus() == [100]
    assert journal.numbers() == set()


def test_a_driver_that_will_not_destroy_is_told_and_tried_again(machine: Make, slice_of: Make) -> None:
    """The book keeps the vNPU until it is gone."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=16384))
    simulated.enforcement.prepare(held)
    [number] = simulated.vnpus()
    simulated.fail("dcmi_set_destroy_vdevice * fail -8020")
    with pytest.raises(EnforcementError, match=f"vNPU {number} cannot be destroyed: .*its container must end first"):
        simulated.enforcement.release(held)
    assert journal.numbers() == {number}
    simulated.fail()
    simulated.enforcement.release(held)
    assert (simulated.vnpus(), journal.numbers()) == ([], set())


def test_a_book_that_cannot_be_opened_stops_before_the_driver(machine: Make, slice_of: Make) -> None:
    """Without it nobody would know whose a vNPU is, so none is made."""
    simulated = machine("910B3")
    simulated.root("run/hetero/ascend/vnpus.json").mkdir(parents=True)
    with pytest.raises(EnforcementError, match="Is a directory; vNPUs are made by root alone"):
        simulated.enforcement.prepare(slice_of(simulated.grant(memory=16384)))
    assert simulated.vnpus() == []
