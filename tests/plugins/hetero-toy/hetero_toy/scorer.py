"""A scorer: prefers widgets that stay less than half full, for they get hot. It has no opinion on other devices."""

from __future__ import annotations

from hetero.model.device import MEMORY, Device, Quantities

WEIGHT = 0.1
"""Small against the planner's own score, which is from 0 to 1: it breaks near ties and overrules nothing."""


class KeepWidgetsCool:
    """See :class:`hetero.placement.Scorer`."""

    name = "keep-widgets-cool"

    def score(self, node: str, device: Device, left: Quantities) -> float:
        """``WEIGHT`` for a widget with more than half of its memory left."""
        del node
        cool = device.model.vendor == "toy" and 2 * left[MEMORY] > device.model.capacity[MEMORY]
        return WEIGHT if cool else 0.0
