"""One pod through all six stages in one process. What each hands to the next is a record, so all compares to literals.

The vendor is a fake one; the stages are the real ones.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from hetero.admission.asks import pod_ask
from hetero.admission.workloads import pods
from hetero.allocation import local
from hetero.allocation.environment import environment, merged
from hetero.enforcement import layout, region
from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.device import CORES, MEMORY, SLOTS, Inventory, Node
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement, Unplaced
from hetero.model.quantity import MIB
from hetero.model.share import Share
from hetero.monitoring import usage
from hetero.placement import Planner
from hetero.testing.fake import fake_device, fake_vendor

DEVICES = [fake_device(0, memory=12288), fake_device(1, memory=12288)]
NODES = (Node(name="desk", devices=tuple(DEVICES)), Node(name="bare"))

MANIFEST: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "train", "namespace": "lab", "annotations": {"fake.example/use-devices": "fake-1"}},
    "spec": {
        "containers": [
            {
                "name": "main",
                "image": "train:1",
                "command": ["python", "train.py"],
                "resources": {
                    "limits": {
                        "cpu": "2",
                        "fake.example/npu": 1,
                        "fake.example/npumem": "1Ki",
                        "fake.example/npucores": 30,
                        "fake.example/npu-priority": 1,
                    }
                },
            },
            {"name": "proxy", "image": "proxy:1"},
        ]
    },
}

SHARE = Share(quantities={SLOTS: 1, MEMORY: 1024, CORES: 30})
PLACEMENT = Placement(
    namespace="lab",
    pod="train",
    node="desk",
    containers=(
        ContainerPlacement(container="main", devices=(DeviceShare(vendor="fake", device="fake-1", share=SHARE),)),
        ContainerPlacement(container="proxy"),
    ),
)


def _admitted(manifest: dict[str, Any] = MANIFEST) -> PodAsk:
    [pod] = pods(manifest)
    return pod_ask(pod, {"fake": fake_vendor()})


def _planner() -> Planner:
    return Planner(Inventory(nodes=NODES), {"fake": fake_vendor()})


def test_admission_turns_the_manifest_into_asks() -> None:
    """The vendor's words are gone; what is asked and of whom is left."""
    ask = _admitted()
    [main, proxy] = ask.containers
    assert proxy == ContainerAsk(name="proxy")
    [asked] = main.asks
    assert asked == Ask(vendor="fake", count=1, memory=1024, cores=30, priority=1, selection=asked.selection)
    assert asked.selection.use_devices == ("fake-1",)
    assert (ask.namespace, ask.name, ask.init_containers) == ("lab", "train", ())


def test_placement_turns_the_asks_into_devices_and_charges_them() -> None:
    """The node and the device that were asked, the share in every dimension, and that much less left."""
    planner = _planner()
    assert planner.place(_admitted()) == PLACEMENT
    assert planner.free_quantities() == {
        "bare": {},
        "desk": {
            "fake-0": {SLOTS: 10, MEMORY: 12288, CORES: 100},
            "fake-1": {SLOTS: 9, MEMORY: 11264, CORES: 70},
        },
    }
    planner.free(PLACEMENT)
    assert planner.free_quantities() == _planner().free_quantities()


def test_a_pod_that_fits_nowhere_has_a_reason_for_each_node() -> None:
    """The way ends here, with a sentence for everybody who waits for the pod."""
    limits = {"fake.example/npu": 1, "fake.example/npumem": 13312}
    spec = {"containers": [{"name": "main", "image": "i", "resources": {"limits": limits}}]}
    answer = _planner().place(_admitted({**MANIFEST, "metadata": {"name": "big"}, "spec": spec}))
    assert isinstance(answer, Unplaced)
    assert set(answer.refusals) == {"desk", "bare"}
    assert "asked 13312 MiB" in answer.refusals["desk"].message
    assert "no fake device" in answer.refusals["bare"].message


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """The slices of a machine whose vendor enforces by a region."""
    return local.store(tmp_path, {"fake": fake_vendor(region=True)})


