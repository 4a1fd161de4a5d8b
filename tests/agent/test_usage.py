"""The node as it is read: from records, regions and the last sample, by one reading for all who ask."""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hetero.agent import usage
from hetero.agent.records import RECORD, REGION, PodSlice, Records
from hetero.agent.usage import Usage
from hetero.enforcement import layout, region
from hetero.enforcement.limits import limits_of
from hetero.model.allocation import Grant, Slice
from hetero.model.device import CORES, MEMORY, SLOTS, Device, Health, Sample
from hetero.model.quantity import MIB
from hetero.model.share import Share
from hetero.monitoring.inventory import Machine
from hetero.testing.fake import MEMORY_MIB, fake_device, fake_devices

SECOND = 10**9
GIB = 1024


class Node:
    """A node whose records are real files, and whose clock and devices a test sets."""

    def __init__(self, place: Path) -> None:
        self.records = Records(place)
        self.now = 1000.0
        self.machine: Machine | None = Machine(tuple(fake_devices(2)))
        self.samples: dict[str, Sample] = {}
        self.ended: set[tuple[str, str]] = set()
        self.elsewhere: set[str] = set()
        self.usage = self.new()

    def new(self, served: tuple[str, ...] = ("fake",)) -> Usage:
        """An agent that has just started, so to speak."""
        return Usage(
            "desk",
            self.records,
            self,
            over=lambda *who: who in self.ended,
            served=served,
            elsewhere=lambda: self.elsewhere,
            clock=lambda: self.now,
        )

    def report(self, seconds: float = 2.0) -> Any:
        """A reading so much later."""
        self.now += seconds
        return self.usage.report()

    def slice(self, name: str = "fake-1", *, regional: bool = True, device: Device | None = None, **of: Any) -> Path:
        """A slice as the agent makes it; the region's file."""
        share = Share(quantities={SLOTS: 1, MEMORY: 2 * GIB, CORES: 30})
        held = Slice(
            id=name,
            grants=(Grant(device=device or fake_device(), share=share),),
            directory=str(self.records.make(name)),
            region="/inside" if regional else "",
        )
        said = {"vendor": "fake", "pod_uid": "7f1c", "namespace": "lab", "pod": "train", "container": "main", **of}
        self.records.write(PodSlice(held=held, **said))
        path = self.records.path(name) / REGION
        if regional:
            path.unlink(missing_ok=True)
            region.create(path, limits_of(held))
        return path


def write(path: Path, record: layout.Record, name: str, value: int, index: int = 0) -> None:
    """As a program of the slice would."""
    field = record.fields[name]
    with path.open("r+b") as file:
        file.seek(record.start + index * record.size + field.offset)
        file.write(struct.pack("<" + field.format[-1], value))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """Two devices and no slice."""
    return Node(tmp_path)


def test_a_node_without_slices_has_its_devices(node: Node) -> None:
    """What nobody has sampled is not known, and what is given out is nothing."""
    report = node.report()
    assert (report.node, report.slices) == ("desk", ())
    [first, _] = report.devices
    assert (first.uuid, first.vendor, first.model, first.index) == ("fake-0", "fake", "Fake F1", 0)
    assert (first.memory_capacity, first.slots) == (MEMORY_MIB * MIB, 10)
    assert (first.memory_used, first.utilization, first.temperature, first.power) == (None,) * 4
    assert (first.memory_allocated, first.compute_allocated, first.slots_allocated) == (0, 0, 0)


def test_before_the_devices_are_known_there_are_none(node: Node) -> None:
    """The agent answers from its first moment."""
    node.machine = None
    assert node.report().devices == ()


