"""Which devices of one node: the whole pod, container by container, against a copy of what is free of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from hetero import log
from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.device import Device
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.policy import DevicePolicy, Policy
from hetero.model.share import Refusal
from hetero.placement.fit import OPEN, Fit, Mask, Need
from hetero.placement.ledger import Amounts, Ledger, Rows
from hetero.placement.reasons import NoRoom
from hetero.placement.score import Scorer, Scores, column_weights, fullness, opinion, preferred
from hetero.placement.search import Search, seats
from hetero.placement.together import Table, greedy
from hetero.vendor import Vendor

_log = log.logger("placement")

Chosen = list[Rows]
"""For each ask the devices that it gets, as places within the node."""


class NoRoomError(Exception):
    """An ask of the pod finds no devices on this node.

    Attributes:
        refusal: Why; None where an earlier attempt has said it.
    """

    def __init__(self, refusal: Refusal | None = None) -> None:
        super().__init__(refusal.message if refusal else "")
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
    vendors: Mapping[str, Vendor]
    scorers: Sequence[Scorer]

    def place(self, pod: PodAsk, node: int, policy: DevicePolicy) -> Placement | Refusal:
        """The pod on this node, charging nothing; or why it does not go there.

        The greedy order may spoil a fit that exists, so a pod with several asks is tried a second time with the
        tightest devices first, and then by a search that finds a fit whenever there is one.
        """
        refusal = None
        packed = msgspec.structs.replace(policy, base=Policy.BINPACK)
        for kind, preferring in ((_OneNode, policy), (_OneNode, packed), (_Searched, policy)):
            try:
                return kind(self, node, pod, preferring).place()
            except NoRoomError as no_room:
                refusal = refusal or no_room.refusal
        assert refusal is not None  # noqa: S101 — the first attempt says why
        return refusal


class _OneNode:
    """One attempt to place one pod on one node."""

    def __init__(self, chooser: Chooser, node: int, pod: PodAsk, policy: DevicePolicy) -> None:
        self._pod = pod
        self._ledger = ledger = chooser.ledger
        self._fit = chooser.fit
        self._vendors = chooser.vendors
        self._scorers = chooser.scorers
        self._policy = policy
        self._weights = column_weights(pod.weights, ledger.catalogue.dimensions)
        self._name = ledger.names[node]
        self._rows = ledger.rows(node)
        self._models = ledger.model_of[self._rows]
        self._capacity = ledger.capacity[:, self._rows]
        self._free = self._capacity - ledger.used[:, self._rows]

    def place(self) -> Placement:
        """The pod with devices of the node.

        Raises:
            NoRoomError: This attempt finds no place for it.
        """
        pod, taken = self._pod, np.zeros_like(self._free)
        containers = self._containers(pod.containers, taken, np.zeros_like(taken))
        init: list[ContainerPlacement] = []
        for container in pod.init_containers:
            # It has the node as it was, and best takes what its successors get anyway.
            alone = np.zeros_like(taken)
            init += self._containers([container], alone, taken)
            # The pod's charge grows to the greater of the two, which later init containers may use as well.
            np.maximum(taken, alone, out=taken)
        return Placement(
            namespace=pod.namespace,
            pod=pod.name,
            node=self._name,
            containers=tuple(containers),
            init_containers=tuple(init),
            uid=pod.uid,
        )

    def _containers(
        self, containers: Sequence[ContainerAsk], taken: Amounts, given: Amounts
    ) -> list[ContainerPlacement]:
        """Containers that run side by side. Adds to ``taken``; ``given`` is what the pod has of each device anyway."""
        names = [container.name for container in containers for _ in container.asks]
        idle = self._policy.idle_only
        needs = [self._fit.need(ask, idle=idle) for container in containers for ask in container.asks]
        shares = map(self._shares, needs, self._choose_all(names, needs, taken, given))
        return [
            ContainerPlacement(
                container=container.name,
                devices=tuple(share for _ in container.asks for share in next(shares)),
            )
            for container in containers
        ]

    def _choose_all(self, names: Sequence[str], needs: Sequence[Need], taken: Amounts, given: Amounts) -> Chosen:
        """Devices for all asks, the hardest first; the result is in their own order."""
        chosen: dict[int, Rows] = {}
        for ask in sorted(range(len(needs)), key=lambda ask: self._ease(needs[ask])):
            need = needs[ask]
            places = self._choose(names[ask], need, self._free - taken, given - taken)
            taken[:, places] += need.amounts[:, self._models[places]]
            chosen[ask] = places
        return [chosen[ask] for ask in range(len(needs))]

    def _ease(self, need: Need) -> tuple[int, float]:
        """Sorts the asks that are hardest to satisfy first: those with the least choice, then the largest."""
        places = self._candidates(need, self._free)
        sizes = self._fullness(need.amounts[:, self._models[places]], places)
        return places.size - need.ask.count, -float(sizes.max(initial=0.0))

    def _choose(self, container: str, need: Need, free: Amounts, given: Amounts) -> Rows:
        """The devices for one ask, as places within the node; ``given`` is what the pod has of each anyway."""
        candidates = self._candidates(need, free)
        if candidates.size:
            candidates = candidates[self._order(need, candidates, free, given)]
        groups = self._by_numa(candidates) if need.ask.selection.same_numa else [candidates]
        enough = [group for group in groups if group.size >= need.ask.count]
        if not enough:
            raise NoRoomError(NoRoom(self._ledger, self._rows, need, free, candidates.size).refusal(container))
        return self._combined(need, enough[0])

    def _candidates(self, need: Need, free: Amounts) -> Rows:
        return np.flatnonzero((need.standing(self._ledger, self._rows) == OPEN) & need.room(self._models, free))

    def _order(self, need: Need, candidates: Rows, free: Amounts, given: Amounts) -> Rows:
        amounts = need.amounts[:, self._models[candidates]]
        capacity = self._capacity[:, candidates]
        left = free[:, candidates] - amounts
        score = preferred(self._policy.base, self._fullness(capacity - left, candidates))
        if self._scorers:
            score = score + self._opinions(candidates, left)
        extra = np.zeros_like(score)
        if given.any():
            extra = self._fullness(np.maximum(amounts - np.maximum(given[:, candidates], 0), 0), candidates)
        return np.lexsort((candidates, -score, extra))

    def _fullness(self, used: Amounts, places: Rows) -> Scores:
        return fullness(used.T, self._capacity[:, places].T, self._weights)

    def _opinions(self, candidates: Rows, left: Amounts) -> Scores:
        values = []
        for place, amounts in zip(candidates.tolist(), left.T.tolist(), strict=True):
            device = self._device(place)
            named = dict(zip(self._ledger.catalogue.dimensions, amounts, strict=True))
            values.append(
                opinion(self._scorers, self._name, device, {key: named[key] for key in device.model.capacity})
            )
        return np.array(values)

    def _by_numa(self, candidates: Rows) -> list[Rows]:
        groups: dict[int, list[int]] = {}
        for place in candidates.tolist():
            groups.setdefault(self._device(place).numa, []).append(place)
        return [np.array(places, dtype=np.intp) for places in groups.values()]

    def _combined(self, need: Need, candidates: Rows) -> Rows:
        """The vendor's best set among the candidates, or the first ones when any set is as good."""
        count = need.ask.count
        devices = {self._device(place).uuid: place for place in candidates.tolist()}
        if count == 1:
            return candidates[:1]
        best = self._vendors_choice(need.ask, [self._device(place) for place in devices.values()])
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
            _log.error("combinations failed", vendor=ask.vendor, node=self._name, reason=str(error))
            return None
        return best

    def _device(self, place: int) -> Device:
        device: Device | None = self._ledger.devices[self._rows.start + place]
        assert device is not None  # noqa: S101 — rows of a node have devices
        return device

    def _shares(self, need: Need, places: Rows) -> tuple[DeviceShare, ...]:
        return tuple(
            DeviceShare(
                vendor=need.ask.vendor,
                device=self._device(place).uuid,
                share=need.share(int(self._models[place])),
                family=need.ask.family,
            )
            for place in places.tolist()
        )


