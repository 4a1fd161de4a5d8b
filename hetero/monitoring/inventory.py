"""The devices of all vendors of this node, as they are now, and as they were known where their driver fails.

A device that was there a moment ago has not gone because its driver does not answer: it is shown unhealthy, with the
driver's failure as the reason, gets no new program, and is well again when the driver is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hetero import log, metrics
from hetero.errors import DriverError, DriverMissing
from hetero.model.device import Device, Health, Node, Sample
from hetero.monitoring import listing
from hetero.monitoring.guard import DEADLINE_S, Guarded, Pending
from hetero.vendor import Vendor

_log = log.logger("inventory")

NODE = "localhost"


@dataclass(frozen=True)
class Machine:
    """What was found.

    Attributes:
        devices: Of all vendors, in the order of their names and then of their drivers: the number that ``--device``
            takes is the position here.
        failures: Vendor name to what went wrong; vendors without a driver on this machine included.
    """

    devices: tuple[Device, ...]
    failures: Mapping[str, Exception] = field(default_factory=dict)

    def absent(self, vendor: str) -> bool:
        """True when the vendor has no driver here, which is no fault of the machine."""
        return isinstance(self.failures.get(vendor), DriverMissing)

    def of(self, vendor: str) -> tuple[Device, ...]:
        """The devices of one vendor."""
        return tuple(device for device in self.devices if device.model.vendor == vendor)

    @property
    def node(self) -> Node:
        """This machine as the planner sees it."""
        return Node(name=NODE, devices=self.devices)


class Inventory:
    """Asks every vendor; whatever goes wrong with one stays with that one. Not for several threads at once.

    Args:
        vendors: By name. Those that are not guarded yet will be.
        deadline_s: Seconds that a question to one of those may take.
        quiet: Failures are not logged: whoever asks tells them, from :attr:`Machine.failures`.
    """

    def __init__(self, vendors: Mapping[str, Vendor], deadline_s: float = DEADLINE_S, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._discoveries = {name: _guarded(vendors[name], deadline_s) for name in sorted(vendors)}
        self._known: dict[str, tuple[Device, ...]] = dict.fromkeys(self._discoveries, ())
        self._failures: dict[str, Exception] = {}

    @property
    def machine(self) -> Machine:
        """As of the last question. Equal to what it was before as long as nothing changes."""
        devices = (device for name in self._discoveries for device in self._shown(name))
        failures = {name: self._failures[name] for name in self._discoveries if name in self._failures}
        return Machine(tuple(devices), failures)

    def look(self, only: Iterable[str] | None = None) -> Machine:
        """Ask for the devices, all vendors at the same time.

        Args:
            only: Names of the vendors that are asked; None for all. Those of :attr:`Machine.failures`, to see whether
                they have recovered.
        """
        names = [name for name in self._discoveries if only is None or name in set(only)]
        asked = {name: self._discoveries[name].begin_devices() for name in names}
        for name, pending in asked.items():
            self._learn(name, pending)
        return self.machine

    def sample(self) -> Mapping[str, Sample]:
        """What each device does now, by identity; vendors that fail are left out, and their devices marked.

        The health of each device is from now on that of its sample.
        """
        names = [name for name in self._discoveries if name not in self._failures and self._known[name]]
        asked = {name: self._discoveries[name].begin_sample() for name in names}
        result: dict[str, Sample] = {}
        for name, pending in asked.items():
            result |= self._sampled(name, pending)
        return result

    def remember(self, devices: Iterable[Device]) -> Machine:
        """Add devices that somebody knows of, e.g. because slices hold them, where their driver fails to list them."""
        for device in devices:
            name = device.model.vendor
            if name in self._failures and device.uuid not in self._taken():
                self._known[name] = (*self._known[name], device)
        return self.machine

    def _shown(self, name: str) -> tuple[Device, ...]:
        if name not in self._failures:
            return self._known[name]
        health = Health(ok=False, reason=str(self._failures[name]))
        return tuple(msgspec.structs.replace(device, health=health) for device in self._known[name])

    def _taken(self, but: str = "") -> set[str]:
        return {device.uuid for name, known in self._known.items() if name != but for device in known}

    def _learn(self, name: str, pending: Pending[Sequence[Device]]) -> None:
        try:
            self._known[name] = listing.devices(name, pending.answer(), self._taken(but=name))
        except Exception as error:
            self._failed(name, error)
        else:
            self._recovered(name)

    def _sampled(self, name: str, pending: Pending[Sequence[Sample]]) -> dict[str, Sample]:
        try:
            good, bad = listing.samples(pending.answer(), self._known[name])
        except Exception as error:
            self._failed(name, error)
            return {}
        for sentence in bad:
            _log.error("a sample does not count", vendor=name, reason=sentence)
        self._known[name] = tuple(_as_sampled(device, good.get(device.uuid)) for device in self._known[name])
        return good

    def _failed(self, name: str, error: Exception) -> None:
        """Note a failure; one that lasts is told once, and stays the same object so that results compare equal."""
        absent = isinstance(error, DriverMissing) and not self._known[name]
        if not absent:
            metrics.driver_failures.add(name)
        before = self._failures.get(name)
        if before is not None and (type(before), str(before)) == (type(error), str(error)):
            return
        self._failures[name] = error
        if absent or self._quiet:
            return  # of a driver that is absent nothing is broken: the machine has no such devices
        level = "warning" if isinstance(error, DriverError) else "error"
        getattr(_log, level)("discovery failed", vendor=name, reason=str(error), kind=type(error).__name__)

    def _recovered(self, name: str) -> None:
        error = self._failures.pop(name, None)
        if error is not None and not self._quiet:
            _log.info("discovery works again", vendor=name, devices=len(self._known[name]))


def discover(vendors: Mapping[str, Vendor], deadline_s: float = DEADLINE_S, *, quiet: bool = False) -> Machine:
    """Ask every vendor once; the arguments are those of :class:`Inventory`."""
    return Inventory(vendors, deadline_s, quiet=quiet).look()


def _guarded(vendor: Vendor, deadline_s: float) -> Guarded:
    found: Any = vendor.discovery
    return found if isinstance(found, Guarded) else Guarded(vendor.name, found, deadline_s)


def _as_sampled(device: Device, sample: Sample | None) -> Device:
    if sample is None or sample.health == device.health:
        return device
    return msgspec.structs.replace(device, health=sample.health)
