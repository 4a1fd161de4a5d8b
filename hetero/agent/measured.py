"""What a slice uses, from its region: held to what can be, since its programs can write the region. Pure.

A number of a region is shown only as far as it is possible: no more memory than the device has, no more device time
than has passed. So a container can lie about itself within these bounds, and breaks nobody's sums or rates.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hetero.agent.records import PodSlice
from hetero.enforcement import layout
from hetero.enforcement.limits import DeviceLimit, limits_of
from hetero.enforcement.reading import DeviceUse
from hetero.model.device import SLOTS
from hetero.model.quantity import MIB
from hetero.monitoring.report import SliceReport

MOST = 1 << 53
"""Of any count or size: up to here a float, which is all that a metric has, is exact."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a slice was given of one device.

    Attributes:
        report: The slice, with its limits and without use.
        ceiling: Bytes that can be in use at most.
        memory: Bytes that are taken of the device.
        slots: Slots that are taken of it.
    """

    report: SliceReport
    ceiling: int
    memory: int
    slots: int


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """What was shown of a slice's time on one device, and when; all in seconds.

    Attributes:
        at: CLOCK_MONOTONIC.
        busy: Device time used.
        throttled: Time held back.
        ratio: Of the device, since the moment before; None where there was none.
    """

    at: float
    busy: float
    throttled: float
    ratio: float | None = None


def given(record: PodSlice) -> Iterator[Given]:
    """What the record of a slice says, device by device."""
    for position, (grant, limit) in enumerate(zip(record.held.grants, limits_of(record.held).devices, strict=True)):
        yield Given(
            report=_unused(record, position, limit),
            ceiling=max(limit.memory, limit.physical) or MOST,
            memory=grant.share.memory * MIB,
            slots=grant.share.quantities.get(SLOTS, 0),
        )


def drawn(use: DeviceUse, now: float, before: Drawn | None, since: float | None) -> Drawn:
    """What is shown of the time that a region claims.

    A counter that fell is that of a new region: the container was started again.

    Args:
        use: What the region says.
        now: When, in seconds of CLOCK_MONOTONIC.
        before: What was shown last; None for a slice that was not there.
        since: When that was looked last; None when it was never looked: then whatever was used since the machine's
            start may be true.
    """
    began = before.at if before else since
    passed = now - (began or 0.0)
    busy, throttled = use.busy_ns / 1e9, use.throttled_ns / 1e9
    base = before if before and busy >= before.busy and throttled >= before.throttled else None
    old_busy, old_throttled = (base.busy, base.throttled) if base else (0.0, 0.0)
    shown = min(busy, old_busy + passed)
    return Drawn(
        at=now,
        busy=shown,
        # Each of its processes may wait all the while.
        throttled=min(throttled, old_throttled + passed * layout.SLOTS),
        ratio=None if began is None or passed <= 0 else min(1.0, (shown - old_busy) / passed),
    )


def used(one: Given, use: DeviceUse, time: Drawn, processes: int) -> SliceReport:
    """A slice with what it uses of one device."""
    memory = min(use.memory_used, one.ceiling)
    context = min(use.context, memory)
    # Kinds are measured only where memory is limited.
    limited = bool(one.report.memory_limit)
    rest = max(0.0, 1.0 - one.report.compute_limit) if one.report.compute_limit else 0.0
    return msgspec.structs.replace(
        one.report,
        memory_used=memory,
        memory_context=context if limited else None,
        memory_module=min(use.module, memory - context) if limited else None,
        compute_used=time.ratio,
        compute_lent=min(use.lent / 100, rest),
        yielding=use.yielding,
        busy_seconds=time.busy,
        throttled_seconds=time.throttled,
        launches=min(use.launches, MOST),
        unmeasured=min(use.unmeasured, MOST),
        refused=min(use.refused, MOST),
        exhausted=min(use.exhausted, MOST),
        processes=processes,
    )


def _unused(record: PodSlice, position: int, limit: DeviceLimit) -> SliceReport:
    return SliceReport(
        id=record.held.id,
        vendor=record.vendor,
        device=limit.uuid,
        position=position,
        namespace=record.namespace,
        pod=record.pod,
        pod_uid=record.pod_uid,
        container=record.container,
        priority=limit.priority,
        policy=limit.policy,
        memory_limit=limit.memory,
        compute_limit=min(limit.cores, 100) / 100,
    )
