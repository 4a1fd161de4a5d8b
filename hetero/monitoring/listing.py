"""What a vendor says of its devices, held to what can be: nobody behind this door meets garbage. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from hetero.model.device import Device, Sample

T = TypeVar("T", Device, Sample)

HOTTEST = 1000
"""Degrees Celsius, and Watts by the hundred, beyond which a figure is no measurement."""


def devices(vendor: str, found: Iterable[Any], taken: Collection[str]) -> tuple[Device, ...]:
    """The devices that a vendor lists. A list that the planner would refuse for all is refused here for the one.

    Args:
        vendor: Name of the vendor.
        found: What it lists.
        taken: Identities of the other vendors' devices.

    Raises:
        TypeError: One is no device.
        ValueError: One says of itself what cannot be, or is listed already.
    """
    seen = set(taken)
    result = tuple(found)
    for device in result:
        if not isinstance(device, Device):
            raise TypeError(f"it lists {device!r}, which is no device")
        if device.uuid in seen:
            raise ValueError(f"it lists {device.uuid!r}, which is listed already")
        wrong = _wrong_device(vendor, device)
        if wrong:
            raise ValueError(f"it lists {device.uuid!r}, which cannot be used: {wrong}")
        seen.add(device.uuid)
    return result


def samples(found: Iterable[Any], known: Sequence[Device]) -> tuple[dict[str, Sample], list[str]]:
    """What the devices do, by identity, and a sentence about each sample that does not count."""
    here = {device.uuid for device in known}
    good: dict[str, Sample] = {}
    bad = []
    for sample in found:
        wrong = _wrong_sample(sample, here)
        if wrong:
            bad.append(wrong)
        else:
            good[sample.uuid] = sample
    return good, bad


def _wrong_device(vendor: str, device: Device) -> str:
    """What is wrong with a device; empty when nothing is."""
    wrong = _wrong_types(device, Device)
    if wrong:
        return wrong
    if not device.uuid:
        return "it has no identity"
    if device.model.vendor != vendor:
        return f"its vendor is {device.model.vendor!r}"
    negative = [name for name, amount in device.model.capacity.items() if amount < 0]
    if negative:
        return f"its {negative[0]} is {device.model.capacity[negative[0]]}"
    if device.index < 0 or device.numa < -1:
        return f"its index is {device.index} and its NUMA node {device.numa}"
    return ""


def _wrong_sample(sample: Any, here: Collection[str]) -> str:
    """What is wrong with a sample; empty when nothing is."""
    if not isinstance(sample, Sample):
        return f"{sample!r} is no sample"
    wrong = _wrong_types(sample, Sample)
    if wrong:
        return f"{sample.uuid!r}: {wrong}"
    if sample.uuid not in here:
        return f"{sample.uuid!r} is none of its devices"
    possible = sample.memory_used >= 0 and -1 <= sample.utilization <= 100
    if not (possible and _measured(sample.temperature, HOTTEST) and _measured(sample.power, 100 * HOTTEST)):
        return f"{sample.uuid!r}: {sample!r} cannot be"
    return ""


def _measured(value: float | None, most: float) -> bool:
    return value is None or (math.isfinite(value) and -300 < value <= most)


def _wrong_types(record: T, kind: type[T]) -> str:
    """Records are not checked when they are made, which is what makes them quick."""
    try:
        msgspec.convert(msgspec.to_builtins(record), kind)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
        return str(error)
    return ""
