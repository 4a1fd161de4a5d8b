"""What a namespace may take of each vendor's devices in all, by its ResourceQuotas. Pure.

All quotas of a namespace hold together, each over the pods that its scopes count. Amounts are what Kubernetes itself
would sum: containers side by side, or one init container, whichever is more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR
from itertools import islice
from typing import Any

import msgspec

from hetero.errors import InvalidValue
from hetero.model.ask import ContainerAsk, PodAsk, Traits
from hetero.model.device import CORES, MEMORY
from hetero.model.placement import ContainerPlacement, Placement
from hetero.model.quantity import parse_quantity
from hetero.model.share import Reason, Refusal
from hetero.placement.scopes import Scope, applies
from hetero.vendor import Vendor

DEVICES = "devices"
"""The dimension that counts devices, one for each device of each container."""

Dimension = tuple[str, str, str]
"""Vendor, resource family, and what is summed: :data:`DEVICES`, ``memory`` (MiB) or ``cores`` (percent)."""

Sums = Mapping[Dimension, int]

_PREFIXES = ("limits.", "requests.")
_MOST = 2**62  # more than any cluster has: as good as no limit
_TOLD = 8  # limits that one refusal names
_PLAIN = Traits()
_UNITS = {MEMORY: " MiB", CORES: " percent"}


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a quota.

    Attributes:
        resource: The resource's name, as users write it.
        vendor: Whose it is.
        family: Resource family of the vendor; empty when it has one.
        dimension: :data:`DEVICES`, ``memory`` or ``cores``.
        amount: The most in all: devices, MiB or percent of one device's compute, ≥ 0.
    """

    resource: str
    vendor: str
    family: str
    dimension: str
    amount: int

    @property
    def key(self) -> Dimension:
        """What is summed."""
        return (self.vendor, self.family, self.dimension)


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What a ResourceQuota says of devices.

    Attributes:
        name: Of the ResourceQuota.
        limits: Those of installed vendors' resources.
        scopes: Which pods it counts; empty: all of its namespace.
    """

    name: str
    limits: tuple[Limit, ...] = ()
    scopes: tuple[Scope, ...] = ()


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one limit is taken.

    Attributes:
        namespace: Whose quota it is.
        quota: Name of the ResourceQuota.
        limit: The line.
        used: By the pods that the quota counts, in the unit of the limit.
    """

    namespace: str
    quota: str
    limit: Limit
    used: int


def read(name: str, hard: Mapping[str, Any], vendors: Mapping[str, Vendor], scopes: Sequence[Scope] = ()) -> Quota:
    """Read a ResourceQuota.

    ``limits.`` and ``requests.`` before a resource's name mean the same, since the two are equal for extended
    resources. Memory is counted over all devices of a container, in the unit of its resource. Percentages of memory
    and priorities cannot be summed up over devices and are left to Kubernetes, like all resources of others.
    Kubernetes takes fractions and amounts beyond all measure in a quota: what is whole of them, up to 2^62, holds.

    Args:
        name: Of the ResourceQuota.
        hard: ``spec.hard``.
        vendors: The installed vendors.
        scopes: Which pods it counts.

    Raises:
        InvalidValue: An amount is no quantity, or negative.
    """
    meanings = _meanings(vendors.values())
    limits = []
    for key, value in hard.items():
        resource = next((key.removeprefix(prefix) for prefix in _PREFIXES if key.startswith(prefix)), "")
        if resource in meanings:
            amount = _amount(value, f"resourcequota {name}: spec.hard[{key}]")
            (vendor, family, dimension), unit = meanings[resource]
            found = Limit(resource=resource, vendor=vendor, family=family, dimension=dimension, amount=amount * unit)
            limits.append(found)
    return Quota(name=name, limits=tuple(limits), scopes=tuple(scopes))


def _amount(value: object, field: str) -> int:
    number = parse_quantity(value, field)
    if number < 0:
        raise InvalidValue(field, value, "is negative; write a whole number")
    return _MOST if number > _MOST else int(number.to_integral_value(ROUND_FLOOR))


def _meanings(vendors: Iterable[Vendor]) -> dict[str, tuple[Dimension, int]]:
    """Resource name to what it counts, and how much one unit is of that."""
    found: dict[str, tuple[Dimension, int]] = {}
    for vendor in vendors:
        for family in vendor.resources:
            names = ((family.count, DEVICES, 1), (family.memory, MEMORY, family.memory_unit), (family.cores, CORES, 1))
            found.update({name: ((vendor.name, family.family, what), unit) for name, what, unit in names if name})
    return found


def amounts(placement: Placement) -> dict[Dimension, int]:
    """What a placed pod counts for: what it is charged, rounding of the chip included."""
    return _greatest(map(_placed, placement.containers), map(_placed, placement.init_containers))


def least(pod: PodAsk) -> dict[Dimension, int]:
    """What a pod counts for at least, before a device is chosen.

    Memory that is asked in percent, or with the whole device, hangs on the device: nothing is known of it here.
    """
    return _greatest(map(_asked, pod.containers), map(_asked, pod.init_containers))


def _greatest(together: Iterable[Sums], alone: Iterable[Sums]) -> dict[Dimension, int]:
    total: dict[Dimension, int] = {}
    for sums in together:
        _add(total, sums)
    for sums in alone:
        for key, amount in sums.items():
            total[key] = max(total.get(key, 0), amount)
    return {key: amount for key, amount in total.items() if amount}


def _placed(container: ContainerPlacement) -> Sums:
    total: dict[Dimension, int] = {}
    for one in container.devices:
        share = one.share
        _add(total, _each(one.vendor, one.family, 1, share.memory, share.cores))
    return total


