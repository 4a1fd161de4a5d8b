"""What this node has, told to the cluster: the inventory in an annotation, the totals in the node's status.

Written only where what the API shows is something else: a kubelet that was restarted may have reset the totals, a
person may have removed the annotation, and neither is worth a request when nothing has changed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from hetero import log, metrics
from hetero.agent.node import Node
from hetero.agent.others import Others
from hetero.agent.totals import amounts
from hetero.errors import InvalidValue
from hetero.kube import paths
from hetero.kube.objects import Metadata, Object
from hetero.model import device as model
from hetero.model import wire
from hetero.model.device import Device
from hetero.model.quantity import parse_quantity
from hetero.vendor import Vendor

_log = log.logger("agent")

MOST = 240 * 1024
"""Bytes of an inventory. Source: Kubernetes, ``TotalAnnotationSizeLimitB``: an object's annotations have 256 KiB."""


AGAIN = 300.0
"""Seconds between two times that one other annotation is cleared."""


class Patching(Protocol):
    """As much of an API server as publishing needs (:class:`hetero.kube.client.Api`)."""

    def patch(self, path: str, body: bytes) -> bytes:
        """Change what is at a path."""


class Publisher:
    """Keeps what the API shows of the node's devices in step with the devices.

    Args:
        server: The API server.
        node: The node's name.
        vendors: The vendors of this agent by name.
        others: The inventories of other agents; its own is that of this one.
        foreign: Those of the vendors whose devices it does not give out.
    """

    def __init__(
        self,
        server: Patching,
        node: str,
        vendors: Mapping[str, Vendor],
        others: Others,
        foreign: Collection[str] = (),
    ) -> None:
        self.annotation = others.own
        self._others = others
        self._foreign = frozenset(foreign)
        self._cleared: dict[str, float] = {}
        self._server = server
        self._node = node
        self._vendors = vendors
        self._written = 0
        self._unseen = range(0)  # versions of the node from before the last write

    def publish(self, shown: Node, devices: Sequence[Device]) -> int:
        """Write what the API does not show yet.

        Args:
            shown: The node as it was seen last.
            devices: As they are.

        Returns:
            How many requests that took.

        Raises:
            ApiError: The server refused, or did not answer.
        """
        version = _number(shown.metadata.resource_version)
        if version in self._unseen:  # what was written comes to be shown in parts, and late
            return 0
        elsewhere = self._others.elsewhere(shown.metadata.notes)
        told = [device for device in devices if device.uuid not in elsewhere]
        made = self._clear(shown) + self._annotate(shown, self._text(told))
        made += self._total(shown, amounts(told, self._vendors))
        self._unseen = range(version, self._written if made else version)
        return made

    def withdraw(self, shown: Node, kept: Collection[str] = ()) -> int:
        """Remove all that :meth:`publish` writes of this agent's devices; as that one.

        Args:
            shown: The node as it was seen last.
            kept: Vendors whose totals stay, since another agent writes them from now on.
        """
        return self._annotate(shown, None) + self._total(shown, {}, kept)

    def known(self, shown: Node) -> tuple[Device, ...]:
        """The devices that were published last; none where that cannot be read."""
        try:
            return wire.decode(shown.metadata.notes.get(self.annotation, ""), model.Node).devices
        except Exception as error:  # somebody's own text is no reason not to start
            _log.debug("no earlier inventory", reason=str(error))
            return ()

    def _text(self, devices: Sequence[Device]) -> str | None:
        if not devices:
            return None
        foreign = tuple(sorted({device.model.vendor for device in devices} & self._foreign))
        text = wire.encode(model.Node(name=self._node, devices=tuple(devices), foreign=foreign))
        if len(text) <= MOST:
            return text
        # Without its links a node of a hundred devices fits; placement is then blind for them, and right otherwise.
        _log.warning("the inventory is too large for an annotation; links are left out", bytes=len(text))
        bare = tuple(msgspec.structs.replace(device, links=()) for device in devices)
        return wire.encode(model.Node(name=self._node, devices=bare, foreign=foreign))

    def _clear(self, shown: Node) -> int:
        """Remove what agents have left that are no more; what is back at once has a writer, who would go on."""
        now = time.monotonic()
        stale = {
            key: text
            for key, text in self._others.stale(shown.metadata.notes).items()
            if now - self._cleared.get(key, -AGAIN) >= AGAIN
        }
        if not stale:
            return 0
        self._patch(paths.node(self._node), {"metadata": {"annotations": stale}})
        self._cleared |= dict.fromkeys(stale, now)
        _log.info("inventories of agents that are no more were removed", annotations=sorted(stale))
        metrics.inventory_writes.add("stale")
        return 1

    def _annotate(self, shown: Node, text: str | None) -> int:
        if shown.metadata.notes.get(self.annotation) == text:
            return 0
        self._patch(paths.node(self._node), {"metadata": {"annotations": {self.annotation: text}}})
        metrics.inventory_writes.add("inventory")
        return 1

    def _total(self, shown: Node, wanted: Mapping[str, int], kept: Collection[str] = ()) -> int:
        """Capacity and allocatable are the same: the kubelet makes the second from the first, time and again."""
        names = self._names(but={*kept, *self._others.elsewhere(shown.metadata.notes).values()})
        status = {
            part: changes(found or {}, wanted, names)
            for part, found in (("capacity", shown.status.capacity), ("allocatable", shown.status.allocatable))
        }
        status = {part: changed for part, changed in status.items() if changed}
        if not status:
            return 0
        self._patch(f"{paths.node(self._node)}/status", {"status": status})
        metrics.inventory_writes.add("totals")
        return 1

    def _names(self, but: Collection[str]) -> list[str]:
        """The names of totals that this agent writes: not those of vendors whose devices another one tells of."""
        families = [words for name, vendor in self._vendors.items() if name not in but for words in vendor.resources]
        return sorted({name for words in families for name in (words.memory, words.cores)} - {""})

    def _patch(self, path: str, body: dict[str, Any]) -> None:
        answer = self._server.patch(path, msgspec.json.encode(body))
        self._written = _number(msgspec.json.decode(answer, type=_Written).metadata.resource_version)


class _Written(Object, frozen=True):
    """As much of a server's answer as is looked at."""

    metadata: Metadata = Metadata()


def _number(version: str) -> int:
    """A version to compare; 0 where it is no number, as it is of every built-in kind (Kubernetes, KEP-5504)."""
    return int(version) if version.isdecimal() else 0


def changes(found: Mapping[str, Any], wanted: Mapping[str, int], names: Iterable[str]) -> dict[str, str | None]:
    """What a merge patch must say for the named amounts to be as wanted; None removes one. Pure."""
    result: dict[str, str | None] = {}
    for name in names:
        if name in wanted and not _equals(found.get(name), wanted[name]):
            result[name] = str(wanted[name])
        elif name in found and name not in wanted:
            result[name] = None
    return result


def _equals(found: Any, wanted: int) -> bool:
    """The API server writes an amount as it likes: 1000 comes back as ``1k``."""
    try:
        return found is not None and parse_quantity(found, "") == wanted
    except InvalidValue:
        return False
