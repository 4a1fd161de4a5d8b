"""Pods and planners in few words. Memory is in round numbers, so that sums can be read off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import pytest

from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.device import Inventory, Node
from hetero.placement import Planner
from hetero.testing.fake import fake_vendor
from hetero.vendor import Vendor

Asks = Ask | Iterable[Ask]


class AskMaker(Protocol):
    def __call__(self, memory: int | None = 1000, **fields: Any) -> Ask: ...


class PodMaker(Protocol):
    def __call__(self, *containers: Asks, init: Iterable[Asks] = (), **fields: Any) -> PodAsk: ...


class PlannerMaker(Protocol):
    def __call__(self, *nodes: Node, vendors: Mapping[str, Vendor] | None = None, **settings: Any) -> Planner: ...


@pytest.fixture(scope="session")
def ask() -> AskMaker:
    """An ask of the fake vendor for 1000 MiB, if nothing else is said."""

    def make(memory: int | None = 1000, **fields: Any) -> Ask:
        return Ask(**{"vendor": "fake", "memory": memory, **fields})

    return make


@pytest.fixture(scope="session")
def pod() -> PodMaker:
    """A pod with a container for each argument: ``c0``, ``c1`` and so on; init containers are ``i0``, ``i1``."""

    def named(letter: str, containers: Iterable[Asks]) -> tuple[ContainerAsk, ...]:
        return tuple(
            ContainerAsk(name=f"{letter}{index}", asks=(asks,) if isinstance(asks, Ask) else tuple(asks))
            for index, asks in enumerate(containers)
        )

    def make(*containers: Asks, init: Iterable[Asks] = (), **fields: Any) -> PodAsk:
        settings = {"name": "pod", **fields}
        return PodAsk(containers=named("c", containers), init_containers=named("i", init), **settings)

    return make


@pytest.fixture(scope="session")
def vendors() -> dict[str, Vendor]:
    """Two vendors that split alike."""
    return {name: fake_vendor(name) for name in ("fake", "other")}


@pytest.fixture(scope="session")
def planner(vendors: dict[str, Vendor]) -> PlannerMaker:
    """A planner over these nodes, with both vendors if nothing else is said."""
    default = vendors

    def make(*nodes: Node, vendors: Mapping[str, Vendor] | None = None, **settings: Any) -> Planner:
        return Planner(Inventory(nodes=nodes), default if vendors is None else vendors, **settings)

    return make
