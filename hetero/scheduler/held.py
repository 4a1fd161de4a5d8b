"""Which placements of bound pods count, and what is kept of a pod that holds devices."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hetero.errors import WireError
from hetero.kube import objects
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.placement import Placement


class Unusable(enum.StrEnum):
    """Why a placement does not count; anyone who may edit a pod can write one."""

    UNREADABLE = "unreadable"
    ANOTHER_POD = "another pod"
    ANOTHER_NODE = "another node"


@dataclass(frozen=True, slots=True)
class Held:
    """A bound pod that holds devices.

    Attributes:
        node: Where.
        priority: The pod's; 0 when it has none.
        created: When it was created, as the API writes times: they compare as text.
    """

    node: str
    priority: int
    created: str

    @property
    def importance(self) -> tuple[int, str]:
        """Sorts pods so that the most important come first: by priority, then the older.

        Source: Kubernetes, pkg/scheduler/util, MoreImportantPod, which compares times of start.
        """
        return -self.priority, self.created


def held(pod: objects.Pod) -> Held:
    """What is kept of a pod."""
    return Held(pod.spec.node_name or "", pod.spec.priority or 0, pod.metadata.creation_timestamp or "")


def placement(pod: objects.Pod) -> Placement | Unusable | None:
    """The placement that a bound pod carries; None when it carries none."""
    text = pod.metadata.notes.get(PLACEMENT)
    if text is None:
        return None
    try:
        found = wire.decode(text, Placement)
    except WireError:
        return Unusable.UNREADABLE
    named = pod.metadata
    # The namespace as well: it says whose quota is charged.
    if not found.uid or (found.uid, found.namespace, found.pod) != (named.uid, named.namespace, named.name):
        return Unusable.ANOTHER_POD
    return found if found.node == pod.spec.node_name else Unusable.ANOTHER_NODE