def _asked(container: ContainerAsk) -> Sums:
    total: dict[Dimension, int] = {}
    for ask in container.asks:
        memory, cores = (ask.memory or 0) * ask.count, ask.cores * ask.count
        _add(total, _each(ask.vendor, ask.family, ask.count, memory, cores))
    return total


def _each(vendor: str, family: str, devices: int, memory: int, cores: int) -> Sums:
    return {(vendor, family, DEVICES): devices, (vendor, family, MEMORY): memory, (vendor, family, CORES): cores}


def _add(total: dict[Dimension, int], sums: Sums, sign: int = 1) -> None:
    for key, amount in sums.items():
        total[key] = total.get(key, 0) + sign * amount


class Accounts:
    """What the pods of each namespace have, beside its quotas. Not for several threads at once."""

    def __init__(self) -> None:
        self._quotas: dict[str, tuple[Quota, ...]] = {}
        # The tightest of those with the same scopes: there may be thousands of quotas, and few kinds of scopes.
        self._tightest: dict[str, dict[tuple[Scope, ...], dict[Dimension, int]]] = {}
        # By traits, of which a namespace has few kinds: so quotas may come, go and change their scopes at any time.
        self._used: dict[str, dict[Traits, dict[Dimension, int]]] = {}

    def put(self, namespace: str, quotas: Iterable[Quota]) -> None:
        """These are all quotas of a namespace from now on. Pods that have more already keep it."""
        held = tuple(quota for quota in quotas if quota.limits)
        if held:
            self._quotas[namespace] = held
            self._tightest[namespace] = _tightest(held)
        else:
            self._quotas.pop(namespace, None)
            self._tightest.pop(namespace, None)

    def take(self, placement: Placement, traits: Traits = _PLAIN) -> None:
        """Count a pod that is placed."""
        self._count(placement, traits, 1)

    def give(self, placement: Placement, traits: Traits = _PLAIN) -> None:
        """Count a pod no longer; with the very arguments with which it was taken."""
        self._count(placement, traits, -1)

    def limits(self, namespace: str) -> bool:
        """True when the namespace has any quota."""
        return namespace in self._quotas

    def uses(self) -> Iterator[Use]:
        """Each limit with what is taken of it, by namespace and in the order of its quotas."""
        for namespace in sorted(self._quotas):
            for quota in self._quotas[namespace]:
                used = self._counted(namespace, quota.scopes)
                for limit in quota.limits:
                    yield Use(namespace=namespace, quota=quota.name, limit=limit, used=used.get(limit.key, 0))

    def room(self, namespace: str, traits: Traits = _PLAIN) -> dict[Dimension, int] | None:
        """What a pod may take at most, in the dimensions that are limited: below 0 where more is taken than allowed.

        O(kinds of scopes), however many quotas there are.

        Returns:
            None when no quota counts the pod.
        """
        room: dict[Dimension, int] = {}
        for scopes, limits in self._tightest.get(namespace, {}).items():
            if applies(scopes, traits):
                used = self._counted(namespace, scopes)
                for key, amount in limits.items():
                    room[key] = min(room.get(key, _MOST), amount - used.get(key, 0))
        return room or None

    def refusal(self, namespace: str, asked: Sums, traits: Traits = _PLAIN) -> Refusal | None:
        """Why a pod may not take so much on top of what its namespace has; None when it may.

        A dimension of which it asks nothing is not held against it, whatever the others have taken.
        """
        room = self.room(namespace, traits) or {}
        if all(asked.get(key, 0) <= max(left, 0) for key, left in room.items()):
            return None
        used = {scopes: self._counted(namespace, scopes) for scopes in self._tightest[namespace]}
        sentences = (
            _sentence(quota, limit, used[quota.scopes].get(limit.key, 0), asked[limit.key])
            for quota in self._quotas[namespace]
            if applies(quota.scopes, traits)
            for limit in quota.limits
            if asked.get(limit.key, 0) > max(limit.amount - used[quota.scopes].get(limit.key, 0), 0)
        )
        return Refusal(reason=Reason.QUOTA, message="; ".join(islice(sentences, _TOLD)))

    def _counted(self, namespace: str, scopes: Sequence[Scope]) -> Sums:
        """What the pods have that these scopes count."""
        total: dict[Dimension, int] = {}
        for kind, sums in self._used.get(namespace, {}).items():
            if applies(scopes, kind):
                _add(total, sums)
        return total

    def _count(self, placement: Placement, traits: Traits, sign: int) -> None:
        namespace = placement.namespace
        kinds = self._used.setdefault(namespace, {})
        sums = kinds.setdefault(traits, {})
        _add(sums, amounts(placement), sign)
        if not any(sums.values()):
            del kinds[traits]
        if not kinds:
            del self._used[namespace]


def _tightest(quotas: Iterable[Quota]) -> dict[tuple[Scope, ...], dict[Dimension, int]]:
    found: dict[tuple[Scope, ...], dict[Dimension, int]] = {}
    for quota in quotas:
        limits = found.setdefault(quota.scopes, {})
        for limit in quota.limits:
            limits[limit.key] = min(limits.get(limit.key, _MOST), limit.amount)
    return found


def _sentence(quota: Quota, limit: Limit, used: int, asked: int) -> str:
    unit = _UNITS.get(limit.dimension, "")
    return (
        f"quota {quota.name} allows {limit.amount}{unit} of {limit.resource} in all, "
        f"in use {used}{unit}, asked {asked}{unit}"
    )