def test_a_device_is_as_its_last_sample(node: Node) -> None:
    """In base units; what the driver does not say is not known."""
    node.machine = Machine((fake_device(0, health=Health(ok=False, reason="fell off the bus")), fake_device(1)))
    node.samples = {
        "fake-0": Sample(uuid="fake-0", memory_used=3, utilization=25, temperature=61, power=72.5),
        "fake-1": Sample(uuid="fake-1", memory_used=0),
    }
    first, second = node.report().devices
    assert (first.healthy, first.health) == (False, "fell off the bus")
    assert (first.memory_used, first.utilization, first.temperature, first.power) == (3 * MIB, 0.25, 61, 72.5)
    assert (second.memory_used, second.utilization) == (0, None)


def test_what_is_given_out_is_the_sum_over_its_slices(node: Node) -> None:
    """By device, whether a program has started or not."""
    node.slice("fake-1", container="a")
    node.slice("fake-2", container="b", regional=False)
    first, second = node.report().devices
    assert (first.memory_allocated, first.slots_allocated) == (4 * GIB * MIB, 2)
    assert first.compute_allocated == pytest.approx(0.6)
    assert second.slots_allocated == 0


def test_a_slice_is_there_from_the_moment_that_it_is_made(node: Node) -> None:
    """Before any program of it: with its limits, and with nothing used."""
    node.slice()
    [one] = node.report().slices
    assert (one.namespace, one.pod, one.container, one.device) == ("lab", "train", "main", "fake-0")
    assert (one.memory_limit, one.memory_used, one.busy_seconds, one.processes) == (2 * GIB * MIB, 0, 0.0, 0)


def test_use_is_that_of_the_region(node: Node) -> None:
    """Memory, device time since the last reading, and who is there."""
    path = node.slice()
    node.report()
    write(path, layout.DEVICE, "memory.bytes", 5 * MIB)
    write(path, layout.DEVICE, "busy_ns", SECOND)
    write(path, layout.REGION, "slots_used", 3)
    write(path, layout.SLOT, "state", layout.TAKEN, 2)
    [one] = node.report(4.0).slices
    assert (one.memory_used, one.busy_seconds, one.compute_used, one.processes) == (5 * MIB, 1.0, 0.25, 1)


def test_a_slice_without_a_region_has_no_use(node: Node) -> None:
    """Its hardware keeps its limits: what it uses is not known here, which is not 0."""
    node.slice(regional=False)
    [one] = node.report().slices
    assert (one.memory_limit, one.memory_used, one.busy_seconds, one.processes) == (2 * GIB * MIB, None, None, None)


@pytest.mark.parametrize("wrong", [b"", b"garbage", b"\xff" * layout.SIZE])
def test_a_region_that_cannot_be_read_costs_its_own_figures_alone(node: Node, wrong: bytes) -> None:
    """The slice stays, without use; its counters go on where they were when the region is whole again."""
    path = node.slice("fake-1", container="a")
    node.slice("fake-2", container="b")
    write(path, layout.DEVICE, "busy_ns", SECOND)
    [before, _] = node.report().slices
    sound = path.read_bytes()
    path.write_bytes(wrong)
    broken, other = node.report().slices
    assert (broken.memory_limit, broken.busy_seconds, other.busy_seconds) == (2 * GIB * MIB, None, 0.0)
    path.write_bytes(sound)
    assert node.report().slices[0].busy_seconds == before.busy_seconds == 1.0


def test_a_region_of_fewer_devices_than_its_record_is_no_harm(node: Node) -> None:
    """A container can write over the devices of its region."""
    path = node.slice()
    with path.open("r+b") as file:
        file.seek(layout.DEVICE.start)
        file.write(bytes(layout.DEVICE.size))
    assert node.report().slices[0].memory_used is None


def test_a_container_that_is_over_has_no_series(node: Node) -> None:
    """Although what it had is still to be cleared up: neither a slice nor anything given out."""
    node.slice()
    node.ended.add(("7f1c", "main"))
    report = node.report()
    assert (report.slices, report.devices[0].slots_allocated) == ((), 0)


