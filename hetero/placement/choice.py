"""Which devices of one node: the whole pod, in several attempts of which the last finds whatever there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from hetero.model.ask import PodAsk, Weights
from hetero.model.placement import Placement
from hetero.model.policy import DevicePolicy, Policy
from hetero.model.share import Reason, Refusal
from hetero.placement.attempt import Attempt, NoRoomError, Searched, Site
from hetero.placement.fit import Fit
from hetero.placement.ledger import Ledger
from hetero.placement.score import Scorer, Scores, column_weights, scale
from hetero.placement.search import MOST_ASKS
from hetero.placement.single import LARGEST, Single, placement, plain
from hetero.vendor import Vendor


@dataclass(frozen=True)
class Chooser:
    """Chooses devices for pods on single nodes.

    Attributes:
        ledger: The devices and what is taken.
        fit: Which have room.
        vendors: By name.
        scorers: The plugins' say.
    """

    ledger: Ledger
    fit: Fit
    vendors: Mapping[str, Vendor]
    scorers: Sequence[Scorer]
    _scales: dict[Weights, Scores] = field(default_factory=dict)

    def scales(self, weights: Weights) -> Scores:
        """What one unit of each dimension adds to the fullness of a device of each model."""
        table = self._scales.get(weights)
        catalogue = self.ledger.catalogue
        if table is None or table.shape[1] != catalogue.size:
            self._scales.clear()
            columns = column_weights(weights, catalogue.dimensions)
            table = self._scales[weights] = scale(catalogue.capacity.T, columns).T
        return table

    def place(self, pod: PodAsk, node: int, policy: DevicePolicy, single: Single | None = None) -> Placement | Refusal:
        """The pod on this node, charging nothing; or why it does not go there.

        The greedy order may spoil a fit that exists, so a pod with several asks is tried a second time with the
        tightest devices first, and then by a search that finds a fit whenever there is one.

        Args:
            pod: The pod.
            node: Number of the node.
            policy: Over its devices.
            single: The pod's only ask, if it is a plain one.
        """
        if single is not None and plain(pod, policy) and self.ledger.sizes[node] <= LARGEST:
            placed = self._plainly(single, pod, node, policy)
            if placed is not None:
                return placed
        if sum(len(one.asks) for one in (*pod.containers, *pod.init_containers)) > MOST_ASKS:
            message = f"the pod asks for devices more often than the {MOST_ASKS} times that are placed together"
            return Refusal(reason=Reason.TOO_FEW_DEVICES, message=message)
        refusal = None
        site = Site(self.ledger, node, self.fit, self.vendors, self.scorers, self.scales(pod.weights))
        for kind, base in ((Attempt, policy.base), (Attempt, Policy.BINPACK), (Searched, policy.base)):
            preferring = policy if base is policy.base else msgspec.structs.replace(policy, base=base)
            try:
                return kind(site, pod, preferring).place()
            except NoRoomError as no_room:
                refusal = refusal or no_room.refusal
        assert refusal is not None  # noqa: S101 — the first attempt says why
        return refusal

    def _plainly(self, single: Single, pod: PodAsk, node: int, policy: DevicePolicy) -> Placement | None:
        """The quick way for the pods that ask least; None when it finds nothing."""
        found = single.place(self.ledger, node, self.scales(pod.weights).T.tolist(), policy.base)
        device = self.ledger.devices[found.row] if found is not None else None
        if found is None or device is None:
            return None
        return placement(pod, self.ledger.names[node], device.uuid, single.need, found)
