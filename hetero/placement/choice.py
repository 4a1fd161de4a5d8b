"""Which devices of one node: the whole pod, container by container, against a copy of what is free of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from hetero.model.ask import Ask, ContainerAsk, PodAsk, Weights
from hetero.model.device import Device
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.policy import DevicePolicy, Policy
from hetero.model.share import Reason, Refusal
from hetero.placement.fit import OPEN, Fit, Mask, Need
from hetero.placement.ledger import Amounts, Ledger, Rows
from hetero.placement.pick import Picker
from hetero.placement.reasons import NoRoom
from hetero.placement.score import DIGITS, Scorer, Scores, column_weights, opinion, preferred, scale
from hetero.placement.search import MOST_ASKS, Search, seats
from hetero.placement.single import LARGEST, Single, placement, plain
from hetero.placement.together import Table, greedy
from hetero.vendor import Vendor

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
    _scales: dict[Weights, Scores] = field(default_factory=dict)

    def _plainly(self, single: Single, pod: PodAsk, node: int, policy: DevicePolicy) -> Placement | None:
        """The quick way for the pods that ask least; None when it finds nothing."""
        found = single.place(self.ledger, node, self.scales(pod.weights).T.tolist(), policy.base)
        device = self.ledger.devices[found[0]] if found is not None else None
        if found is None or device is None:
            return None
        return placement(pod, self.ledger.names[node], single.need, device.uuid, found[1])

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
        for kind, base in ((_OneNode, policy.base), (_OneNode, Policy.BINPACK), (_Searched, policy.base)):
            preferring = policy if base is policy.base else msgspec.structs.replace(policy, base=base)
            try:
                return kind(self, node, pod, preferring).place()
            except NoRoomError as no_room:
                refusal = refusal or no_room.refusal
        assert refusal is not None  # noqa: S101 — the first attempt says why
        return refusal


@dataclass(frozen=True)
class _Wish:
    """One ask of a pod.

    Attributes:
        container: Who asks.
        need: The ask.
        serving: Which devices of the node serve it if nothing is taken of them.
    """

    container: str
    need: Need
    serving: Mask


class _OneNode:
    """One attempt to place one pod on one node."""

    def __init__(self, chooser: Chooser, node: int, pod: PodAsk, policy: DevicePolicy) -> None:
        self._pod = pod
        self._ledger = ledger = chooser.ledger
        self._fit = chooser.fit
        self._picker = Picker(chooser.vendors, policy)
        self._scorers = chooser.scorers
        self._policy = policy
        self._name = ledger.names[node]
        self._rows = ledger.rows(node)
        self._models = ledger.model_of[self._rows]
        self._capacity = ledger.capacity[:, self._rows]
        self._free = self._capacity - ledger.used[:, self._rows]
        self._scales = chooser.scales(pod.weights)[:, self._models]

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
        wishes = [self._wish(container.name, ask) for container in containers for ask in container.asks]
        shares = map(self._shares, wishes, self._choose_all(wishes, taken, given))
        return [
            ContainerPlacement(
                container=container.name,
                devices=tuple(share for _ in container.asks for share in next(shares)),
            )
            for container in containers
        ]

    def _wish(self, container: str, ask: Ask) -> _Wish:
        need = self._fit.need(ask, idle=self._policy.idle_only)
        return _Wish(container, need, need.standing(self._ledger, self._rows) == OPEN)

    def _choose_all(self, wishes: Sequence[_Wish], taken: Amounts, given: Amounts) -> Chosen:
        """Devices for all asks, the hardest first; the result is in their own order."""
        chosen: dict[int, Rows] = {}
        order = range(len(wishes))
        for ask in sorted(order, key=lambda ask: self._ease(wishes[ask])) if len(order) > 1 else order:
            places = self._choose(wishes[ask], self._free - taken, given - taken)
            taken[:, places] += wishes[ask].need.amounts[:, self._models[places]]
            chosen[ask] = places
        return [chosen[ask] for ask in order]

    def _ease(self, wish: _Wish) -> tuple[int, float]:
        """Sorts the asks that are hardest to satisfy first: those with the least choice, then the largest."""
        places = self._candidates(wish, self._free)
        sizes = self._fullness(wish.need.amounts[:, self._models[places]], places)
        return places.size - wish.need.ask.count, -float(sizes.max(initial=0.0))

    def _choose(self, wish: _Wish, free: Amounts, given: Amounts) -> Rows:
        """The devices for one ask, as places within the node; ``given`` is what the pod has of each anyway."""
        places = self._candidates(wish, free)
        amounts = wish.need.amounts[:, self._models[places]]
        extra = None
        if given.any():
            extra = self._fullness(np.maximum(amounts - np.maximum(given[:, places], 0), 0), places)
        devices = [self._device(place) for place in places.tolist()]
        scores = self._scores(places, free[:, places] - amounts)
        picked = self._picker.pick(wish.need.ask, devices, scores, extra=extra, node=self._name)
        if picked is None:
            no_room = NoRoom(self._ledger, self._rows, wish.need, free, places.size)
            raise NoRoomError(no_room.refusal(wish.container))
        return places[picked]

    def _candidates(self, wish: _Wish, free: Amounts) -> Rows:
        return np.flatnonzero(wish.serving & wish.need.room(self._models, free))

    def _scores(self, places: Rows, left: Amounts) -> Scores:
        """How good each device is with so much left of it."""
        score = preferred(self._policy.base, self._fullness(self._capacity[:, places] - left, places))
        return score + self._opinions(places, left) if self._scorers and places.size else score

    def _fullness(self, used: Amounts, places: Rows) -> Scores:
        full: Scores = (used * self._scales[:, places]).sum(axis=0).round(DIGITS)
        return full

    def _opinions(self, candidates: Rows, left: Amounts) -> Scores:
        values = []
        for place, amounts in zip(candidates.tolist(), left.T.tolist(), strict=True):
            device = self._device(place)
            named = dict(zip(self._ledger.catalogue.dimensions, amounts, strict=True))
            values.append(
                opinion(self._scorers, self._name, device, {key: named[key] for key in device.model.capacity})
            )
        return np.array(values)

    def _device(self, place: int) -> Device:
        device: Device | None = self._ledger.devices[self._rows.start + place]
        assert device is not None  # noqa: S101 — rows of a node have devices
        return device

    def _shares(self, wish: _Wish, places: Rows) -> tuple[DeviceShare, ...]:
        need = wish.need
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

    def _choose_all(self, wishes: Sequence[_Wish], taken: Amounts, given: Amounts) -> Chosen:
        del given  # no thrift: this is about whether it goes at all
        if not wishes:
            return []
        needs = [wish.need for wish in wishes]
        serve = [wish.serving & wish.need.room(self._models, self._free) for wish in wishes]
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