def test_a_slice_that_is_removed_is_gone(node: Node) -> None:
    """At the next reading, and nothing is kept of it: another one of its name begins anew."""
    path = node.slice()
    write(path, layout.DEVICE, "busy_ns", 10 * SECOND)
    assert node.report(100).slices
    node.records.remove("fake-1")
    assert node.report().slices == ()
    node.slice()
    assert node.report().slices[0].busy_seconds == 0.0


def test_a_record_that_is_written_anew_is_read_anew(node: Node) -> None:
    """A container that is started again may be placed otherwise; else no record is read twice."""
    node.slice(pod="old")
    assert node.report().slices[0].pod == "old"
    node.slice(pod="new")
    assert node.report().slices[0].pod == "new"


def test_records_are_not_read_again_for_each_reading(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred records are a lot to decode for each scrape."""
    node.slice()
    node.report()
    monkeypatch.setattr(node.records, "read", lambda _: pytest.fail("it was read again"))
    assert node.report().slices


def test_what_cannot_be_read_of_records_is_left_out(node: Node) -> None:
    """A directory that is being made has no record; a record of somebody else's making is none."""
    node.records.make("fake-2")
    (node.records.make("fake-3") / RECORD).write_text("{}")
    node.slice("fake-4")
    assert [one.id for one in node.report().slices] == ["fake-4"]


def test_directories_that_cannot_be_listed_are_no_failure(node: Node, tmp_path: Path) -> None:
    """Devices are shown all the same."""
    (tmp_path / "slices").write_text("a file")
    assert len(node.report().devices) == 2
    (tmp_path / "slices").unlink()
    node.slice()
    assert node.report().slices


def test_slices_of_another_agents_vendors_are_its_own(node: Node) -> None:
    """Two agents share the directory; each tells of its own, and who has a foreign device is not known."""
    node.slice("other-1", vendor="other")
    assert node.report().slices == ()
    node.usage = node.new(served=("other",))
    report = node.report()
    assert [one.vendor for one in report.slices] == ["other"]
    assert report.devices[0].memory_allocated is None


def test_a_device_of_which_another_agent_tells_is_told_of_once(node: Node) -> None:
    """The sum over a node's agents would have its memory twice."""
    node.usage = node.new(served=("other",))
    node.elsewhere = {"fake-1"}
    assert [one.uuid for one in node.report().devices] == ["fake-0"]
    node.elsewhere.clear()
    assert [one.uuid for one in node.report().devices] == ["fake-0", "fake-1"]


def test_of_two_pods_of_one_name_the_newer_comes_last(node: Node) -> None:
    """A StatefulSet's next pod starts while what the last one had is not cleared up yet; series are by name."""
    for name, uid, moment in (("fake-2", "old", 1), ("fake-1", "new", 2)):
        node.slice(name, pod_uid=uid)
        os.utime(node.records.path(name) / RECORD, ns=(moment, moment))
    assert [one.pod_uid for one in node.report().slices] == ["old", "new"]


def test_one_reading_serves_all_who_ask_within_a_second(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many, at whatever path: the next second has another one."""
    node.slice()
    reads: list[str] = []
    read = region.read
    monkeypatch.setattr(usage.region, "read", lambda path, **how: reads.append(path) or read(path, **how))
    node.now += 2
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(node.usage.report())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1
    assert all(one is found[0] for one in found)
    node.report(0.5)
    assert len(reads) == 1
    node.report(0.6)
    assert len(reads) == 2


def test_another_agent_over_the_same_directory_says_the_same(node: Node) -> None:
    """A restart loses no series and no count: records and regions have them all."""
    path = node.slice()
    write(path, layout.DEVICE, "busy_ns", 7 * SECOND)
    write(path, layout.DEVICE, "launches", 42)
    [before] = node.report(100).slices
    node.usage = node.new()
    [after] = node.report().slices
    assert msgspec.structs.replace(before, compute_used=None) == after
