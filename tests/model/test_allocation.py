"""Slices and edits: what a node keeps of a slice, and that nothing is changed unless a vendor says so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hetero.model import wire
from hetero.model.allocation import ContainerEdits, DeviceNode, Grant, Mount, Slice
from hetero.model.device import MEMORY, Device, DeviceModel
from hetero.model.share import Share

MODEL = DeviceModel(vendor="acme", name="Acme A1", capacity={MEMORY: 8192})
GRANTS = tuple(
    Grant(device=Device(uuid=f"acme-{index}", index=index, model=MODEL), share=Share(quantities={MEMORY: 1024}))
    for index in (1, 0)
)
HELD = Slice(id="s1", grants=GRANTS, directory="/run/s1")


def test_a_slice_has_no_region_and_no_priority_unless_told() -> None:
    """Nobody said is not the same as the highest priority, which is 0."""
    assert (HELD.region, HELD.priority) == ("", None)
    assert replace(HELD, priority=0) != HELD


def test_devices_keep_the_order_in_which_the_program_sees_them() -> None:
    """Through a stored record, too: device 0 of the program may be device 1 of the node."""
    read = wire.decode(wire.encode(HELD), Slice)
    assert [grant.device.uuid for grant in read.grants] == ["acme-1", "acme-0"]


def test_a_slice_is_stored_so() -> None:
    """A slice outlives the process that made it: fields of version 1 are never renamed or removed."""
    text = wire.encode(replace(HELD, grants=(), region="/run/s1/region", priority=3))
    assert text == (
        '{"slice":{"id":"s1","grants":[],"directory":"/run/s1","region":"/run/s1/region",'
        '"priority":3,"policy":"cap"},"v":1}'
    )
    older = wire.decode('{"slice":{"id":"s1","grants":[],"directory":"/run/s1"},"v":1}', Slice)
    assert (older.region, older.policy) == ("", "cap")


@pytest.mark.parametrize("field", ["id", "grants", "directory"])
def test_a_slice_lacks_nothing_that_makes_it_one(field: str) -> None:
    """What has no default must be said."""
    fields: dict[str, Any] = {"id": "s1", "grants": GRANTS, "directory": "/run/s1"}
    del fields[field]
    with pytest.raises(TypeError, match=field):
        Slice(**fields)


def test_no_edits_change_nothing() -> None:
    """A vendor that has nothing to add adds nothing."""
    assert msgspec.structs.asdict(ContainerEdits()) == {
        "env": {},
        "mounts": (),
        "device_nodes": (),
        "preload": (),
        "library_path": (),
    }


def test_edits_share_no_environment() -> None:
    """What one program gets is not written into the next one's."""
    ContainerEdits().env["LEAKED"] = "1"
    assert ContainerEdits().env == {}


def test_mounts_are_read_only_unless_told() -> None:
    """A program does not write into the host."""
    assert Mount(host_path="/a", container_path="/b").read_only


def test_a_device_may_have_another_name_inside() -> None:
    """Both names are stored, beside plain ones, and one of each kind is told from the other when it is read."""
    edits = ContainerEdits(device_nodes=("/dev/a", DeviceNode(host_path="/dev/v7", container_path="/dev/b")))
    text = wire.encode(edits)
    assert '"device_nodes":["/dev/a",{"host_path":"/dev/v7","container_path":"/dev/b"}]' in text
    assert wire.decode(text, ContainerEdits) == edits


def test_edits_are_stored_so() -> None:
    """The names are those of a CDI spec's ``containerEdits``, and ours."""
    edits = ContainerEdits(
        env={"B": "2", "A": "1"},
        mounts=(Mount(host_path="/a", container_path="/b", read_only=False),),
        device_nodes=("/dev/acme0",),
        preload=("/lib/a.so",),
        library_path=("/lib/sim",),
    )
    assert wire.encode(edits) == (
        '{"containeredits":{"env":{"A":"1","B":"2"},"mounts":[{"host_path":"/a","container_path":"/b",'
        '"read_only":false}],"device_nodes":["/dev/acme0"],"preload":["/lib/a.so"],"library_path":["/lib/sim"]},"v":1}'
    )
    assert wire.decode(wire.encode(edits), ContainerEdits) == edits
