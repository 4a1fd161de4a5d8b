"""Who is lent how much of one device's compute that others leave idle. Pure.

A slice is promised its percentage and uses what it needs of it. The rest is idle, and is lent to slices that want more
and take it (policy ``conserve``). Loans are made anew each period from what was seen in the last one, so that whoever
lends has its own back within a period of wanting it.

How much a slice will use is not known, only what it used. So each is left some room to grow into without anybody
giving back: a quarter of what it used and five points. A device that is used to the full hides what its slices would
use, since they keep it from each other; then everybody who runs has all that he was promised.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

CONSERVE = "conserve"

GROWTH = 1.25
ROOM = 5
"""Of what was used, and points on top: what a slice may grow to before the next look."""

CROWDED = 97.0
"""Percent of the device in use from which it counts as full; what is left for growth keeps it lower by itself."""


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of the device, as it was in the last period.

    Attributes:
        id: The slice.
        cores: Percent promised; 0 or 100 and more: it is not limited.
        policy: ``cap`` or ``conserve``; only the second is lent anything, both lend.
        priority: 0 is served first.
        used: Percent of the device, 0 to 100.
        active: It ran something or wanted to.
        settled: It did so for long enough that ``used`` tells what it needs.
        held_back: It wanted more than it was given.
        held_to: Percent that it has to keep to while others go first; 0: it makes way for nobody.
    """

    id: str
    cores: int
    policy: str = "cap"
    priority: int = 1
    used: float = 0.0
    active: bool = False
    settled: bool = False
    held_back: bool = False
    held_to: int = 0

    @property
    def limited(self) -> bool:
        """False when it may use all of the device anyway."""
        return 0 < self.cores < 100


def loans(tenants: Sequence[Tenant]) -> Mapping[str, int]:
    """Percent that each slice of the device has on top of its own until the next look.

    Args:
        tenants: All slices of the device; ids are unique.

    Returns:
        By slice, for those that can be lent anything, 0 included.
    """
    crowded = sum(tenant.used for tenant in tenants) >= CROWDED
    needs = {tenant.id: need(tenant, crowded) for tenant in tenants}
    idle = 100 - sum(reserved(tenant, crowded) for tenant in tenants)
    takers = [tenant for tenant in tenants if tenant.limited and tenant.policy == CONSERVE]
    lent = {tenant.id: 0 for tenant in takers}
    for priority in sorted({tenant.priority for tenant in takers}):
        equals = [tenant for tenant in takers if tenant.priority == priority]
        wants = {tenant.id: max(0, needs[tenant.id] - tenant.cores) for tenant in equals}
        lent |= _handed_out(idle, equals, wants)
        idle -= sum(lent[tenant.id] for tenant in equals)
    return lent


def need(tenant: Tenant, crowded: bool = False) -> int:
    """Percent that the slice would use by the next look if it could; at most 100."""
    if not tenant.active:
        return 0
    if tenant.held_to:  # more it cannot use, whatever it wants: the rest is for those it makes way for
        return tenant.held_to
    if not tenant.limited:
        return min(100, math.ceil(tenant.used))
    if tenant.held_back:
        return 100
    grown = min(100, math.ceil(tenant.used * GROWTH + ROOM))
    return grown if tenant.settled and not crowded else max(grown, tenant.cores)


def reserved(tenant: Tenant, crowded: bool = False) -> int:
    """Percent that is kept for the slice by right, and so is not lent to others."""
    wanted = need(tenant, crowded)
    return min(wanted, tenant.cores) if tenant.limited else wanted


def _handed_out(idle: int, equals: Iterable[Tenant], wants: Mapping[str, int]) -> dict[str, int]:
    """Points one by one, each to whoever has the least of them for his weight: what he was promised."""
    # By name, so that it does not matter in which order the slices were found.
    weights = {tenant.id: tenant.cores for tenant in sorted(equals, key=lambda one: one.id)}
    lent = dict.fromkeys(weights, 0)
    for _ in range(max(0, idle)):
        hungry = [name for name in weights if lent[name] < wants[name]]
        if not hungry:
            break
        lent[min(hungry, key=lambda name: (lent[name] + 1) / weights[name])] += 1
    return lent
