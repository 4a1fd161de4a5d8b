"""What further agents of this node say that it has, by the node's annotations, and what somebody said who is no more.

Each agent writes an inventory of its own. A vendor that moves from one to another is in both for a while, and the old
one stays for good where its writer was killed and nobody has come in its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from hetero import log
from hetero.errors import WireError
from hetero.model import device as model
from hetero.model import wire
from hetero.model.annotations import INVENTORY, inventories

_log = log.logger("agent")


class Others:
    """The other inventories of a node. For several threads.

    Args:
        own: The annotation of this agent.
        writers: Annotations of all agents that there are to be; empty where nobody has said so.
        vendors: Names of this agent's vendors.
        served: Those of them whose devices it gives out.
    """

    def __init__(self, own: str, writers: Collection[str], vendors: Collection[str], served: Collection[str]) -> None:
        self.own = own
        self._writers = frozenset(writers)
        self._vendors = frozenset(vendors)
        self._served = frozenset(served)
        self._read: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def elsewhere(self, notes: Mapping[str, str]) -> Mapping[str, str]:
        """Devices by identity, with their vendor, of which another agent tells, and this one not, since it serves none.

        Of two agents of which neither serves them, the one whose annotation comes first by its name tells.
        """
        texts = {key: notes[key] for key in self._keys(notes) if not self._gone(key)}
        read = self._read
        if texts != read[0]:
            told = {one: vendor for key, text in texts.items() for one, vendor in self._told(key, text)}
            self._read = read = (texts, told)
        return read[1]

    def stale(self, notes: Mapping[str, str]) -> dict[str, str | None]:
        """What stands in annotations whose writer is no more, and ought to stand there; None for nothing at all.

        A person may have written the first one, about devices that no agent here knows: those stay.
        """
        gone = [key for key in self._keys(notes) if self._gone(key)]
        wanted = {key: None if key != INVENTORY else self._without_ours(notes[key]) for key in gone}
        return {key: text for key, text in wanted.items() if text != notes[key]}

    def _keys(self, notes: Mapping[str, str]) -> list[str]:
        return [key for key in inventories(notes) if key != self.own]

    def _gone(self, key: str) -> bool:
        return bool(self._writers) and key not in self._writers

    def _told(self, key: str, text: str) -> Iterator[tuple[str, str]]:
        found = _read(text)
        if found is None:
            return
        for device in found.devices:
            vendor = device.model.vendor
            if vendor not in self._served and (vendor not in found.foreign or key < self.own):
                yield device.uuid, vendor

    def _without_ours(self, text: str) -> str | None:
        found = _read(text)
        if found is None:
            return text
        kept = tuple(device for device in found.devices if device.model.vendor not in self._vendors)
        if len(kept) == len(found.devices):
            return text
        return wire.encode(model.Node(name=found.name, devices=kept, cordoned=found.cordoned)) if kept else None


def _read(text: str) -> model.Node | None:
    try:
        return wire.decode(text, model.Node)
    except WireError as error:  # whoever wrote it has to put it right; the scheduler says so
        _log.debug("another agent's inventory cannot be read", reason=str(error))
        return None
