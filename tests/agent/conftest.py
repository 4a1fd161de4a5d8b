"""Pods of a node as the API has them, with what the scheduler wrote into them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hetero.agent.pods import Pod
from hetero.allocation.held import Held
from hetero.model import wire
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share

NODE = "desk"
UID = "7f1c"


def share(device: str = "fake-0", memory: int = 1024, cores: int = 30, vendor: str = "fake") -> DeviceShare:
    """A part of one device."""
    return DeviceShare(vendor=vendor, device=device, share=Share(quantities={SLOTS: 1, MEMORY: memory, CORES: cores}))


def placement(*shares: DeviceShare, **changed: Any) -> Placement:
    """The placement of the pod below, whose container ``main`` has these shares."""
    made = Placement(
        namespace="lab",
        pod="train",
        node=NODE,
        uid=UID,
        containers=(ContainerPlacement(container="main", devices=shares or (share(),)),),
    )
    return msgspec.structs.replace(made, **changed)


def manifest(
    placed: Placement | str | None = None,
    *,
    limits: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """The pod ``lab/train`` as the API has it; a placement may be any text."""
    notes = (
        {} if placed is None else {"hetero.io/placement": placed if isinstance(placed, str) else wire.encode(placed)}
    )
    asked = limits or {"fake.example/npu": "1", "fake.example/npumem": "1024", "fake.example/npucores": "30"}
    return {
        "metadata": {"name": "train", "namespace": "lab", "uid": UID, "annotations": notes},
        "spec": {"nodeName": NODE, "containers": [{"name": "main", "resources": {"limits": asked}}], **spec},
        "status": status or {"phase": "Pending"},
    }


def pod(placed: Placement | str | None = None, **more: Any) -> Pod:
    """The same as the agent reads it."""
    return msgspec.convert(manifest(placed, **more), Pod)


def held(*ids: str, container: str = "main", resource: str = "fake.example/npu", uid: str = UID) -> Held:
    """What the kubelet says that the container holds."""
    return Held(pod_uid=uid, container=container, resource=resource, ids=ids or ("slot-0000",), cdi_names=())


class Scene:
    """The helpers above for tests, which import nothing from here."""

    node, uid = NODE, UID
    share, placement, manifest = staticmethod(share), staticmethod(placement), staticmethod(manifest)
    pod: Callable[..., Pod] = staticmethod(pod)
    held: Callable[..., Held] = staticmethod(held)


@pytest.fixture
def scene() -> type[Scene]:
    """How a test makes pods, placements and what the kubelet gave."""
    return Scene


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder in memory, as ``/run`` is."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="het") as place:
        yield Path(place)
