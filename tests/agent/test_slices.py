"""Slices of containers: made, made again, undone; and what is left when the agent dies in between."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from hetero.agent.libraries import Libraries
from hetero.agent.records import Records, identity
from hetero.agent.shares import Shares, Wanted
from hetero.agent.slices import LIMITS_INSIDE, REGION_INSIDE, Slices
from hetero.enforcement import region
from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits, Mount, Slice
from hetero.testing.fake import FakeEnforcement, fake_device, fake_vendor
from hetero.vendor import Vendor


class Preloading(FakeEnforcement):
    """Limits by a library of the image; fails when it is told to."""

    def __init__(self, library: Path | None, *, region: bool = True) -> None:
        super().__init__("fake", region=region)
        self.library = library
        self.fails = ""
        self.prepared: list[Slice] = []

    def prepare(self, held: Slice) -> ContainerEdits:
        self.prepared.append(held)
        if self.fails:
            raise EnforcementError(self.fails)
        made = super().prepare(held)
        preload = (str(self.library),) if self.library else ()
        return ContainerEdits(env=made.env, preload=preload, device_nodes=("/dev/null",))

    def release(self, held: Slice) -> None:
        if self.fails:
            raise EnforcementError(self.fails)
        super().release(held)


@pytest.fixture
def enforcement(tmp_path: Path) -> Preloading:
    """The hook of a vendor with a region and a library."""
    library = tmp_path / "image/libfake.so"
    library.parent.mkdir()
    library.write_bytes(b"code")
    return Preloading(library)


@pytest.fixture
def vendors(enforcement: Preloading) -> dict[str, Vendor]:
    """That vendor."""
    from dataclasses import replace

    return {"fake": replace(fake_vendor("fake"), enforcement=enforcement)}


@pytest.fixture
def slices(tmp_path: Path, vendors: dict[str, Vendor]) -> Slices:
    """The slices of a machine."""
    return Slices(Records(tmp_path / "run"), Libraries(tmp_path / "lib"), vendors)


@pytest.fixture
def wanted(scene: Any, vendors: dict[str, Vendor]) -> Wanted:
    """What the container ``main`` is to have."""
    return Shares(scene.node, vendors).wanted(scene.pod(scene.placement()), scene.held(), {"fake-0": fake_device()})


def _id(scene: Any) -> str:
    return identity("fake", scene.uid, "main")


def _mounts(edits: ContainerEdits) -> dict[str, Mount]:
    return {mount.container_path: mount for mount in edits.mounts}


def test_a_container_gets_its_own_files_and_no_directory(slices: Slices, wanted: Wanted, tmp_path: Path) -> None:
    """Region, limits, the library's copy and the loader's list: four files, of which the region alone is writable."""
    mounts = _mounts(slices.edits(wanted))
    assert set(mounts) == {REGION_INSIDE, LIMITS_INSIDE, "/usr/local/lib/hetero/libfake.so", "/etc/ld.so.preload"}
    assert all(Path(mount.host_path).is_file() for mount in mounts.values())
    assert [path for path, mount in mounts.items() if not mount.read_only] == [REGION_INSIDE]
    assert Path(mounts["/etc/ld.so.preload"].host_path).read_text() == "/usr/local/lib/hetero/libfake.so\n"
    assert Path(mounts["/usr/local/lib/hetero/libfake.so"].host_path).is_relative_to(tmp_path / "lib")


def test_limits_are_those_of_the_share_and_nobody_may_change_them(slices: Slices, wanted: Wanted, scene: Any) -> None:
    """In the file that wins and in the region; the region's path is that of the container."""
    mounts = _mounts(slices.edits(wanted))
    limits = Path(mounts[LIMITS_INSIDE].host_path)
    text = limits.read_text()
    assert f"slice = {_id(scene)}" in text
    assert f"region = {REGION_INSIDE}" in text
    assert "memory_0 = 1073741824" in text
    assert "cores_0 = 30" in text
    [device] = region.read(Path(mounts[REGION_INSIDE].host_path)).devices
    assert (device.uuid, device.memory_limit, device.core_limit) == ("fake-0", 1 << 30, 30)
    modes = [Path(mounts[path].host_path).stat().st_mode & 0o777 for path in (LIMITS_INSIDE, REGION_INSIDE)]
    assert modes == [0o444, 0o666]
    assert limits.parent.stat().st_mode & 0o777 == 0o700


