"""A slice on its node, and what the runtime must change in the program's surroundings to make it so."""

from __future__ import annotations

import msgspec

from hetero.model.device import Device
from hetero.model.share import Share


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A device of this node and the share of it that a slice holds."""

    device: Device
    share: Share


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """What one container (or one local command) holds of one vendor's devices on this node.

    Attributes:
        id: Unique on the node and stable over restarts: letters, digits, ``-`` and ``_``, at most 63 characters.
        grants: The devices in the order in which the program sees them; at least one, all of one vendor.
        directory: A directory of the slice alone, made before enforcement is prepared and removed after release.
        region: The shared region's file, as the program will see it; empty when the vendor enforces without one.
        priority: 0 is the highest; None when nobody said.
        policy: Of compute: ``cap``, never more than its share, or ``conserve``, what others leave idle on top of it.
    """

    id: str
    grants: tuple[Grant, ...]
    directory: str
    region: str = ""
    priority: int | None = None
    policy: str = "cap"


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory of the host inside the container."""

    host_path: str
    container_path: str
    read_only: bool = True


class DeviceNode(msgspec.Struct, frozen=True, kw_only=True):
    """A device file of the host that has another name inside the container.

    Attributes:
        host_path: Where it is on the machine; CDI's ``hostPath``.
        container_path: Where programs in the container find it; CDI's ``path``.
    """

    host_path: str
    container_path: str


class ContainerEdits(msgspec.Struct, frozen=True, kw_only=True):
    """What must be added to a program's surroundings; the fields are those of a CDI spec's ``containerEdits``.

    Source: Container Device Interface specification 0.8, "containerEdits"; ``preload`` is ours.

    Attributes:
        env: Environment variables.
        mounts: Bind mounts.
        device_nodes: Device files, by their path where that is the same inside the container.
        preload: Libraries of the host that the dynamic loader loads first. On one machine they become
            ``LD_PRELOAD``; in a container, a mount and ``/etc/ld.so.preload``.
        library_path: Directories that the dynamic loader searches first.
    """

    env: dict[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    device_nodes: tuple[str | DeviceNode, ...] = ()
    preload: tuple[str, ...] = ()
    library_path: tuple[str, ...] = ()
