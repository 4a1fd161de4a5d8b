"""Which devices of one node: the whole pod, container by container, against a copy of the node's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetero import log
from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.device import Device
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Refusal
from hetero.placement.fit import Fit, Need
from hetero.placement.ledger import Amounts, Ledger, Rows
from hetero.placement.reasons import NoRoom
from hetero.placement.score import Policy, Scorer, Scores, fullness, opinion, preferred
from hetero.vendor import Vendor

_log = log.logger("placement")


class NoRoomError(Exception):
    """An ask of the pod finds no devices on this node."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


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
    vendors: dict[str, Vendor]
    scorers: Sequence[Scorer]

    def place(self, pod: PodAsk, node: int, policy: Policy) -> Placement | Refusal:
        """The pod on this node, charging nothing; or why it does not go there.

        The greedy order may spoil a fit that exists, so a pod with several asks is tried a second time with the
        tightest devices first.
        """
        refusal = None
        for attempt in dict.fromkeys((policy, Policy.BINPACK)):
            try:
                return _OneNode(self, node, attempt).place(pod)
            except NoRoomError as no_room:
                refusal = refusal or no_room.refusal
        assert refusal is not None  # noqa: S101 — the loop has run at least once
        return refusal


class _OneNode:
    """One attempt on one node."""

    def __init__(self, chooser: Chooser, node: int, policy: Policy) -> None:
        self._ledger = chooser.ledger
        self._fit = chooser.fit
        self._vendors = chooser.vendors
        self._scorers = chooser.scorers
        self._policy = policy
        self._node = chooser.ledger.nodes[node]
        self._rows = chooser.ledger.rows(node)
        self._before = chooser.ledger.used[self._rows]

    def place(self, pod: PodAsk) -> Placement:
        taken = np.zeros_like(self._before)
        containers = self._side_by_side(pod.containers, taken)
        init = tuple(self._alone(container, taken) for container in pod.init_containers)
        return Placement(
            namespace=pod.namespace,
            pod=pod.name,
            node=self._node.name,
            containers=containers,
            init_containers=init,
        )

    def _side_by_side(self, containers: Sequence[ContainerAsk], taken: Amounts) -> tuple[ContainerPlacement, ...]:
        """Place the hardest asks first; the result is in the pod's order. Adds to ``taken``."""
        needs = {
            (place, position): self._fit.need(ask)
            for place, container in enumerate(containers)
            for position, ask in enumerate(container.asks)
        }
        chosen: dict[tuple[int, int], tuple[DeviceShare, ...]] = {}
        for place, position in sorted(needs, key=lambda entry: self._ease(needs[entry])):
            need = needs[place, position]
            rows = self._choose(containers[place].name, need, self._before + taken, np.zeros_like(taken))
            taken[rows] += need.amounts[self._models(rows)]
            chosen[place, position] = self._shares(need, rows)
        return tuple(
            ContainerPlacement(
                container=container.name,
                devices=tuple(share for position, _ in enumerate(container.asks) for share in chosen[place, position]),
            )
            for place, container in enumerate(containers)
        )

    def _ease(self, need: Need) -> tuple[int, float]:
        """Sorts the asks that are hardest to satisfy first: those with the least choice, then the largest."""
        rows = self._candidates(need, self._before)
        sizes = fullness(need.amounts[self._models(rows)], self._ledger.capacity[self._rows][rows])
        return rows.size - need.ask.count, -float(sizes.max(initial=0.0))

    def _alone(self, container: ContainerAsk, taken: Amounts) -> ContainerPlacement:
        """Place an init container: it has the node as it was, and best takes what its successors get anyway."""
        alone = np.zeros_like(taken)
        shares: list[DeviceShare] = []
        for ask in container.asks:
            need = self._fit.need(ask)
            rows = self._choose(container.name, need, self._before + alone, taken - alone)
            alone[rows] += need.amounts[self._models(rows)]
            shares.extend(self._shares(need, rows))
        # The pod's charge grows to the greater of the two, which later init containers may use as well.
        np.maximum(taken, alone, out=taken)
        return ContainerPlacement(container=container.name, devices=tuple(shares))

    def _choose(self, container: str, need: Need, used: Amounts, given: Amounts) -> Rows:
        """The devices for one ask, as rows within the node; ``given`` is what the pod has of each anyway."""
        candidates = self._candidates(need, used)
        if candidates.size:
            candidates = candidates[self._order(need, candidates, used, given)]
        groups = self._by_numa(candidates) if need.ask.selection.same_numa else [candidates]
        enough = [group for group in groups if group.size >= need.ask.count]
        if not enough:
            raise NoRoomError(NoRoom(self._ledger, self._rows, need, used, candidates.size).refusal(container))
        return self._combined(need, enough[0])

    def _candidates(self, need: Need, used: Amounts) -> Rows:
        first, last = np.searchsorted(need.rows, (self._rows.start, self._rows.stop))
        rows = need.rows[first:last]
        within: Rows = rows[self._fit.room(need, rows, used[rows - self._rows.start])] - self._rows.start
        return within

    def _order(self, need: Need, candidates: Rows, used: Amounts, given: Amounts) -> Rows:
        amounts = need.amounts[self._models(candidates)]
        capacity = self._ledger.capacity[self._rows][candidates]
        score = preferred(self._policy, fullness(used[candidates] + amounts, capacity))
        if self._scorers:
            score = score + self._opinions(candidates, capacity - used[candidates] - amounts)
        extra = fullness(np.maximum(amounts - np.maximum(given[candidates], 0), 0), capacity)
        return np.lexsort((candidates, -score, extra if given.any() else np.zeros_like(score)))

    def _opinions(self, candidates: Rows, left: Amounts) -> Scores:
        name = self._node.name
        values = []
        for row, amounts in zip(candidates, left, strict=True):
            device = self._device(int(row))
            named = dict(zip(self._ledger.dimensions, map(int, amounts), strict=True))
            values.append(opinion(self._scorers, name, device, {key: named[key] for key in device.model.capacity}))
        return np.array(values)

    def _by_numa(self, candidates: Rows) -> list[Rows]:
        groups: dict[int, list[int]] = {}
        for row in candidates:
            groups.setdefault(self._device(int(row)).numa, []).append(int(row))
        return [np.array(rows, dtype=np.intp) for rows in groups.values()]

    def _combined(self, need: Need, candidates: Rows) -> Rows:
        """The vendor's best set among the candidates, or the first ones when any set is as good."""
        count = need.ask.count
        devices = {self._device(int(row)).uuid: int(row) for row in candidates}
        if count == 1:
            return candidates[:1]
        best = self._vendors_choice(need.ask, [self._device(row) for row in devices.values()])
        if best is None:
            return candidates[:count]
        return np.array([devices[device.uuid] for device in best], dtype=np.intp)

    def _vendors_choice(self, ask: Ask, devices: list[Device]) -> tuple[Device, ...] | None:
        known = {device.uuid for device in devices}
        try:
            best = next(iter(self._vendors[ask.vendor].splitting.combinations(devices, ask.count)), None)
            if best is not None and (len({one.uuid for one in best} & known) != ask.count or len(best) != ask.count):
                raise ValueError(f"a combination of {len(best)} devices instead of {ask.count} of those offered")
        except Exception as error:
            _log.error("combinations failed", vendor=ask.vendor, node=self._node.name, reason=str(error))
            return None
        return best

    def _device(self, row: int) -> Device:
        device: Device = self._ledger.devices[self._rows.start + row]
        return device

    def _models(self, rows: Rows) -> Rows:
        models: Rows = self._ledger.model_of[self._rows][rows]
        return models

    def _shares(self, need: Need, rows: Rows) -> tuple[DeviceShare, ...]:
        models = self._models(rows)
        return tuple(
            DeviceShare(vendor=need.ask.vendor, device=self._device(int(row)).uuid, share=need.share(int(model)))
            for row, model in zip(rows, models, strict=True)
        )
