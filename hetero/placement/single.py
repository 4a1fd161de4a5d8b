"""One plain ask on one node, in plain numbers.

Most pods ask once, and between two of them one node changes. On the dozen devices of a node numpy costs more than it
saves, so that this, which says the very same, is several times as quick. What is less plain goes the general way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hetero.model.ask import PodAsk, Selection
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.policy import DevicePolicy, Policy
from hetero.placement.fit import NOTHING, OPEN, Need
from hetero.placement.ledger import Ledger
from hetero.placement.score import DIGITS, Scores

LARGEST = 32
"""Devices of a node: with more, all at once is quicker than one by one."""

_UNIT = 10.0**DIGITS


class Found(NamedTuple):
    """A device for an ask.

    Attributes:
        row: The device.
        model: Number of its model.
        way: Number of the share that it gives.
    """

    row: int
    model: int
    way: int


class Single:
    """An ask for which no plugin, NUMA node, identity or set of devices matters.

    Args:
        need: The ask.
    """

    def __init__(self, need: Need) -> None:
        self.need = need
        self._floors = [
            None if code != OPEN else [(line, amount) for line, amount in enumerate(floor) if amount != NOTHING]
            for code, floor in zip(need.codes.tolist(), need.floor.T.tolist(), strict=True)
        ]
        self._amounts: list[list[int]] = need.amounts.T.tolist()
        self._waste: list[float] = [0.0] * len(self._floors) if need.waste is None else need.waste.tolist()
        # Only of models on which a share has a position: the lines of the places that each way takes.
        self._ways = [need.ways.places(model) if need.ways else () for model in range(len(self._floors))]

    @classmethod
    def of(cls, need: Need) -> Single | None:
        """None when the ask is not so plain."""
        selection = need.ask.selection
        plain = Selection(use_models=selection.use_models, avoid_models=selection.avoid_models)
        return cls(need) if selection == plain and need.rule is None else None

    def score(self, ledger: Ledger, number: int, scale: Scores, policy: Policy) -> float | None:
        """How good a node is with the ask on it; None when it does not fit, for whatever reason.

        Args:
            ledger: The nodes.
            number: The node.
            scale: What one unit of each dimension adds to its fullness.
            policy: Over nodes.
        """
        rows, wanted = ledger.rows(number), self.need.ask.count
        models = [model for _, model in self._room(ledger, rows)]
        if len(models) < wanted:
            return None
        amounts = self._amounts[models[0]]  # the first that has room stands for the others
        used = ledger.node_used[:, number].tolist()
        after = [
            (taken + amount * wanted) * unit for taken, amount, unit in zip(used, amounts, scale.tolist(), strict=True)
        ]
        return _preferred(sum(after), policy) - self._waste[models[0]]

    def place(self, ledger: Ledger, number: int, scales: list[list[float]], policy: Policy) -> Found | None:
        """The best device of a node; of equally good ones the first. None when none has room.

        Args:
            ledger: The nodes.
            number: The node.
            scales: For each model what one unit of each dimension adds to the fullness of a device.
            policy: Over devices.
        """
        rows, best, found = ledger.rows(number), -1.0, None
        used = ledger.used[:, rows].T.tolist()
        for place, model in self._room(ledger, rows):
            after = [
                (taken + amount) * unit
                for taken, amount, unit in zip(used[place], self._amounts[model], scales[model], strict=True)
            ]
            score = _preferred(sum(after), policy) - self._waste[model]
            if found is None or score > best:
                best, found = score, (place, model)
        if found is None:
            return None
        place, model = found
        left = (ledger.capacity[:, rows.start + place] - ledger.used[:, rows.start + place]).tolist()
        return Found(rows.start + place, model, self._way(model, left))

    def _room(self, ledger: Ledger, rows: slice) -> Iterator[tuple[int, int]]:
        """The devices that have room: place within the node, and model."""
        free = (ledger.capacity[:, rows] - ledger.used[:, rows]).T.tolist()
        models, states = ledger.model_of[rows].tolist(), ledger.state[rows].tolist()
        for place, (model, state, left) in enumerate(zip(models, states, free, strict=True)):
            floors = None if state else self._floors[model]
            if floors is None or not all(left[line] >= amount for line, amount in floors):
                continue
            if not self._ways[model] or self._way(model, left) >= 0:
                yield place, model

    def _way(self, model: int, left: list[int]) -> int:
        """The first way that fits; -1 where none does, 0 where there is but one."""
        ways = enumerate(self._ways[model] or ((),))
        return next((way for way, lines in ways if all(left[line] > 0 for line in lines)), -1)


def plain(pod: PodAsk, policy: DevicePolicy) -> bool:
    """Whether a pod asks once, for one device, which fullness alone chooses."""
    if len(pod.containers) != 1 or pod.init_containers or len(pod.containers[0].asks) != 1:
        return False
    return pod.containers[0].asks[0].count == 1 and not (policy.numa or policy.topology)


def placement(pod: PodAsk, node: str, device: str, need: Need, found: Found) -> Placement:
    """The pod with its one device."""
    ask = need.ask
    share = DeviceShare(vendor=ask.vendor, device=device, share=need.share(found.model, found.way), family=ask.family)
    held = ContainerPlacement(container=pod.containers[0].name, devices=(share,))
    return Placement(namespace=pod.namespace, pod=pod.name, node=node, containers=(held,), uid=pod.uid)


def _preferred(full: float, policy: Policy) -> float:
    rounded = round(full * _UNIT) / _UNIT  # as numpy rounds
    return rounded if policy is Policy.BINPACK else 1.0 - rounded
