"""What the kubelet says that containers hold, and what the plugin asks of whoever knows the pods."""

from __future__ import annotations

from typing import Protocol

import msgspec

from hetero.model.allocation import ContainerEdits


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What one container holds of one resource: an entry of the kubelet's checkpoint.

    Attributes:
        pod_uid: The pod's ``metadata.uid``; the kubelet keeps neither its name nor its namespace there.
        container: Its name; that of an init container, too.
        resource: The extended resource's name.
        ids: The slots, sorted.
        cdi_names: Fully qualified names of the CDI devices that the runtime will look for; empty when another
            plugin, or one without CDI, made the allocation.
    """

    pod_uid: str
    container: str
    resource: str
    ids: tuple[str, ...]
    cdi_names: tuple[str, ...]


class Slot(msgspec.Struct, frozen=True):
    """One opaque unit of a resource, as the kubelet counts it.

    Attributes:
        id: At most 63 characters, unique within the resource; it stands for no particular device.
        healthy: The kubelet gives out healthy ones alone.
    """

    id: str
    healthy: bool = True


class Binding(Protocol):
    """Who knows the pods of this node, and makes their slices."""

    def live(self, pod_uid: str) -> bool:
        """True when the pod is known on this node and neither over nor gone."""

    def edits(self, held: Held) -> ContainerEdits:
        """What the container is given for what it holds; the same again when asked again. May wait for a driver.

        Raises:
            Unbound: It cannot be given anything now: the placement is missing, stale or malformed, or the slice could
                not be made.
        """
