"""What the vendors' own device plugins read of a pod, for nodes where those serve instead of hetero's agent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hetero import log
from hetero.errors import InvalidValue, PluginError
from hetero.model.allocation import Grant
from hetero.model.device import Device
from hetero.model.placement import ContainerPlacement, Placement
from hetero.vendor import Vendor

_log = log.logger("scheduler")

OURS = "hetero.io/"
"""Beginning of annotations that no vendor writes."""

Find = Callable[[str, str], Device | None]


class Foreign:
    """Asks vendors for annotations.

    Args:
        vendors: The installed vendors by name.
        names: Those whose own plugin serves.
        device: The device of a node, by the names of both; None when it is not there any more.

    Raises:
        InvalidValue: A name is that of no installed vendor.
    """

    def __init__(self, vendors: Mapping[str, Vendor], names: Iterable[str], device: Find) -> None:
        self._vendors = {name: _named(vendors, name) for name in names}
        self._device = device

    def annotations(self, placement: Placement) -> dict[str, str]:
        """What is added to the pod's Binding; nothing where none of these vendors serves it.

        Raises:
            PluginError: A vendor cannot say it: its plugin would not know what to give the pod.
        """
        found: dict[str, str] = {}
        for name, vendor in self._vendors.items():
            containers = self._containers(name, placement)
            if containers:
                found |= _asked(vendor, containers)
        return found

    def _containers(self, vendor: str, placement: Placement) -> dict[str, tuple[Grant, ...]]:
        """Init containers come first, as they do in a pod."""
        held = {
            one.container: self._grants(vendor, placement.node, one)
            for one in (*placement.init_containers, *placement.containers)
        }
        return {name: grants for name, grants in held.items() if grants}

    def _grants(self, vendor: str, node: str, held: ContainerPlacement) -> tuple[Grant, ...]:
        return tuple(
            Grant(device=self._found(vendor, node, share.device), share=share.share)
            for share in held.devices
            if share.vendor == vendor
        )

    def _found(self, vendor: str, node: str, uuid: str) -> Device:
        device = self._device(node, uuid)
        if device is None:
            raise PluginError(vendor, f"device {uuid} of node {node} is not there any more")
        return device


def _named(vendors: Mapping[str, Vendor], name: str) -> Vendor:
    if name not in vendors:
        known = ", ".join(vendors) or "none"
        raise InvalidValue(
            "vendors.foreign", name, f"is no installed vendor (there are: {known}); install or remove it"
        )
    return vendors[name]


def _asked(vendor: Vendor, containers: Mapping[str, tuple[Grant, ...]]) -> dict[str, str]:
    try:
        said: Mapping[Any, Any] = vendor.splitting.annotations(containers)
        wrong = next((item for item in said.items() if not all(isinstance(word, str) for word in item)), None)
    except Exception as error:
        raise PluginError(vendor.name, f"annotations failed with {type(error).__name__}: {error}") from error
    if wrong is not None:
        raise PluginError(vendor.name, f"it gave the annotation {wrong[0]!r} the value {wrong[1]!r}, which is no text")
    ours = [key for key in said if key.startswith(OURS)]
    if ours:
        _log.error("a vendor writes annotations that are hetero's own; left out", vendor=vendor.name, keys=ours)
    return {key: value for key, value in said.items() if key not in ours}
