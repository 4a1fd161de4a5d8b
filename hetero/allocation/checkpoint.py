"""The kubelet's own record of who holds what: ``kubelet_internal_checkpoint``.

It is complete before the kubelet calls ``PreStartContainer``, has init containers, which the PodResources API leaves
out, and is written by a rename, so that a reader sees all of it or the one before. It is private to the kubelet; the
format was seen from Kubernetes 1.35 and 1.36, and is that of ``pkg/kubelet/cm/devicemanager/checkpoint`` since 1.20.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from google.protobuf.message import DecodeError

from hetero.allocation.api.deviceplugin_pb2 import ContainerAllocateResponse
from hetero.allocation.held import Held
from hetero.errors import WireError

NAME = "kubelet_internal_checkpoint"
"""The file, in the folder of the device plugins' sockets."""


class _Entry(msgspec.Struct, rename={"pod_uid": "PodUID", "container": "ContainerName", "resource": "ResourceName"}):
    pod_uid: str
    container: str
    resource: str
    by_numa_node: dict[str, list[str] | None] | None = msgspec.field(name="DeviceIDs", default=None)
    answer: bytes | None = msgspec.field(name="AllocResp", default=None)  # base64, as Go writes bytes


class _Data(msgspec.Struct):
    entries: list[_Entry] | None = msgspec.field(name="PodDeviceEntries", default=None)


class _File(msgspec.Struct):
    data: _Data = msgspec.field(name="Data")


_decoder = msgspec.json.Decoder(_File)


def parse(text: bytes) -> tuple[Held, ...]:
    """All entries, in the file's order.

    The checksum is not looked at: it is over the kubelet's memory, not over the file.

    Raises:
        WireError: This is no checkpoint of a kubelet that hetero knows.
    """
    try:
        entries = _decoder.decode(text).data.entries or []
        return tuple(map(_held, entries))
    except (msgspec.DecodeError, DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"the kubelet's checkpoint cannot be read: {error}") from error


def read(path: Path) -> tuple[Held, ...]:
    """All entries of the file; none when the kubelet has not written one yet.

    Raises:
        WireError: The file cannot be read; who removes what is in it must not go on.
    """
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise WireError(f"{path}: {error.strerror}") from error


def _held(entry: _Entry) -> Held:
    ids = [one for ids in (entry.by_numa_node or {}).values() for one in ids or []]
    answer = ContainerAllocateResponse.FromString(entry.answer or b"")
    return Held(
        pod_uid=entry.pod_uid,
        container=entry.container,
        resource=entry.resource,
        ids=tuple(sorted(ids)),
        cdi_names=tuple(device.name for device in answer.cdi_devices),
    )
