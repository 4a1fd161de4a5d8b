"""Slices of this machine made real: directory, record, lock, region, and what the vendor adds; or nothing at all."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hetero.allocation import local
from hetero.allocation.environment import merged
from hetero.allocation.local import Prepared, Program
from hetero.enforcement import region
from hetero.enforcement.slices import SliceStore
from hetero.errors import DriverFailed, EnforcementError, RegionError
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.placement import DeviceShare
from hetero.model.quantity import MIB
from hetero.model.share import Share
from hetero.testing.fake import FakeEnforcement, fake_device, fake_vendor
from hetero.vendor import Vendor

PROGRAM = Program(("train", "--fast"), 1)
DEVICES = {
    device.uuid: device for name in ("fake", "limits") for device in (fake_device(i, vendor=name) for i in (0, 1))
}

Make = Callable[..., Prepared]


class Enforcement(FakeEnforcement):
    """Sees what there is when a slice is prepared, and fails when it is told."""

    def __init__(self, name: str, *, region: bool = False) -> None:
        super().__init__(name, region=region)
        self.failure: Exception | None = None
        self.seen: list[list[str]] = []

    def prepare(self, held: Slice) -> ContainerEdits:
        self.seen.append(sorted(path.name for path in Path(held.directory).iterdir()))
        if self.failure is not None:
            raise self.failure
        return super().prepare(held)


def _enforcement(vendor: Vendor) -> Enforcement:
    assert isinstance(vendor.enforcement, Enforcement)
    return vendor.enforcement


def _share(device: str, memory: int = 1024, cores: int = 0) -> DeviceShare:
    quantities = {"slots": 1, "memory": memory, "cores": cores}
    return DeviceShare(vendor=device.split("-", maxsplit=1)[0], device=device, share=Share(quantities=quantities))


@pytest.fixture
def vendors() -> Mapping[str, Vendor]:
    """``fake`` enforces in its own way, ``limits`` by a region."""
    return {
        name: replace(fake_vendor(name), enforcement=Enforcement(name, region=name == "limits"))
        for name in ("fake", "limits")
    }


@pytest.fixture
def store(tmp_path: Path, vendors: Mapping[str, Vendor]) -> SliceStore:
    """The slices of this machine."""
    return local.store(tmp_path / "store", vendors)


@pytest.fixture
def prepare(store: SliceStore, vendors: Mapping[str, Vendor]) -> Make:
    """``prepare("fake-0")`` makes a slice of that device."""

    def make(*shares: DeviceShare | str) -> Prepared:
        given = [_share(one) if isinstance(one, str) else one for one in shares]
        with store.locked():
            return local.prepare(store, vendors, given, DEVICES, PROGRAM)

    return make


def _directories(store: SliceStore) -> list[Path]:
    return sorted((store.directory / "slices").iterdir())


# What is made


def test_a_slice_is_stored_held_and_handed_to_its_vendor(store: SliceStore, prepare: Make) -> None:
    """Record, lock and edits belong to one slice, and the record says who runs what on which device."""
    prepared = prepare("fake-0")
    [one] = prepared.slices
    assert store.live() == prepared.slices
    assert (one.vendor, one.command, one.held.priority) == ("fake", ("train", "--fast"), 1)
    assert one.held.id.startswith("fake-")
    assert [(grant.device.uuid, grant.share.memory) for grant in one.held.grants] == [("fake-0", 1024)]
    assert prepared.edits == (ContainerEdits(env={"FAKE_DEVICES": "fake-0", "FAKE_MEMORY": "1024"}),)
    prepared.close()
    assert store.live() == ()


def test_a_slice_has_a_directory_of_its_own(store: SliceStore, prepare: Make) -> None:
    """For this user alone, named after the slice, and told to the vendor."""
    prepared = prepare("fake-0")
    [directory] = _directories(store)
    assert prepared.slices[0].held.directory == str(directory)
    assert directory.name == prepared.slices[0].held.id
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    prepared.close()


def test_a_vendor_with_a_region_gets_one_with_the_limits(prepare: Make) -> None:
    """Bytes and percent of each device, in the order of the slice, under the slice's id."""
    prepared = prepare(_share("limits-1", 2048, 30), _share("limits-0", 512))
    [one] = prepared.slices
    assert one.held.region == f"{one.held.directory}/region"
    state = region.read(Path(one.held.region))
    assert state.slice_id == one.held.id
    assert [(device.uuid, device.memory_limit // MIB, device.core_limit) for device in state.devices] == [
        ("limits-1", 2048, 30),
        ("limits-0", 512, 0),
    ]
    prepared.close()


def test_a_vendor_without_a_region_gets_none(prepare: Make) -> None:
    """Neither a file nor a path that would have to be mounted."""
    prepared = prepare("fake-0")
    assert prepared.slices[0].held.region == ""
    assert not Path(prepared.slices[0].held.directory, "region").exists()
    prepared.close()


@pytest.mark.parametrize(
    ("device", "files"), [("fake-0", ["lock", "slice.json"]), ("limits-0", ["lock", "region", "slice.json"])]
)
def test_all_is_there_when_the_vendor_is_asked(
    prepare: Make, vendors: Mapping[str, Vendor], device: str, files: list[str]
) -> None:
    """Stored first: after a death in the vendor's hands the record is there by which it can release."""
    prepared = prepare(device)
    assert _enforcement(vendors[device.split("-", maxsplit=1)[0]]).seen == [files]
    prepared.close()


def test_devices_of_one_vendor_are_one_slice(prepare: Make) -> None:
    """In the order of the placement, which is the order that the program sees."""
    prepared = prepare("fake-1", "fake-0")
    assert [[grant.device.uuid for grant in one.held.grants] for one in prepared.slices] == [["fake-1", "fake-0"]]
    prepared.close()


def test_each_vendor_of_a_command_has_a_slice(store: SliceStore, prepare: Make) -> None:
    """In the order in which the vendors come first, with holds and edits in the same order."""
    prepared = prepare("limits-0", "fake-0", "limits-1")
    assert [one.vendor for one in prepared.slices] == ["limits", "fake"]
    assert [list(edits.env) for edits in prepared.edits] == [
        ["LIMITS_DEVICES", "LIMITS_MEMORY"],
        ["FAKE_DEVICES", "FAKE_MEMORY"],
    ]
    assert len({hold.descriptor for hold in prepared.holds}) == 2
    assert {one.held.id for one in store.live()} == {one.held.id for one in prepared.slices}
    prepared.holds[0].close()
    assert [one.vendor for one in store.live()] == ["fake"]
    prepared.holds[1].close()


def test_the_edits_of_all_vendors_become_one_environment(prepare: Make) -> None:
    """The program of two vendors is told about both."""
    prepared = prepare("limits-0", "fake-1")
    assert merged(prepared.edits).env == {
        "LIMITS_DEVICES": "limits-0",
        "LIMITS_MEMORY": "1024",
        "FAKE_DEVICES": "fake-1",
        "FAKE_MEMORY": "1024",
    }
    prepared.close()


def test_a_command_without_devices_has_no_slice(store: SliceStore, prepare: Make) -> None:
    """It runs as it would without hetero."""
    prepared = prepare()
    assert (prepared.slices, prepared.holds, prepared.edits) == ((), (), ())
    assert store.live() == ()


@pytest.mark.parametrize(
    ("word", "kept"), [("café", "café"), ("a\nb", "a\nb"), ("caf\udce9", r"caf\udce9"), ("\ud800", r"\ud800"), ("", "")]
)
def test_a_word_of_any_bytes_can_be_run_in_a_slice(
    store: SliceStore, vendors: Mapping[str, Vendor], word: str, kept: str
) -> None:
    """File names need not be UTF-8; the record shows such bytes as escapes, and is readable."""
    with store.locked():
        prepared = local.prepare(store, vendors, [_share("fake-0")], DEVICES, Program(("ls", word)))
    assert [one.command for one in store.live()] == [("ls", kept)]
    assert store.live() == prepared.slices
    prepared.close()


def test_two_slices_of_the_same_share_are_two(store: SliceStore, prepare: Make) -> None:
    """Ids are never used twice, so neither are directories and regions."""
    both = [prepare("limits-0") for _ in range(2)]
    assert len(_directories(store)) == 2
    assert len({one.slices[0].held.region for one in both}) == 2
    for one in both:
        one.close()


def test_the_time_of_the_start_is_kept(prepare: Make) -> None:
    """Two slices can be put in order."""
    first, second = prepare("fake-0"), prepare("fake-0")
    assert 0 < first.slices[0].created_ns <= second.slices[0].created_ns
    first.close()
    second.close()


# What fails leaves nothing alive


@pytest.mark.parametrize("failure", [EnforcementError("no"), DriverFailed("open", 3, "busy"), RuntimeError("a defect")])
@pytest.mark.parametrize("devices", [("fake-0",), ("limits-0", "fake-0"), ("limits-0", "limits-1", "fake-0")])
def test_a_vendor_that_fails_half_way_leaves_nothing_alive(
    store: SliceStore, prepare: Make, vendors: Mapping[str, Vendor], failure: Exception, devices: tuple[str, ...]
) -> None:
    """The failure is told as it is; slices made before it are let go, and the next look releases and removes all."""
    _enforcement(vendors["fake"]).failure = failure
    with pytest.raises(type(failure)) as caught:
        prepare(*devices)
    assert caught.value is failure
    made = [path.name for path in _directories(store)]
    assert len(made) == len({name.split("-", maxsplit=1)[0] for name in devices})
    with store.locked():
        assert store.live() == ()
    assert _directories(store) == []
    released = [name for vendor in vendors.values() for name in _enforcement(vendor).released]
    assert sorted(released) == sorted(made)


def test_limits_that_no_region_can_hold_leave_nothing_alive(
    store: SliceStore, prepare: Make, vendors: Mapping[str, Vendor]
) -> None:
    """The vendor is not asked for a slice that has no limits."""
    with pytest.raises(RegionError, match="at most 16 devices"):
        prepare(*["limits-0"] * 17)
    assert _enforcement(vendors["limits"]).seen == []
    assert store.live() == ()
    assert _directories(store) == []


def test_a_file_system_that_refuses_is_an_enforcement_error(store: SliceStore, vendors: Mapping[str, Vendor]) -> None:
    """One sentence with the directory, as the documentation of ``prepare`` promises."""
    with store.locked():
        (store.directory / "slices").rmdir()
        (store.directory / "slices").touch()
        with pytest.raises(EnforcementError, match="cannot be kept there"):
            local.prepare(store, vendors, [_share("fake-0")], DEVICES, PROGRAM)


def test_slices_made_before_a_failed_one_stay(store: SliceStore, prepare: Make, vendors: Mapping[str, Vendor]) -> None:
    """Another program's slice has nothing to do with the failure."""
    first = prepare("fake-0")
    _enforcement(vendors["fake"]).failure = EnforcementError("no")
    with pytest.raises(EnforcementError):
        prepare("fake-1")
    assert store.live() == first.slices
    first.close()


# What is over is released by its vendor


def test_a_slice_that_is_over_is_released_by_its_own_vendor(
    store: SliceStore, prepare: Make, vendors: Mapping[str, Vendor]
) -> None:
    """Each vendor undoes its own."""
    prepared = prepare("fake-0", "limits-0")
    prepared.close()
    assert store.live() == ()
    assert _enforcement(vendors["fake"]).released == [prepared.slices[0].held.id]
    assert _enforcement(vendors["limits"]).released == [prepared.slices[1].held.id]


def test_a_slice_of_a_vendor_that_is_gone_waits_for_it(
    store: SliceStore, prepare: Make, vendors: Mapping[str, Vendor]
) -> None:
    """The log names the vendor; installed again, it releases its slice."""
    prepared = prepare("fake-0")
    prepared.close()
    with capture_logs() as lines:
        assert local.store(store.directory, {"limits": vendors["limits"]}).live() == ()
    assert [line["reason"] for line in lines] == ["vendor 'fake' is not installed any more"]
    assert store.live() == ()
    assert _enforcement(vendors["fake"]).released == [prepared.slices[0].held.id]
    assert _directories(store) == []