class _Searched(_OneNode):
    """The last attempt: policies and vendors' sets aside, anything that fits."""

    def _choose_all(self, names: Sequence[str], needs: Sequence[Need], taken: Amounts, given: Amounts) -> Chosen:
        del names, given  # neither words nor thrift: this is about whether it goes at all
        if not needs:
            return []
        serve = [np.zeros(self._models.size, dtype=bool) for _ in needs]
        for mask, need in zip(serve, needs, strict=True):
            mask[self._candidates(need, self._free)] = True
        found = self._by_rule(needs, serve) or self._by_search(needs, serve)
        for need, places in zip(needs, found, strict=True):
            taken[:, places] += need.amounts[:, self._models[places]]
        return found

    def _by_rule(self, needs: Sequence[Need], serve: Sequence[Mask]) -> Chosen:
        """By the very rule by which all nodes are judged; nothing when it finds none."""
        line = np.newaxis
        numa = self._ledger.numa[self._rows]
        table = Table(self._models[line], numa[line], self._free[:, line].copy(), self._capacity[:, line])
        chosen = [np.flatnonzero(mask[0]) for mask in greedy(table, needs, [mask[line] for mask in serve])]
        return chosen if all(one.size == need.ask.count for one, need in zip(chosen, needs, strict=True)) else []

    def _by_search(self, needs: Sequence[Need], serve: Sequence[Mask]) -> Chosen:
        devices = seats(needs, serve, self._models, self._ledger.numa[self._rows], self._free)
        found = Search(needs, devices).run()
        if found is None:
            raise NoRoomError
        return [np.array(places, dtype=np.intp) for places in found]
