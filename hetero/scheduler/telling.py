"""The events of pods, under the reasons that people grep for.

Source: Project-HAMi/HAMi v2.10, pkg/scheduler/event.go.
"""

from __future__ import annotations

from typing import Literal, Protocol

from hetero.kube.objects import Metadata


class Teller(Protocol):
    """Posts events (:class:`hetero.kube.events.Events`)."""

    def post(self, pod: Metadata, kind_of: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Never blocks, never raises."""


class Telling:
    """Tells pods what became of them.

    Args:
        events: The way there.
        success: Tell of what went well, too.
    """

    def __init__(self, events: Teller, *, success: bool = False) -> None:
        self._events = events
        self._success = success

    def fits_nowhere(self, pod: Metadata, why: str) -> None:
        """No node serves."""
        self._events.post(pod, "Warning", "FilteringFailed", why)

    def unbound(self, pod: Metadata, why: str) -> None:
        """A Binding failed; the pod is tried again."""
        self._events.post(pod, "Warning", "BindingFailed", why)

    def bound(self, pod: Metadata, node: str) -> None:
        """It has its node and its devices."""
        if self._success:
            self._events.post(pod, "Normal", "BindingSucceed", f"bound to {node} with its devices")
