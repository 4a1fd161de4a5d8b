"""The planner with what the service asks of it beyond placing: quotas, and a look at what is promised too much."""

from __future__ import annotations

from collections.abc import Sequence

from hetero import placement
from hetero.model.ask import PodAsk, Traits
from hetero.model.placement import Placement
from hetero.model.share import Refusal
from hetero.placement.quota import Quota


class Planner(placement.Planner):
    """Quotas are not counted at placement yet."""

    def charge(self, placement: Placement, traits: Traits = Traits()) -> None:  # noqa: ARG002, B008
        """Account for a pod."""
        super().charge(placement)

    def put_quotas(self, namespace: str, quotas: Sequence[Quota]) -> None:
        """Take note of a namespace's quotas."""

    def quota_refusal(self, namespace: str, ask: PodAsk) -> Refusal | None:  # noqa: ARG002
        """Why quotas leave no room."""
        return None

    def overcommitted(self) -> dict[str, list[str]]:
        """Devices of which more is charged than they have, by node."""
        return {}
