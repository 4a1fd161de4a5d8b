"""The annotations through which the stages hand records to each other in a cluster.

Those that users write belong to the vendors (:class:`hetero.model.resources.Resources`) and to admission.
"""

from __future__ import annotations

INVENTORY = "hetero.io/inventory"
"""On a node: its :class:`~hetero.model.device.Node`, as :func:`hetero.model.wire.encode` writes it."""

PLACEMENT = "hetero.io/placement"
"""On a pod: its :class:`~hetero.model.placement.Placement`, set once, by the Binding that gives it its node."""

RETRY = "hetero.io/retry"
"""On a pod: when the scheduler last had it looked at again, since there is room for it now; means nothing else."""

CORDON = ("hetero.io/device-cordon", "hami.io/device-cordon")
"""On a node: identities of devices that get no new program, separated by commas. All of those named count.

Source of the second: Project-HAMi/HAMi v2.10, docs, "device cordon"."""
