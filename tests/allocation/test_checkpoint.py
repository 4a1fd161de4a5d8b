"""The kubelet's checkpoint: all that containers hold, and no guess where it cannot be read."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from checkpoints import written
from hypothesis import given
from hypothesis import strategies as st

from hetero.allocation import checkpoint
from hetero.allocation.held import Held
from hetero.errors import WireError

# As kubelet 1.35 wrote it: a pod with an init container whose slots the main container uses again, and another plugin.
SEEN = {
    "Data": {
        "PodDeviceEntries": [
            {
                "PodUID": "0a6f7d2c-8f5b-4d0c-9a2e-0d1f0d4f0001",
                "ContainerName": "warm-up",
                "ResourceName": "acme.com/npu",
                "DeviceIDs": {"-1": ["slot-0007", "slot-0003"]},
                "AllocResp": "KiYKJGhldGVyby5pby9zbGljZT0wMTIzNDU2Nzg5YWJjZGVmMDEyMw==",
            },
            {
                "PodUID": "0a6f7d2c-8f5b-4d0c-9a2e-0d1f0d4f0001",
                "ContainerName": "main",
                "ResourceName": "acme.com/npu",
                "DeviceIDs": {"0": ["slot-0003"], "1": ["slot-0007"]},
                "AllocResp": None,
            },
        ],
        "RegisteredDevices": {"acme.com/npu": ["slot-0003", "slot-0007"]},
    },
    "Checksum": 1234567890,
}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
HELD = st.builds(
    Held,
    pod_uid=TEXT,
    container=TEXT,
    resource=TEXT,
    ids=st.lists(TEXT, max_size=4).map(lambda ids: tuple(sorted(ids))),
    cdi_names=st.lists(TEXT, max_size=3).map(tuple),
)


def test_a_checkpoint_as_it_was_seen() -> None:
    """Init containers have entries of their own, ids come from all NUMA nodes, other plugins have no CDI names."""
    first, second = checkpoint.parse(json.dumps(SEEN).encode())
    assert (first.container, first.resource) == ("warm-up", "acme.com/npu")
    assert first.ids == second.ids == ("slot-0003", "slot-0007")
    assert first.cdi_names == ("hetero.io/slice=0123456789abcdef0123",)
    assert second.cdi_names == ()


@given(entries=st.lists(HELD, max_size=5), nodes=st.integers(1, 3))
def test_what_is_written_is_read(entries: list[Held], nodes: int) -> None:
    """Every entry, in its order, whatever its words are."""
    assert checkpoint.parse(written(entries, nodes)) == tuple(entries)


@pytest.mark.parametrize("entries", ["null", "[]"])
def test_nobody_holds_anything(entries: str) -> None:
    """Go writes an empty list as null."""
    text = f'{{"Data":{{"PodDeviceEntries":{entries},"RegisteredDevices":null}},"Checksum":0}}'
    assert checkpoint.parse(text.encode()) == ()


def test_ids_and_answers_may_be_null() -> None:
    """Both are Go's zero values."""
    text = json.dumps(SEEN).replace('{"-1": ["slot-0007", "slot-0003"]}', "null").replace('["slot-0003"]', "null")
    first, second = checkpoint.parse(text.encode())
    assert (first.ids, second.ids) == ((), ("slot-0007",))


@given(st.binary(max_size=64))
def test_nonsense_is_said_to_be_nonsense(text: bytes) -> None:
    """No bytes at all end in another failure than the typed one."""
    with pytest.raises(WireError, match="checkpoint cannot be read"):
        checkpoint.parse(text)


@given(st.data())
def test_a_torn_file_is_no_checkpoint(data: st.DataObject) -> None:
    """A part of one never passes for a whole: what it lacks would be taken for gone."""
    whole = json.dumps(SEEN).encode()
    with pytest.raises(WireError):
        checkpoint.parse(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    "change",
    [
        {"DeviceIDs": ["slot-0001"]},  # before Kubernetes 1.20
        {"AllocResp": "no base64!"},
        {"AllocResp": base64.b64encode(b"\x2a\xff").decode()},
        {"AllocResp": base64.b64encode(b"\x2a\x04\x0a\x02\xff\xfe").decode()},
        {"PodUID": 7},
    ],
    ids=["ids without nodes", "no base64", "no protobuf", "no text", "number for text"],
)
def test_entries_of_another_form_are_refused(change: dict[str, object]) -> None:
    """One entry that cannot be read makes the file unreadable: guessing would free what somebody holds."""
    entry = SEEN["Data"]["PodDeviceEntries"][0] | change
    text = json.dumps({"Data": {"PodDeviceEntries": [entry]}, "Checksum": 0})
    with pytest.raises(WireError):
        checkpoint.parse(text.encode())


def test_a_kubelet_that_never_allocated_has_no_file(tmp_path: Path) -> None:
    """That is nobody, and not a failure."""
    assert checkpoint.read(tmp_path / checkpoint.NAME) == ()


def test_a_file_that_cannot_be_opened_is_a_failure(tmp_path: Path) -> None:
    """And not nobody."""
    with pytest.raises(WireError, match=r"Is a directory"):
        checkpoint.read(tmp_path)


def test_the_file_is_read(tmp_path: Path) -> None:
    """As it is parsed."""
    (tmp_path / checkpoint.NAME).write_text(json.dumps(SEEN))
    assert len(checkpoint.read(tmp_path / checkpoint.NAME)) == 2
