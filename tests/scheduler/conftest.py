"""Objects of the API in few words, as the scheduler sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pytest

from hetero import log
from hetero.kube import objects
from hetero.kube.objects import Container, Metadata, PodSpec, PodStatus, Requirements
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from hetero.testing.fake import fake_vendor
from hetero.vendor import Vendor


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class PodMaker(Protocol):
    def __call__(self, name: str = "pod", memory: int | None = 1000, **fields: Any) -> objects.Pod: ...


@pytest.fixture(autouse=True)
def logged() -> None:
    """Lines go to standard error, as in a process."""
    log.configure("debug")


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still unless it is moved."""
    return Clock()


@pytest.fixture(scope="session")
def vendors() -> dict[str, Vendor]:
    """The fake vendor."""
    return {"fake": fake_vendor()}


@pytest.fixture(scope="session")
def pod() -> PodMaker:
    """A pod with one container that asks a device with so much memory; None asks none."""

    def make(
        name: str = "pod",
        memory: int | None = 1000,
        *,
        uid: str | None = None,
        node: str | None = None,
        placed: Placement | str | None = None,
        priority: int | None = None,
        phase: str | None = None,
        nominated: str | None = None,
        cores: int | None = None,
        notes: Mapping[str, str] | None = None,
        created: str = "2026-01-01T00:00:00Z",
    ) -> objects.Pod:
        limits: dict[str, Any] = {"cpu": "1"}
        limits |= {} if memory is None else {"fake.example/npu": "1", "fake.example/npumem": str(memory)}
        limits |= {} if cores is None else {"fake.example/npucores": str(cores)}
        annotations = dict(notes or {})
        if placed is not None:
            annotations[PLACEMENT] = placed if isinstance(placed, str) else wire.encode(placed)
        return objects.Pod(
            metadata=Metadata(
                name=name,
                namespace="default",
                uid=f"uid-{name}" if uid is None else uid,
                annotations=annotations,
                creation_timestamp=created,
            ),
            spec=PodSpec(node_name=node, priority=priority, containers=(Container("c", Requirements(limits=limits)),)),
            status=PodStatus(phase=phase, nominated_node_name=nominated),
        )

    return make


class PlacementMaker(Protocol):
    def __call__(self, name: str = "pod", node: str = "a", **fields: Any) -> Placement: ...


@pytest.fixture(scope="session")
def placed() -> PlacementMaker:
    """A placement of a pod on the first device of a node."""

    def make(
        name: str = "pod", node: str = "a", *, memory: int = 1000, device: str = "fake-0", uid: str | None = None
    ) -> Placement:
        share = Share(quantities={SLOTS: 1, MEMORY: memory, CORES: 0})
        devices = (DeviceShare(vendor="fake", device=device, share=share),)
        return Placement(
            namespace="default",
            pod=name,
            node=node,
            containers=(ContainerPlacement(container="c", devices=devices),),
            uid=f"uid-{name}" if uid is None else uid,
        )

    return make
