"""The ledger for reading: who holds or is promised what, and what is left. For tests and for who looks for a defect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hetero.model.device import Quantities
from hetero.model.placement import Placement
from hetero.scheduler.cluster import Cluster


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What ``/ledger`` answers.

    Attributes:
        pods: Placements that the cluster shows, by the pods' UID.
        grants: Placements that are promised, by UID, with how far they have come.
        free: Node to device to what is left of it.
        overcommitted: Node to the devices of which more is charged than they have.
    """

    pods: dict[str, Placement]
    grants: dict[str, tuple[str, Placement]]
    free: dict[str, dict[str, Quantities]]
    overcommitted: dict[str, list[str]]


def ledger(cluster: Cluster) -> Ledger:
    """The ledger as it is now. O(devices + pods), under the lock: not for what is asked often."""
    with cluster.lock:
        planner, books = cluster.planner, cluster.books
        shown = {key: planner.charged(key) for key in books.shown()}
        return Ledger(
            pods={key: placement for key, placement in shown.items() if placement is not None},
            grants={one.placement.key: (str(one.kind), one.placement) for one in books.grants.all()},
            free=planner.free_quantities(),
            overcommitted=planner.overcommitted(),
        )


def endpoint(cluster: Cluster) -> Callable[[Request], Awaitable[Response]]:
    """Answers with the ledger, as JSON."""

    async def handler(_: Request) -> Response:
        return Response(msgspec.json.encode(ledger(cluster)), media_type="application/json")

    return handler
