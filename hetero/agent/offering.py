"""A device plugin for each resource of this node's devices, with as many slots as they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hetero import log
from hetero.agent import totals
from hetero.allocation.held import Held, Slot
from hetero.allocation.plugin import Plugin
from hetero.allocation.slots import numbered
from hetero.errors import WireError
from hetero.model.device import Device
from hetero.vendor import Vendor

_log = log.logger("agent")


class Offering:
    """The plugins of this agent. For one thread.

    Args:
        vendors: By name, those that this agent serves.
        make: Makes the plugin of a resource, not started.
        held: Reads the kubelet's checkpoint.
    """

    def __init__(
        self, vendors: Mapping[str, Vendor], make: Callable[[str], Plugin], held: Callable[[], Iterable[Held]]
    ) -> None:
        self._vendors = vendors
        self._make = make
        self._held = held
        self._plugins: dict[str, Plugin] = {}

    def offer(self, devices: Iterable[Device]) -> None:
        """Offer the slots of these devices; a resource whose devices are all gone is offered with none."""
        wanted = totals.slots(devices, self._vendors)
        holders = self._holders() if wanted or self._plugins else {}
        for resource in sorted({*wanted, *self._plugins}):
            every, well = wanted.get(resource, (0, 0))
            self._offer(resource, numbered(every, well, holders.get(resource, frozenset())))

    def stop(self) -> None:
        """Take everything back; containers that run keep what they have."""
        plugins = list(self._plugins.values())
        self._plugins.clear()
        for plugin in plugins:
            plugin.stop()

    def unregistered(self) -> list[str]:
        """The resources that the kubelet does not follow at the moment."""
        return [resource for resource, plugin in list(self._plugins.items()) if not plugin.registered]

    def __len__(self) -> int:
        return len(self._plugins)

    def _offer(self, resource: str, slots: tuple[Slot, ...]) -> None:
        new = resource not in self._plugins
        plugin = self._plugins[resource] if not new else self._make(resource)
        plugin.offer(slots)
        if new:
            self._plugins[resource] = plugin
            plugin.start()

    def _holders(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        try:
            for one in self._held():
                found.setdefault(one.resource, set()).update(one.ids)
        except WireError as error:  # then any slot may be withdrawn
            _log.warning("who holds which slots is not known", reason=str(error))
        return found
