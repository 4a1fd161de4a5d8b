"""What the agent says in events: about the container runtime, and about pods that fail or take what is not theirs.

Source of the reason: Kubernetes, pkg/kubelet/lifecycle, ``UnexpectedAdmissionError``; of its text: cm/devicemanager,
and what grpc-go says of a connection that breaks, which may name the plugin's socket and may name nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import Literal, Protocol

from hetero.agent.node import Node
from hetero.agent.pods import Pod
from hetero.agent.slices import REGION_INSIDE
from hetero.allocation.registration import socket_name
from hetero.kube.objects import Metadata

ADMISSION = "UnexpectedAdmissionError"
"""``status.reason`` of a pod that the kubelet did not admit although it was bound to its node."""

BROKEN = tuple(f"Allocate failed due to rpc error: code = {code}" for code in ("Unavailable", "Canceled"))
"""How the text begins when a plugin died while it was asked, or the kubelet closed its way there for that reason; ours
fails this call in no other way."""

REMEMBERED = 1024
"""Pods of which it is known that they were told."""


class Teller(Protocol):
    """Posts events (:class:`hetero.kube.events.Events`)."""

    def post(self, pod: Metadata, kind_of: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Never blocks, never raises."""

    def post_node(self, node: Metadata, kind_of: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Never blocks, never raises."""


class Telling:
    """Tells each thing once.

    Args:
        events: The way there.
        resources: Names of this agent's resources.
    """

    def __init__(self, events: Teller, resources: Collection[str]) -> None:
        self._events = events
        self._resources = frozenset(resources)
        self._marks = (*resources, *map(socket_name, resources))
        self._told: OrderedDict[str, None] = OrderedDict()

    def look(self, pod: Pod) -> None:
        """Tell the owner of a pod that was failed for want of our devices what to do. For the informer's thread."""
        uid = pod.metadata.uid
        if pod.status.reason != ADMISSION or uid in self._told or not self._ours(pod):
            return
        self._told[uid] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        self._events.post(
            pod.metadata,
            "Warning",
            "DevicesUnavailable",
            "the kubelet failed this pod for good: it looked for its devices while this node's agent was away "
            "or just ending, or they were not well; a controller makes a new pod, "
            "a bare one is to be deleted and created again",
        )

    def runtime(self, node: Node, concern: str) -> None:
        """Tell administrators what is wrong with a node's container runtime."""
        self._events.post_node(node.metadata, "Warning", "ContainerRuntime", concern)

    def grown(self, pod: Pod, container: str) -> None:
        """Tell the owner of a pod whose container writes where nobody has to."""
        self._events.post(
            pod.metadata,
            "Warning",
            "RegionCut",
            f"container {container} has made its file {REGION_INSIDE} grow, which takes memory of the node; it was cut "
            "to its length. Nothing but hetero's library writes there: see what else does",
        )

    def _ours(self, pod: Pod) -> bool:
        message = pod.status.message or ""
        if any(mark in message for mark in self._marks):
            return True
        return any(text in message for text in BROKEN) and not self._resources.isdisjoint(_asked(pod))


def _asked(pod: Pod) -> Iterator[str]:
    """Names of the resources that its containers are limited to."""
    for container in (*(pod.spec.init_containers or ()), *(pod.spec.containers or ())):
        if container.resources is not None:
            yield from container.resources.limits or ()
