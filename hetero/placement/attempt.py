"""One attempt to give a pod devices of one node: container by container, against a copy of what is free of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.device import Device
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.policy import DevicePolicy
from hetero.model.share import Refusal
from hetero.placement.fit import OPEN, Fit, Mask, Need
from hetero.placement.ledger import Amounts, Ledger, Rows
from hetero.placement.pick import Picker
from hetero.placement.reasons import NoRoom
from hetero.placement.score import DIGITS, Scorer, Scores, opinion, preferred
from hetero.placement.search import Search, bound, seats
from hetero.placement.together import Table, greedy
from hetero.vendor import Vendor


class Taken(NamedTuple):
    """What one ask gets.

    Attributes:
        places: The devices, as places within the node.
        ways: Which of its shares each of them gives.
        amounts: What that takes, line by line.
    """

    places: Rows
    ways: Rows
    amounts: Amounts


Chosen = list[Taken]
"""What each ask gets."""


class NoRoomError(Exception):
    """An ask of the pod finds no devices on this node.

    Attributes:
        refusal: Why; None where an earlier attempt has said it.
    """

    def __init__(self, refusal: Refusal | None = None) -> None:
        super().__init__(refusal.message if refusal else "")
        self.refusal = refusal


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


@dataclass(frozen=True)
class Site:
    """Where a pod is to go.

    Attributes:
        ledger: The devices and what is taken.
        node: Number of the node.
        fit: Which devices have room.
        vendors: By name.
        scorers: The plugins' say.
        scales: What one unit of each dimension adds to the fullness of a device of each model.
    """

    ledger: Ledger
    node: int
    fit: Fit
    vendors: Mapping[str, Vendor]
    scorers: Sequence[Scorer]
    scales: Scores


class Attempt:
    """One attempt to place one pod on one node.

    Args:
        site: The node.
        pod: The pod.
        policy: Over the devices.
    """

    def __init__(self, site: Site, pod: PodAsk, policy: DevicePolicy) -> None:
        self._pod = pod
        self._ledger = ledger = site.ledger
        self._fit = site.fit
        self._picker = Picker(site.vendors, policy)
        self._scorers = site.scorers
        self._policy = policy
        self._name = ledger.names[site.node]
        self._rows = ledger.rows(site.node)
        self._models = ledger.model_of[self._rows]
        self._capacity = ledger.capacity[:, self._rows]
        self._free = self._capacity - ledger.used[:, self._rows]
        self._scales = site.scales[:, self._models]

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
        chosen: dict[int, Taken] = {}
        order = range(len(wishes))
        for ask in sorted(order, key=lambda ask: self._ease(wishes[ask])) if len(order) > 1 else order:
            chosen[ask] = self._choose(wishes[ask], self._free - taken, given - taken)
            taken[:, chosen[ask].places] += chosen[ask].amounts
        return [chosen[ask] for ask in order]

    def _ease(self, wish: _Wish) -> tuple[int, float]:
        """Sorts the asks that are hardest to satisfy first: those with the least choice, then the largest."""
        places = self._candidates(wish, self._free)
        sizes = self._fullness(wish.need.amounts[:, self._models[places]], places)
        return places.size - wish.need.ask.count, -float(sizes.max(initial=0.0))

    def _choose(self, wish: _Wish, free: Amounts, given: Amounts) -> Taken:
        """The devices for one ask; ``given`` is what the pod has of each anyway."""
        places = self._candidates(wish, free)
        had = given[:, places] if given.any() else None
        ways, amounts = wish.need.taken(self._models[places], free[:, places], had)
        extra = None if had is None else self._fullness(np.maximum(amounts - np.maximum(had, 0), 0), places)
        devices = [self._device(place) for place in places.tolist()]
        scores = self._scores(places, free[:, places] - amounts)
        if wish.need.waste is not None:
            scores = scores - wish.need.waste[self._models[places]]
        picked = self._picked(wish.need, devices, scores, extra)
        if picked is None:
            no_room = NoRoom(self._ledger, self._rows, wish.need, free, places.size)
            raise NoRoomError(no_room.refusal(wish.container))
        return Taken(places[picked], ways[picked], amounts[:, picked])

    def _picked(self, need: Need, devices: Sequence[Device], scores: Scores, extra: Scores | None) -> list[int] | None:
        if need.rule is None:
            return self._picker.pick(need.ask, devices, scores, extra=extra, node=self._name)
        return self._picker.allowed(need.rule, devices, scores, extra=extra, node=self._name)

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

    def _shares(self, wish: _Wish, taken: Taken) -> tuple[DeviceShare, ...]:
        need = wish.need
        return tuple(
            DeviceShare(
                vendor=need.ask.vendor,
                device=self._device(place).uuid,
                share=need.share(int(self._models[place]), way),
                family=need.ask.family,
            )
            for place, way in zip(taken.places.tolist(), taken.ways.tolist(), strict=True)
        )


class Searched(Attempt):
    """The last attempt: what policies and vendors prefer aside, anything that fits."""

    def _choose_all(self, wishes: Sequence[_Wish], taken: Amounts, given: Amounts) -> Chosen:
        del given  # no thrift: this is about whether it goes at all
        if not wishes:
            return []
        needs = [wish.need for wish in wishes]
        serve = [wish.serving & wish.need.room(self._models, self._free) for wish in wishes]
        found = self._by_rule(needs, serve) or self._by_search(needs, serve)
        for places, _, amounts in found:
            taken[:, places] += amounts
        return found

    def _by_rule(self, needs: Sequence[Need], serve: Sequence[Mask]) -> Chosen:
        """By the very rule by which all nodes are judged; nothing when it finds none."""
        if bound(needs):
            return []
        line = np.newaxis
        numa = self._ledger.numa[self._rows]
        table = Table(self._models[line], numa[line], self._free[:, line].copy(), self._capacity[:, line])
        given = greedy(table, needs, [mask[line] for mask in serve])
        if any(np.count_nonzero(one.devices) != need.ask.count for one, need in zip(given, needs, strict=True)):
            return []
        places = [np.flatnonzero(one.devices[0]) for one in given]
        return [
            self._taken(need, some, one.ways[0][some]) for need, some, one in zip(needs, places, given, strict=True)
        ]

    def _by_search(self, needs: Sequence[Need], serve: Sequence[Mask]) -> Chosen:
        devices = seats(needs, serve, self._models, self._ledger.numa[self._rows], self._free)
        records = [self._device(place) for place in range(len(devices))] if bound(needs) else ()
        found = Search(needs, devices, records).run()
        if found is None:
            raise NoRoomError
        tables = [np.array(some, dtype=np.intp) for some in found]
        return [self._taken(need, table[:, 0], table[:, 1]) for need, table in zip(needs, tables, strict=True)]

    def _taken(self, need: Need, places: Rows, ways: Rows) -> Taken:
        return Taken(places, ways, need.amounts_of(self._models[places], ways))
