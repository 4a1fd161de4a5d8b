"""Keeps an eye on this node's devices: a thread asks the drivers, and tells when something changes.

Asking is local and costs no request. A device that fails is withdrawn with the next sample, and offered again when its
driver says that it is well, for longer where it has failed before; new devices are found within a minute.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from hetero import log, metrics
from hetero.agent.damping import Damper
from hetero.model.device import Device, Sample
from hetero.monitoring.inventory import Inventory, Machine

_log = log.logger("agent")

ANEW = 60.0
"""Seconds between two times that all vendors list their devices anew."""

FAILING = 15.0
"""Seconds between two times that vendors list whose drivers fail."""


class Watching:
    """The devices as they are.

    Args:
        inventory: Asks the drivers; nobody else may use it.
        every: Seconds between two samples.
        changed: Told when devices have come, gone, failed or recovered; by the thread that asks.
        remembered: Devices that are known from before, e.g. because slices hold them, for where a driver fails to list
            them; asked once, after the first look.
    """

    def __init__(
        self,
        inventory: Inventory,
        every: float,
        changed: Callable[[], None] = lambda: None,
        remembered: Callable[[], Iterable[Device]] = lambda: (),
    ) -> None:
        self._inventory = inventory
        self._every = every
        self._changed = changed
        self._remembered = remembered
        self._damper = Damper()
        self._machine: Machine | None = None
        self._by_identity: Mapping[str, Device] = MappingProxyType({})
        self._samples: Mapping[str, Sample] = MappingProxyType({})
        self._sampled: Mapping[str, float] = MappingProxyType({})
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True)

    @property
    def machine(self) -> Machine | None:
        """As of the last look, with failures damped; None before the first one."""
        return self._machine

    @property
    def devices(self) -> Mapping[str, Device]:
        """All devices by identity, as of the last look."""
        return self._by_identity

    @property
    def samples(self) -> Mapping[str, Sample]:
        """What devices did at the last sample, by identity; those whose driver failed then are not among them."""
        return self._samples

    @property
    def sampled(self) -> Mapping[str, float]:
        """When each vendor's devices were sampled last, by ``time.monotonic``; vendors that never were are left out."""
        return self._sampled

    def start(self) -> None:
        """Begin; the first look may take as long as the slowest driver."""
        self._thread.start()

    def stop(self) -> None:
        """End; a driver that hangs is not waited for."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _run(self) -> None:
        listed = retried = time.monotonic()
        self._guarded(self._first)
        while not self._stopping.wait(self._every):
            now = time.monotonic()
            if now - listed >= ANEW:
                listed = retried = now
                self._guarded(self._inventory.look)
            elif now - retried >= FAILING:
                retried = now
                self._guarded(lambda: self._inventory.look(self._inventory.machine.failures))
            self._guarded(self._sample)

    def _first(self) -> None:
        machine = self._inventory.look()
        absent = {name: str(failure) for name, failure in machine.failures.items() if machine.absent(name)}
        # A node that is labelled and has no driver is nobody's failure, and would look like an agent that does nothing.
        _log.info("devices were looked for", found=_counted(machine), without_driver=absent)
        if machine.failures:
            self._inventory.remember(self._remembered())
        self._sample()  # what devices do is known as soon as that there are some

    def _sample(self) -> None:
        found, now = self._inventory.sample(), time.monotonic()
        vendors = {device.model.vendor for device in self._inventory.machine.devices if device.uuid in found}
        self._samples = MappingProxyType(dict(found))
        self._sampled = MappingProxyType({**self._sampled, **dict.fromkeys(vendors, now)})

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception:  # a defect must not end the thread: failing devices would stay offered
            _log.exception("an unexpected error while devices were looked at")
        self._take(self._inventory.machine)

    def _take(self, found: Machine) -> None:
        machine = Machine(self._damper.damped(found.devices, time.monotonic()), found.failures)
        if machine == self._machine:
            return
        _measure(machine)
        self._by_identity = MappingProxyType({device.uuid: device for device in machine.devices})
        self._machine = machine
        self._changed()


def _counted(machine: Machine) -> dict[str, int]:
    return dict(Counter(device.model.vendor for device in machine.devices))


def _measure(machine: Machine) -> None:
    well: dict[str, int] = {}
    for device in machine.devices:
        well[device.model.vendor] = well.get(device.model.vendor, 0) + device.health.ok
    for vendor, count in well.items():
        metrics.devices.set(count, vendor)
