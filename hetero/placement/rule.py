"""Which sets of a node's devices may serve, where a vendor allows only some: asked, and held to its word.

A rule is not a preference: a node without a set that it allows does not serve. What was found out is remembered until
the node's devices change, for a cluster is looked at as a whole again and again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from hetero import log
from hetero.model.ask import Ask
from hetero.model.device import Device
from hetero.placement.ledger import Ledger
from hetero.vendor import Splitting, Vendor

MOST_SETS = 20_000
"""That are looked at of one answer; all halves of 16 devices are 12,870."""

_REMEMBERED = 4  # situations of each node

_log = log.logger("placement")


class Rule:
    """What a vendor allows for one ask.

    Args:
        splitting: The vendor's.
        ask: The ask.

    Attributes:
        ask: The same.
    """

    def __init__(self, splitting: Splitting, ask: Ask) -> None:
        self._splitting = splitting
        self.ask = ask
        self._known: dict[str, tuple[int, dict[bytes, bool]]] = {}

    @classmethod
    def of(cls, vendor: Vendor | None, ask: Ask) -> Rule | None:
        """None when any set may serve. A vendor that fails to say may have a rule, so that one is taken for granted."""
        if vendor is None:
            return None
        try:
            free = vendor.splitting.sets((), ask) is None
        except Exception as error:
            _failed(ask, "", error)
            free = False
        return None if free else cls(vendor.splitting, ask)

    def sets(self, devices: Sequence[Device], node: str = "") -> Iterator[list[int]]:
        """The sets of these devices that are allowed, best first, on one NUMA node each when the ask says so.

        Args:
            devices: Devices of one node that have room, in the order of preference.
            node: Its name, for the log.

        Returns:
            Positions in ``devices``; no more from where the vendor breaks its word.
        """
        if len(devices) < self.ask.count:
            return
        try:
            for found in islice(self._all(devices), MOST_SETS):
                if not self.ask.selection.same_numa or len({devices[place].numa for place in found}) == 1:
                    yield found
        except Exception as error:
            _failed(self.ask, node, error)

    def allows(self, ledger: Ledger, number: int, serve: npt.NDArray[np.bool_]) -> bool:
        """Whether any set of some of a node's devices is allowed.

        Args:
            ledger: The devices.
            number: The node.
            serve: Which of its devices.
        """
        name, shaped = ledger.names[number], int(ledger.reshaped[number])
        stamp, known = self._known.get(name, (-1, {}))
        if stamp != shaped or len(known) >= _REMEMBERED:
            known = {}
        if len(self._known) > 2 * len(ledger.names):
            self._known.clear()  # of nodes most of which are gone
        self._known[name] = (shaped, known)
        key = serve.tobytes()
        if key not in known:
            devices = ledger.devices[ledger.rows(number)]
            offered = [device for device, may in zip(devices, serve.tolist(), strict=True) if may and device]
            known[key] = next(self.sets(offered, name), None) is not None
        return known[key]

    def _all(self, devices: Sequence[Device]) -> Iterator[list[int]]:
        place = {device.uuid: position for position, device in enumerate(devices)}
        sets = self._splitting.sets(devices, self.ask)
        if sets is None:
            raise ValueError("any set may serve here, after there was a rule for the ask")
        for found in sets:
            places = [place[device.uuid] for device in found]
            if len(places) != self.ask.count or len(set(places)) != self.ask.count:
                raise ValueError(f"a set of {len(set(places))} different devices, asked {self.ask.count}")
            yield places


def _failed(ask: Ask, node: str, error: Exception) -> None:
    _log.error("sets failed", vendor=ask.vendor, node=node, reason=f"{type(error).__name__}: {error}")