def test_the_vendor_is_told_the_containers_paths(slices: Slices, wanted: Wanted, enforcement: Preloading) -> None:
    """Its variables are read in the container; what it writes below the directory lies on the machine."""
    slices.edits(wanted)
    [held] = enforcement.prepared
    assert held.region == REGION_INSIDE
    assert held.directory == str(slices.records.path(held.id))


def test_a_second_start_gives_the_same_with_a_new_region(slices: Slices, wanted: Wanted) -> None:
    """What the last program wrote into the region is not the next one's; an old mount keeps its file."""
    first = slices.edits(wanted)
    path = Path(_mounts(first)[REGION_INSIDE].host_path)
    with path.open("r+b") as old:
        old.write(b"nonsense of the last program")
        again = slices.edits(wanted)
        old.seek(0)
        assert old.read(8) == b"nonsense"
    assert again == first
    assert region.read(path).processes == ()


def test_a_region_takes_no_memory_before_it_is_used(slices: Slices, wanted: Wanted) -> None:
    """Two megabytes for each of hundreds of containers would be the agent's own, in a tmpfs."""
    found = Path(_mounts(slices.edits(wanted))[REGION_INSIDE].host_path).stat()
    assert found.st_size > 2_000_000
    assert found.st_blocks * 512 <= 65536


def test_the_record_comes_before_anything_is_made(slices: Slices, wanted: Wanted, enforcement: Preloading) -> None:
    """A vendor that dies half-way leaves something; who comes after knows what to release."""
    enforcement.fails = "no instance is free"
    with pytest.raises(EnforcementError, match="no instance is free"):
        slices.edits(wanted)
    [record] = slices.records.all()
    assert record.held == enforcement.prepared[0]
    assert (record.vendor, record.namespace, record.pod, record.container) == ("fake", "lab", "train", "main")


def test_the_record_names_the_files_that_the_container_has_mounted(slices: Slices, wanted: Wanted) -> None:
    """So that nobody removes them under it."""
    edits = slices.edits(wanted)
    [record] = slices.records.all()
    mounted = {mount.host_path for mount in edits.mounts}
    assert set(record.files) == {path for path in mounted if "/lib/" in path}
    assert slices.sweep_libraries() == []
    assert all(Path(path).exists() for path in record.files)


def test_without_isolation_nothing_keeps_the_limits(
    tmp_path: Path, vendors: dict[str, Vendor], wanted: Wanted, enforcement: Preloading
) -> None:
    """The administrator's choice for a whole node: devices and variables stay, library, region and limits do not."""
    slices = Slices(Records(tmp_path / "run"), Libraries(tmp_path / "lib"), vendors, isolation=False)
    edits = slices.edits(wanted)
    assert edits.mounts == ()
    assert edits.device_nodes == ("/dev/null",)
    assert edits.env["FAKE_DEVICES"] == "fake-0"
    assert enforcement.prepared[0].region == ""


def test_a_pod_with_users_of_its_own_is_refused(
    tmp_path: Path, slices: Slices, vendors: dict[str, Vendor], scene: Any
) -> None:
    """Its programs would get no memory at all, or even no limits; where none are kept, they may have any users."""
    import msgspec

    shares = Shares(scene.node, vendors)

    def wanted(users: bool) -> Wanted:
        pod = scene.pod(scene.placement(), hostUsers=users)
        return shares.wanted(pod, scene.held(), {"fake-0": fake_device()})

    with pytest.raises(EnforcementError, match="leave hostUsers out"):
        slices.edits(wanted(False))
    assert slices.records.ids() == []
    other = msgspec.structs.replace(wanted(True), container="other")
    assert slices.edits(other).mounts
    without = Slices(Records(tmp_path / "run"), Libraries(tmp_path / "lib"), vendors, isolation=False)
    assert without.edits(wanted(False)).env["FAKE_DEVICES"] == "fake-0"


def test_a_vendor_without_a_region_has_no_limits_file(tmp_path: Path, scene: Any) -> None:
    """Its hardware or its driver keeps them."""
    slices = Slices(Records(tmp_path / "run"), Libraries(tmp_path / "lib"), {"fake": fake_vendor("fake")})
    shares = Shares(scene.node, {"fake": fake_vendor("fake")})
    wanted = shares.wanted(scene.pod(scene.placement()), scene.held(), {"fake-0": fake_device()})
    edits = slices.edits(wanted)
    assert edits == ContainerEdits(env={"FAKE_DEVICES": "fake-0", "FAKE_MEMORY": "1024"})
    assert slices.sweep(lambda _: True) == 1


