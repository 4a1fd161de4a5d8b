"""Devices that fail again and again are offered less and less often. Pure.

Each change of a device's health is told to the kubelet and to the API server, and a program that is placed on a device
which fails the next second has lost its time. So a failure counts at once, and the end of one when it has lasted: the
first at once, as after a driver's restart, each further one longer than the last.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hetero.model.device import Device, Health

FIRST = 10.0
"""Seconds that a device has to stay well after its second failure; doubled with each further one."""

LONGEST = 300.0
"""Seconds that a device has to stay well at most."""

FORGOTTEN = 900.0
"""Seconds without a failure after which a device is as one that never had any."""

WORDS = 30.0
"""Seconds that the reason of a failure is shown at least: some have a figure in them that is another each time."""

AGAIN = "it fails again and again, and is offered when it stays well"


class _Record(msgspec.Struct):
    """A device that has failed.

    Attributes:
        failures: How often, since it was well for long.
        ill: It is so now.
        since: When that began, or when it became well.
        reason: What is shown of it.
        told: When that was taken up.
        held: It is not shown to be well, whether it is or not.
    """

    failures: int
    ill: bool
    since: float
    reason: str
    told: float
    held: bool = True


class Damper:
    """Remembers failures. For one thread."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def damped(self, devices: Iterable[Device], now: float) -> tuple[Device, ...]:
        """The devices as they are to be offered.

        Args:
            devices: As they are.
            now: Seconds, rising.
        """
        shown = tuple(self._shown(device, now) for device in devices)
        old = [one for one, record in self._records.items() if not record.ill and now - record.since >= FORGOTTEN]
        for one in old:
            del self._records[one]
        return shown

    def _shown(self, device: Device, now: float) -> Device:
        record = self._records.get(device.uuid)
        if not device.health.ok:
            record = self._ill(record, device, now)
        elif record is None:
            return device
        else:
            self._well(record, now)
        if not record.held:
            return device
        reason = f"{record.reason}; {AGAIN}" if record.failures > 1 else record.reason
        return msgspec.structs.replace(device, health=Health(ok=False, reason=reason))

    def _well(self, record: _Record, now: float) -> None:
        if record.ill:
            record.ill, record.since = False, now
        record.held = record.held and now - record.since < wait(record.failures)

    def _ill(self, record: _Record | None, device: Device, now: float) -> _Record:
        reason = device.health.reason
        if record is None:
            record = self._records[device.uuid] = _Record(1, ill=True, since=now, reason=reason, told=now)
        elif not record.ill:
            record.ill, record.since = True, now
            record.failures += 1
        if not record.held or now - record.told >= WORDS:
            record.reason, record.told = reason, now
        record.held = True
        return record


def wait(failures: int) -> float:
    """Seconds that a device has to stay well after so many failures, > 0, before it is offered again."""
    return 0.0 if failures == 1 else min(LONGEST, FIRST * 2.0 ** min(failures - 2, 32))
