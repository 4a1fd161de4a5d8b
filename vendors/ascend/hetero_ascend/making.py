"""From a grant of a template to its vNPU, whatever has happened before; and back."""

from __future__ import annotations

import msgspec

from hetero import log
from hetero.errors import DriverFailed, EnforcementError
from hetero.model.allocation import Grant
from hetero_ascend.chips import chip_of
from hetero_ascend.dcmi import Address, Dcmi
from hetero_ascend.journal import Entry, Journal
from hetero_ascend.layouts import VdevInfo
from hetero_ascend.vnpu import IDS_PER_CHIP, Vnpus, first_id, is_of

_log = log.logger("ascend")


class Maker:
    """Makes the vNPUs of slices.

    Args:
        dcmi: The library.
    """

    def __init__(self, dcmi: Dcmi) -> None:
        self._dcmi = dcmi
        self._vnpus = Vnpus(dcmi)

    def ensure(self, book: Journal, held: str, position: int, grant: Grant) -> int:
        """The number of the grant's vNPU, which is there when this returns.

        Args:
            book: The journal.
            held: Id of the slice.
            position: Of the grant in the slice.
            grant: A chip and a template.

        Raises:
            EnforcementError: There is no such chip, no number is free, or the driver refused.
            DriverError: The driver cannot be asked.
        """
        chip = self.chip(grant.device.uuid)
        known = book.entry(held, position)
        if known is not None:
            kept = self._settled(book, chip, known, grant)
            if kept is not None:
                return kept.number
        return self._made(book, chip, self._intended(book, chip, held, position, grant)).number

    def undo(self, book: Journal, entry: Entry) -> None:
        """Destroy what an entry of the book stands for, and strike it.

        Raises:
            EnforcementError: A container still has it.
            DriverError: The driver cannot be asked.
        """
        chip = self.chip(entry.uuid)
        number = self._found(book, chip, entry)
        if number is not None:
            self._destroy(chip, number)
        book.strike(entry)

    def numbers(self) -> list[int]:
        """Numbers of all vNPUs of this machine, ours included, as the driver lists them."""
        return [number for chip in self._dcmi.chips() for number in self._vnpus.ids(chip)]

    def nameless(self) -> list[tuple[int, str]]:
        """Chips that tell no identity of their own: the place of each in the driver's list, and why.

        Raises:
            DriverError: The driver cannot be asked.
        """
        found: list[tuple[int, str]] = []
        known: set[str] = set()
        for position, chip in enumerate(self._dcmi.chips()):
            try:
                uuid = self._dcmi.die(chip)
            except DriverFailed as error:
                found.append((position, str(error)))
                continue
            if uuid in known:
                found.append((position, f"its identity {uuid} is another chip's"))
            known.add(uuid)
        return found

    def chip(self, uuid: str) -> Address:
        """Where the driver has a chip.

        Raises:
            EnforcementError: It has none of that identity.
        """
        for chip in self._dcmi.chips():
            try:
                if self._dcmi.die(chip) == uuid:
                    return chip
            except DriverFailed:
                continue  # another chip that is broken
        raise EnforcementError(f"the driver lists no NPU {uuid}; see hetero devices")

    def _settled(self, book: Journal, chip: Address, known: Entry, grant: Grant) -> Entry | None:
        """What the book has, if it is there and just what is wanted; else it is undone."""
        number = self._found(book, chip, known)
        wanted = (grant.device.uuid, grant.share.template)
        if number is not None and (known.uuid, known.template) == wanted:
            kept = msgspec.structs.replace(known, number=number, made=True)
            if kept != known:
                _log.info("vNPU of a process that died is taken over", slice=known.slice, vnpu=number)
                book.write(kept)
            return kept
        self.undo(book, known)
        return None

    def _found(self, book: Journal, chip: Address, entry: Entry) -> int | None:
        """The number under which an entry's vNPU is there.

        One that was only intended, and that a container has, is not ours: nobody has been told of ours yet. Drivers
        that choose numbers themselves may have made it under one that was not there before; where several could be it,
        people are asked.
        """
        candidates = [entry.number]
        if not entry.made and self._vnpus.old:
            taken = book.numbers(entry.uuid) | set(entry.before)
            candidates += [number for number in self._vnpus.ids(chip) if number not in taken]
        found = [number for number in candidates if self._serves(chip, number, entry)]
        if len(found) > 1:
            _log.error(
                "one of these vNPUs is left over from a process that died; destroy it by hand: npu-smi set",
                vnpus=found,
                slice=entry.slice,
            )
        return found[0] if len(found) == 1 else None

    def _serves(self, chip: Address, number: int, entry: Entry) -> bool:
        """True when a vNPU of that number is there, and could be the entry's."""
        info = self._vnpus.one(chip, number)
        return info is not None and is_of(info, entry.template) and (entry.made or not _in_use(info))

    def _intended(self, book: Journal, chip: Address, held: str, position: int, grant: Grant) -> Entry:
        before = self._vnpus.ids(chip)
        taken = {*before, *book.numbers(grant.device.uuid)}
        first = first_id(self._dcmi.phy_id(chip))
        kind = chip_of(grant.device.model.name)
        most = kind.vdevices if kind else IDS_PER_CHIP
        # From the top: others leave the choice to the driver, which begins at the bottom.
        number = next((one for one in range(first + most - 1, first - 1, -1) if one not in taken), None)
        if number is None:
            raise EnforcementError(f"NPU {grant.device.uuid} has {most} vNPUs already; see npu-smi info -t info-vnpu")
        entry = Entry(
            slice=held,
            position=position,
            uuid=grant.device.uuid,
            template=grant.share.template,
            number=number,
            before=tuple(before),
        )
        book.write(entry)
        return entry

    def _made(self, book: Journal, chip: Address, entry: Entry) -> Entry:
        try:
            number = self._vnpus.make(chip, entry.number, entry.template)
        except DriverFailed as error:
            others = ", ".join(map(str, entry.before)) or "none"
            raise EnforcementError(
                f"{entry.template} cannot be made on NPU {entry.uuid}: {error}; vNPUs there: {others}; "
                "those that are not hetero's, and programs on the whole chip, take its room"
            ) from error
        made = msgspec.structs.replace(entry, number=number, made=True)
        book.write(made)
        return made

    def _destroy(self, chip: Address, number: int) -> None:
        try:
            self._vnpus.destroy(chip, number)
        except DriverFailed as error:
            raise EnforcementError(
                f"vNPU {number} cannot be destroyed: {error}; its container must end first"
            ) from error


def _in_use(info: VdevInfo) -> bool:
    return bool(info.is_container_used)