def test_release_undoes_and_leaves_nothing(slices: Slices, wanted: Wanted, enforcement: Preloading) -> None:
    """Directory, record, and then the copy of the library that nobody uses any more."""
    edits = slices.edits(wanted)
    [record] = slices.records.all()
    assert slices.release(record)
    assert enforcement.released == [record.held.id]
    assert slices.records.ids() == []
    assert len(slices.sweep_libraries()) == 2
    assert not any(Path(mount.host_path).exists() for mount in edits.mounts)


def test_what_a_vendor_cannot_undo_is_tried_again(slices: Slices, wanted: Wanted, enforcement: Preloading) -> None:
    """The record stays until it could."""
    slices.edits(wanted)
    enforcement.fails = "the instance is in use"
    assert slices.sweep(lambda _: True) == 0
    assert len(slices.records.all()) == 1
    enforcement.fails = ""
    assert slices.sweep(lambda _: True) == 1
    assert slices.records.ids() == []


def test_a_sweep_takes_those_that_are_over(slices: Slices, wanted: Wanted, scene: Any) -> None:
    """And those of vendors of this agent only: another agent of the node has its own."""
    slices.edits(wanted)
    assert slices.sweep(lambda record: record.pod_uid != scene.uid) == 0
    stranger = Slices(slices.records, Libraries(Path("/nowhere")), {})
    assert stranger.sweep(lambda _: True) == 0
    assert slices.records.ids() == [_id(scene)]


def test_a_directory_without_a_record_goes(slices: Slices) -> None:
    """Somebody died before he made anything."""
    slices.records.make("fake-0123456789abcdef")
    assert slices.sweep(lambda _: False) == 1
    assert slices.records.ids() == []


def test_a_directory_of_another_agents_vendor_stays(slices: Slices) -> None:
    """That one may be writing the record at this moment."""
    slices.records.make("another-0123456789abcdef")
    assert slices.sweep(lambda _: True) == 0
    assert slices.records.ids() == ["another-0123456789abcdef"]


def test_a_full_disk_is_told_and_leaves_nothing_more(
    slices: Slices, wanted: Wanted, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubelet asks again every few seconds: each time one more file would be left."""

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    renamed = Path.rename
    monkeypatch.setattr(Path, "rename", full)
    for _ in range(3):
        with pytest.raises(EnforcementError, match="the slice cannot be kept: No space left"):
            slices.edits(wanted)
    assert list(slices.records.path(_id(scene)).iterdir()) == []
    monkeypatch.setattr(Path, "rename", renamed)
    assert slices.edits(wanted).mounts


def test_a_record_that_cannot_be_read_stays(slices: Slices) -> None:
    """Without it nothing could be undone, so nothing is removed."""
    directory = slices.records.make("fake-0123456789abcdef")
    (directory / "slice.json").write_text("{")
    assert slices.sweep(lambda _: True) == 0
    assert directory.exists()


def test_a_slice_is_made_by_one_at_a_time_and_others_do_not_wait(
    slices: Slices, wanted: Wanted, enforcement: Preloading, scene: Any
) -> None:
    """A driver that takes long for one container keeps no other one."""
    import msgspec

    inside, go = threading.Event(), threading.Event()
    prepare = enforcement.prepare

    def slow(held: Slice) -> ContainerEdits:
        if held.id == _id(scene):
            inside.set()
            assert go.wait(120)
        return prepare(held)

    enforcement.prepare = slow  # type: ignore[method-assign]
    first = threading.Thread(target=slices.edits, args=[wanted])
    first.start()
    assert inside.wait(120)
    slices.edits(msgspec.structs.replace(wanted, container="other"))
    removed = threading.Thread(target=slices.sweep, args=[lambda record: record.container == "main"])
    removed.start()
    go.set()
    first.join(120)
    removed.join(120)
    assert len(enforcement.prepared) == 2
    assert slices.records.ids() == [identity("fake", scene.uid, "other")]


def test_ids_are_stable_and_fit_everywhere(scene: Any) -> None:
    """Those of containers that differ in one thing differ; none is longer than a region can hold."""
    ids = {identity(*words) for words in [("a", "u", "c"), ("b", "u", "c"), ("a", "v", "c"), ("a", "u", "d")]}
    assert len(ids) == 4
    assert identity("a", "u", "c") in ids
    assert len(identity("v" * 31, "u", "c")) <= 63