def _prepared(store: Any) -> local.Prepared:
    """The slice of the container that asks, as the node makes it."""
    [main, _] = PLACEMENT.containers
    with store.locked():
        return local.prepare(
            store,
            {"fake": fake_vendor(region=True)},
            main.devices,
            {device.uuid: device for device in DEVICES},
            local.Program(command=("python", "train.py"), priority=1),
        )


def test_allocation_turns_the_shares_into_a_slice_and_its_surroundings(store: Any) -> None:
    """The record holds what was granted; the program's variables tell it; nothing else of the environment changes."""
    prepared = _prepared(store)
    [held] = prepared.slices
    assert (held.vendor, held.command, held.held.priority) == ("fake", ("python", "train.py"), 1)
    [grant] = held.held.grants
    assert (grant.device, grant.share) == (DEVICES[1], SHARE)
    assert environment(merged(prepared.edits), {"PATH": "/bin"}) == {
        "PATH": "/bin",
        "FAKE_DEVICES": "fake-1",
        "FAKE_MEMORY": "1024",
    }
    prepared.close()


def test_enforcement_has_the_limits_before_the_program_starts(store: Any) -> None:
    """The region says bytes and percent of the device, and that nothing is used yet."""
    prepared = _prepared(store)
    state = region.read(Path(prepared.slices[0].held.region))
    [device] = state.devices
    assert (state.slice_id, device.uuid) == (prepared.slices[0].held.id, "fake-1")
    assert (device.memory_limit, device.core_limit, device.memory_used) == (1024 * MIB, 30, 0)
    assert state.processes == ()
    prepared.close()


def _program_uses(path: Path, mib: int, busy_ns: int) -> None:
    """What the native runtime writes while the program works."""
    data = bytearray(path.read_bytes())
    values = [
        (layout.DEVICE, "memory.bytes", "Q", mib * MIB),
        (layout.DEVICE, "busy_ns", "Q", busy_ns),
        (layout.REGION, "slots_used", "I", 1),
        (layout.SLOT, "state", "I", layout.TAKEN),
        (layout.SLOT, "pid", "I", os.getpid()),
        (layout.SLOT, "name", "32s", b"python"),
        (layout.ENTRY, "after", "2Q", 0, mib * MIB),
        (layout.ENTRY, "done", "Q", 1),
        (layout.SLOT, "busy_ns", "Q", busy_ns),
    ]
    for record, field, kind, *value in values:
        struct.pack_into(f"<{kind}", data, record.start + record.fields[field].offset, *value)
    path.write_bytes(data)


def test_monitoring_shows_what_the_slice_really_uses(store: Any) -> None:
    """Memory and processes of the program, and what is sliced off of the device."""
    prepared = _prepared(store)
    path = Path(prepared.slices[0].held.region)
    before = usage.readings(store.live())
    _program_uses(path, mib=512, busy_ns=10**6)
    after = usage.readings(store.live())
    [row] = usage.rows(before, after)
    assert (row.id, row.device, row.command) == (prepared.slices[0].held.id, "fake-1", ("python", "train.py"))
    assert (row.memory_used, row.memory_limit, row.compute_limit) == (512, 1024, 30)
    assert row.compute_used > 0
    assert [(one.pid, one.name, one.memory) for one in row.processes] == [(os.getpid(), "python", 512)]
    assert usage.allocated(store.live()) == {"fake-1": {"slices": 1, SLOTS: 1, MEMORY: 1024, CORES: 30}}
    prepared.close()


def test_the_end_of_the_program_is_the_end_of_the_slice(tmp_path: Path) -> None:
    """The vendor releases it, its files are gone, and all of the device can be had again."""
    vendor = fake_vendor(region=True)
    store = local.store(tmp_path, {"fake": vendor})
    prepared = _prepared(store)
    assert [one.held.id for one in store.live()] == [prepared.slices[0].held.id]
    prepared.close()
    with store.locked():
        assert store.live() == ()
    assert vendor.enforcement.released == [prepared.slices[0].held.id]  # type: ignore[attr-defined]
    assert not Path(prepared.slices[0].held.directory).exists()
    assert usage.allocated(store.live()) == {}
