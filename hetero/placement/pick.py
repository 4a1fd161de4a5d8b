"""Which of the devices of a node that have room: by score, NUMA node, and the vendor's sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hetero import log
from hetero.model.ask import Ask
from hetero.model.device import Device
from hetero.model.policy import DevicePolicy
from hetero.placement.rule import Rule
from hetero.placement.score import Scores, arranged
from hetero.vendor import Vendor

_log = log.logger("placement")


class Picker:
    """Picks devices as one policy has it.

    Args:
        vendors: By name.
        policy: The policy; that devices must be idle is looked at by who says which have room.
    """

    def __init__(self, vendors: Mapping[str, Vendor], policy: DevicePolicy) -> None:
        self._vendors = vendors
        self._policy = policy

    def pick(
        self, ask: Ask, devices: Sequence[Device], score: Scores, *, extra: Scores | None = None, node: str = ""
    ) -> list[int] | None:
        """The devices of one ask.

        A vendor's sets go before the policy's order where the policy is ``topology-aware``, and then for a single
        device as well. Otherwise they decide among devices that the policy likes best and equally.

        Args:
            ask: How many, and whether on one NUMA node.
            devices: Those that have room; of equal ones the first is taken.
            score: Of each, higher is better.
            extra: What of the share the pod does not have of each device anyway, 0 to 1: less goes before the score.
            node: Its name, for the log.

        Returns:
            Positions in ``devices``, in the order in which the container sees them; None when there are too few.
        """
        if len(devices) < ask.count:
            return None
        worth = score if extra is None else _worth(score, extra)
        order = self._order(ask, devices, worth)
        if len(order) < ask.count:
            return None
        offered = self._offered(ask, devices, worth, order)
        best = self._vendors_best(ask, [devices[place] for place in offered], node) if offered else None
        return [offered[one] for one in best] if best else order[: ask.count]

    def allowed(
        self, rule: Rule, devices: Sequence[Device], score: Scores, *, extra: Scores | None = None, node: str = ""
    ) -> list[int] | None:
        """The devices of an ask for which the vendor allows only some sets: its first, whatever the policy.

        Args:
            rule: The vendor's.
            devices: As for :meth:`pick`, and so are the others.
            score: Of each.
            extra: What the pod does not have of each anyway.
            node: Its name, for the log.

        Returns:
            As :meth:`pick`; None also when no set is allowed.
        """
        order = self._arranged(rule.ask, devices, score if extra is None else _worth(score, extra))
        found = next(rule.sets([devices[place] for place in order], node), None)
        return None if found is None else [order[place] for place in found]

    def _order(self, ask: Ask, devices: Sequence[Device], worth: Scores) -> list[int]:
        """Those that may be taken, best first; none of other NUMA nodes when all must be of one."""
        order = self._arranged(ask, devices, worth)
        bound = ask.selection.same_numa
        return [place for place in order if not bound or devices[place].numa == devices[order[0]].numa]

    def _arranged(self, ask: Ask, devices: Sequence[Device], worth: Scores) -> list[int]:
        """All of them, best first."""
        bound = ask.selection.same_numa
        if not (bound or self._policy.numa):
            return (-worth).argsort(kind="stable").tolist()  # type: ignore[no-any-return]
        numa = np.array([device.numa for device in devices], dtype=np.intp)
        return arranged(worth, numa, ask.count, numa_first=bound or self._policy.numa_first).tolist()  # type: ignore[no-any-return]

    def _offered(self, ask: Ask, devices: Sequence[Device], worth: Scores, order: list[int]) -> list[int]:
        """Among which the vendor chooses: all, or those that the policy likes as much as the best; maybe none."""
        if self._policy.topology:
            return order
        if ask.count == 1:
            return []
        best = order[0]
        near = [place for place in order if not self._policy.numa or devices[place].numa == devices[best].numa]
        alike = [place for place in near if worth[place] == worth[best]]
        return alike if len(alike) >= ask.count else []

    def _vendors_best(self, ask: Ask, offered: list[Device], node: str) -> list[int] | None:
        """The vendor's first set, as positions; None when it has no preference, or breaks its word."""
        place = {device.uuid: position for position, device in enumerate(offered)}
        try:
            found = next(iter(self._vendors[ask.vendor].splitting.combinations(offered, ask.count)), None)
            if found is None:
                return None
            best = [place[device.uuid] for device in found]
            if len(best) != ask.count or len(set(best)) != ask.count:
                raise ValueError(f"a combination of {len(best)} devices instead of {ask.count} of those offered")
        except Exception as error:
            _log.error("combinations failed", vendor=ask.vendor, node=node, reason=f"{type(error).__name__}: {error}")
            return None
        return best


def _worth(score: Scores, extra: Scores) -> Scores:
    """One number for both: equal where both are equal."""
    order = np.lexsort((-score, extra))
    steps = (np.diff(score[order]) != 0) | (np.diff(extra[order]) != 0)
    worth = np.zeros(score.size)
    worth[order[1:]] = -np.cumsum(steps)
    return worth
