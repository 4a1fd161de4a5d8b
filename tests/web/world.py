"""A cluster that is filled by hand, and the application over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from asking import Client

from hetero.kube import objects
from hetero.kube.objects import Container, Metadata, PodSpec, PodStatus, Requirements
from hetero.model import wire
from hetero.model.annotations import INVENTORY, PLACEMENT
from hetero.model.device import Node
from hetero.model.placement import Placement
from hetero.monitoring.report import NodeReport
from hetero.testing.fake import fake_vendor
from hetero.web.access import Access, Open
from hetero.web.app import Dashboard, Kitchen
from hetero.web.hub import Hub
from hetero.web.state import State

NOW = 1_800_000_000.0


def vendors() -> dict[str, Any]:
    """Two of them."""
    return {"fake": fake_vendor(), "other": fake_vendor("other")}


class World:
    """A state, with words to fill it."""

    def __init__(self) -> None:
        self.now = NOW
        self.state = State(vendors(), clock=lambda: self.now)
        self._pods: dict[str, objects.Pod] = {}

    def node(self, node: Node, notes: Mapping[str, str] | None = None) -> None:
        annotations = {INVENTORY: wire.encode(node), **(notes or {})}
        self.state.cluster.nodes.put(objects.Node(metadata=Metadata(name=node.name, annotations=annotations)))

    def pod(self, name: str, limits: Mapping[str, str] | None = None, **fields: Any) -> objects.Pod:
        """A pod that waits."""
        made = pod(name, limits or {"fake.example/npu": "1", "fake.example/npumem": "1000"}, **fields)
        self.state.pods.put(made)
        self._pods[made.metadata.uid] = made
        return made

    def place(self, name: str, limits: Mapping[str, str] | None = None, **fields: Any) -> str:
        """A pod where the planner puts it; the node, or empty where it waits."""
        made = self.pod(name, limits, **fields)
        cluster = self.state.cluster
        ask = cluster.asks.read(made)
        best = cluster.planner.options(ask).best()
        if best is None:
            return ""
        placed = cluster.planner.place_on(ask, best)
        assert isinstance(placed, Placement)
        made = self._pods[made.metadata.uid] = pod(name, limits or dict(LIMITS), placed=placed, **fields)
        self.state.pods.put(made)
        return best

    def shown(self) -> list[objects.Pod]:
        """All pods, as the API has them."""
        return list(self._pods.values())

    def report(self, report: NodeReport) -> None:
        self.state.reports.put(report.node, report, self.now)


LIMITS = {"fake.example/npu": "1", "fake.example/npumem": "1000"}


def pod(
    name: str,
    limits: Mapping[str, str],
    *,
    namespace: str = "default",
    placed: Placement | None = None,
    phase: str | None = None,
    created: str = "2026-01-01T00:00:00Z",
    init: Mapping[str, str] | None = None,
    scheduler: str = "hetero-scheduler",
) -> objects.Pod:
    """A pod of one container, and an init container where that asks anything."""
    notes = {} if placed is None else {PLACEMENT: wire.encode(placed)}
    before = (Container("before", Requirements(limits=dict(init))),) if init else None
    return objects.Pod(
        metadata=Metadata(
            name=name, namespace=namespace, uid=f"uid-{namespace}-{name}", annotations=notes, creation_timestamp=created
        ),
        spec=PodSpec(
            node_name=placed.node if placed else None,
            scheduler_name=scheduler,
            containers=(Container("main", Requirements(limits=dict(limits))),),
            init_containers=before,
        ),
        status=PodStatus(phase=phase),
    )


@contextmanager
def served(state: State, access: Access | None = None, **options: Any) -> Iterator[Client]:
    """The application over a state, with a client of it; pages are looked at many times a second."""
    kitchen = Kitchen(state)
    hub = options.pop("hub", None) or Hub(kitchen.stamp, tick=0.01, beat=options.pop("beat", 15.0))
    dashboard = Dashboard(kitchen, access or Open(), hub=hub, **options)
    client = Client(dashboard.app)
    try:
        yield client
    finally:
        dashboard.close()
        client.close()
