"""The annotations through which the stages hand records to each other in a cluster, and the label of its own pods.

Those that users write belong to the vendors (:class:`hetero.model.resources.Resources`) and to admission.
"""

from __future__ import annotations

from collections.abc import Iterable

INVENTORY = "hetero.io/inventory"
"""On a node: its :class:`~hetero.model.device.Node`, as :func:`hetero.model.wire.encode` writes it.

A further agent of the node, of another image, writes its own: this name, ``-`` and the agent's."""

PLACEMENT = "hetero.io/placement"
"""On a pod: its :class:`~hetero.model.placement.Placement`, set once, by the Binding that gives it its node."""

RETRY = "hetero.io/retry"
"""On a pod: when the scheduler or a node's agent last had it looked at again, since what kept it is gone; means nothing
else."""

CORDON = ("hetero.io/device-cordon", "hami.io/device-cordon")
"""On a node: identities of devices that get no new program, separated by commas. All of those named count.

Source of the second: Project-HAMi/HAMi v2.10, docs, "device cordon"."""

PART = "hetero.io/part"
"""A label, on hetero's own pods: which part one is. By ``agent`` the agents of all nodes are found."""


def inventory(agent: str) -> str:
    """The annotation in which an agent writes what it has found, by the agent's name; that of the first is empty."""
    return f"{INVENTORY}-{agent}" if agent else INVENTORY


def inventories(names: Iterable[str]) -> list[str]:
    """Those of the annotations that hold inventories: one for each agent of a node, the first agent's first."""
    return sorted(name for name in names if name == INVENTORY or name.startswith(f"{INVENTORY}-"))
