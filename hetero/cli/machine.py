"""This machine: the devices of all vendors, numbered as users name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hetero import log, metrics
from hetero.errors import DriverError, DriverMissing
from hetero.model.device import Device, Node
from hetero.vendor import Vendor

_log = log.logger("machine")

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

    @property
    def node(self) -> Node:
        """This machine as the planner sees it."""
        return Node(name=NODE, devices=self.devices)


def discover(vendors: Mapping[str, Vendor]) -> Machine:
    """Ask every vendor; whatever goes wrong with one stays with that one."""
    devices: list[Device] = []
    failures: dict[str, Exception] = {}
    for name in sorted(vendors):
        try:
            devices += _devices(vendors[name], {device.uuid for device in devices})  # all of a vendor's, or none
        except DriverMissing as error:
            failures[name] = error  # nothing is broken: the machine has no such devices
        except Exception as error:
            failures[name] = error
            metrics.driver_failures.add(name)
            level = "warning" if isinstance(error, DriverError) else "error"
            getattr(_log, level)("discovery failed", vendor=name, reason=str(error), kind=type(error).__name__)
    return Machine(tuple(devices), failures)


def _devices(vendor: Vendor, taken: set[str]) -> tuple[Device, ...]:
    """What a vendor lists; a list that the planner would refuse for all is refused here for the one."""
    found = tuple(vendor.discovery.devices())
    for device in found:
        if not isinstance(device, Device):
            raise TypeError(f"it lists {device!r}, which is no device")
        if device.uuid in taken:
            raise ValueError(f"it lists {device.uuid!r}, which is listed already")
        taken.add(device.uuid)
    return found
