"""Which cards this machine has and what they are doing, by rocm_smi; whether they can be split, by libhydmi."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hetero import log
from hetero.driver import NONSENSE
from hetero.errors import DriverError, DriverFailed, DriverMissing
from hetero.model.device import MEMORY, Device, DeviceModel, Health, Process, Sample
from hetero.model.quantity import MIB
from hetero.vendor import Discovery, Driver
from hetero_hygon import sysfs
from hetero_hygon.hydmi import Hydmi
from hetero_hygon.identity import identities
from hetero_hygon.links import links_of
from hetero_hygon.models import COMPUTE_UNITS, name_of
from hetero_hygon.names import SHARED_NODES
from hetero_hygon.rocm_smi import RocmSmi
from hetero_hygon.splitting import dcu_model, whole_model

_log = log.logger("hygon")


class DcuDiscovery(Discovery):
    """Cards by rocm_smi.

    Args:
        smi: The library that knows cards.
        dmi: The library that splits them; without it they are given whole.
    """

    def __init__(self, smi: RocmSmi | None = None, dmi: Hydmi | None = None) -> None:
        self._smi = smi or RocmSmi()
        self._dmi = dmi or Hydmi()
        self._seen: dict[int, Device] = {}

    def driver(self) -> Driver:
        """The library's version, and its generation."""
        version = self._smi.version()
        generation = "hyhal" if self._smi.newer else "DTK"
        return Driver(version=version, library=self._smi.library.path, api=f"rocm_smi of {generation}")

    def devices(self) -> Sequence[Device]:
        """All cards in the order of the library."""
        return [device for device, _ in self._found()]

    def sample(self) -> Sequence[Sample]:
        """Memory, utilization, temperature, power and processes of each card."""
        found = self._found()
        processes = self._processes() if found else {}
        return [self._sample(device, number, processes.get(number, ())) for device, number in found]

    def _found(self) -> list[tuple[Device, int]]:
        """The cards, each with the library's number for it."""
        split = self._splits()
        found: list[tuple[Device, int]] = []
        told = identities(self._smi)
        for number, identity in enumerate(told):
            device = self._device(number, identity, split)
            # A card is listed once, whatever stood at a mute card's number before numbers changed.
            if device is not None and (device.uuid == identity or device.uuid not in told):
                found.append((msgspec.structs.replace(device, index=len(found)), number))
        found = self._linked(found)
        self._seen.update((number, device) for device, number in found if device.model.capacity[MEMORY])
        return found

    def _device(self, number: int, identity: str | DriverError, split: bool | DriverError) -> Device | None:
        try:
            if isinstance(identity, DriverError):
                raise identity
            return self._described(number, identity, split)
        except DriverError as error:
            _log.error("card cannot be described", index=number, device=str(identity), reason=str(error))
            known = self._remembered(number, identity) or self._unknown(number, identity)
            return msgspec.structs.replace(known, health=Health(ok=False, reason=str(error))) if known else None

    def _described(self, number: int, identity: str, split: bool | DriverError) -> Device | None:
        bus = self._smi.bus(number)
        if sysfs.is_foreign(bus):
            return None
        health = self._health(number, bus, split)
        return Device(
            uuid=identity,
            index=number,
            model=self._model(number, split),
            numa=self._numa(number, bus),
            health=health,
            paths=(*SHARED_NODES, *self._nodes(number, bus)),
            bus=bus,
        )

    def _model(self, number: int, split: bool | DriverError) -> DeviceModel:
        name = self._name(number)
        memory = self._smi.memory(number) // MIB
        if split is False:
            return whole_model(name, memory)
        return dcu_model(name, memory, self._units(number, name, split))

    def _name(self, number: int) -> str:
        name = name_of(self._smi.device_id(number)) or self._smi.name(number)
        if not name:
            raise DriverFailed("rsmi_dev_name_get", NONSENSE, "the card has no name")
        return name

    def _units(self, number: int, name: str, split: bool | DriverError) -> int:
        """Compute units, by whoever knows them: the newer library, the one that splits, the documents."""
        units = self._smi.compute_units(number)
        if not units and split is True:
            units = self._dmi.compute_units(number)
        units = units or COMPUTE_UNITS.get(name, 0)
        if not units:
            raise DriverFailed("dmiGetDeviceInfo", NONSENSE, f"nobody tells how many compute units {name} has")
        return units

    def _health(self, number: int, bus: str, split: bool | DriverError) -> Health:
        """Unhealthy while there is a reason, and no longer."""
        if sysfs.is_gone(bus):
            return Health(ok=False, reason=f"the kernel does not show {bus} any more")
        errors = self._smi.uncorrected(number)
        if errors:
            return Health(ok=False, reason=f"{errors} errors of memory that could not be corrected")
        return Health(ok=False, reason=f"cannot be split: {split}") if isinstance(split, DriverError) else Health()

    def _splits(self) -> bool | DriverError:
        """Whether vDCUs can be made here; an error when the library for that is there and does not work."""
        try:
            return self._dmi.most() > 0
        except DriverMissing:
            return False
        except DriverError as error:
            _log.error("cards cannot be split", reason=str(error))
            return error

    def _numa(self, number: int, bus: str) -> int:
        known = sysfs.numa(bus)
        return self._smi.numa(number) if known is None else max(known, -1)

    def _nodes(self, number: int, bus: str) -> tuple[str, ...]:
        minor = self._smi.render_minor(number)
        return sysfs.nodes(bus) or ((f"/dev/dri/renderD{minor}",) if minor >= 0 else ())

    def _linked(self, found: list[tuple[Device, int]]) -> list[tuple[Device, int]]:
        """With links, where the library tells them; a card that cannot be asked has those that it had."""
        linked = []
        for device, number in found:
            try:
                links = links_of(self._smi, found, number)
            except DriverError as error:
                _log.warning("links are not known", device=device.uuid, reason=str(error))
                links = device.links
            linked.append((msgspec.structs.replace(device, links=links), number))
        return linked

    def _remembered(self, number: int, identity: str | DriverError) -> Device | None:
        """The card as it was when it could be asked: by its identity, or where that cannot be read, by its number."""
        if isinstance(identity, DriverError):
            return self._seen.get(number)
        return next((device for device in self._seen.values() if device.uuid == identity), None)

    def _unknown(self, number: int, identity: str | DriverError) -> Device | None:
        """A card that never could be described, of which nothing is given; without an identity, none is made up."""
        if isinstance(identity, DriverError):
            return None
        try:
            name = self._name(number)
        except DriverError:
            name = "unknown"
        return Device(uuid=identity, index=number, model=whole_model(name, 0))

    def _sample(self, device: Device, number: int, processes: Sequence[Process]) -> Sample:
        try:
            return Sample(
                uuid=device.uuid,
                memory_used=self._smi.memory_used(number) // MIB,
                utilization=self._smi.busy(number),
                health=device.health,
                processes=tuple(processes),
                temperature=self._smi.temperature(number),
                power=self._smi.power(number),
            )
        except DriverError as error:
            return Sample(uuid=device.uuid, memory_used=0, health=Health(ok=False, reason=str(error)))

    def _processes(self) -> dict[int, list[Process]]:
        """The library's number of each card to the processes on it.

        It tells what a process uses on all cards together: of one that is on several, nobody knows how much is where.
        """
        found: dict[int, list[Process]] = {}
        try:
            for pid, used in self._smi.processes():
                cards = self._smi.cards_of(pid)
                memory = used // MIB if len(cards) == 1 else -1
                for card in cards:
                    found.setdefault(card, []).append(Process(pid=pid, memory=memory))
        except DriverError as error:
            _log.warning("processes are not known", reason=str(error))
        return found
