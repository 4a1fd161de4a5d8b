"""Making a vDCU for a slice and removing it, so that a process may be killed at any instant and nothing is lost.

The driver gives a vDCU a number and does not tell which: its file appears in ``/etc/vdev``. So under a lock of the
machine, what is about to be made is written into a journal, with those that are there already; then the vDCU is
made; then its record is stored in the slice's directory; then the journal is removed. Whoever takes the lock next
settles a journal that was left: the vDCU that has come since, and is just what was wanted, is that slice's. It is
recorded where the slice's directory still exists, and removed where it does not. So is one that the driver rounded up,
which would have been refused. What came on another card may be a stranger's, and is named in the log.

vDCUs that others made are never touched: a record counts only for a vDCU whose file says what it said when it was made,
and not when the number has been given to another slice since, which a file of the machine tells for each number.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from hetero import log, turn
from hetero.errors import DriverFailed, EnforcementError
from hetero_hygon import conf, cumask, files
from hetero_hygon.conf import Vdcu
from hetero_hygon.hydmi import BUSY, Hydmi
from hetero_hygon.names import VENDOR

_log = log.logger("hygon")

RECORD = "vdcu.json"
JOURNAL = "journal.json"

ATTEMPTS = 5
"""How often a vDCU in use is tried to be removed before it is left for later: its program may just be ending."""

ROUNDING = 1024
"""MiB by which a driver may round memory up: more was made by somebody else. No step is documented."""

_PAUSE = 0.1


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a slice needs.

    Attributes:
        directory: The slice's.
        bus: Address of the card.
        units: Compute units.
        memory: MiB.
    """

    directory: str
    bus: str
    units: int
    memory: int


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What is being made.

    Attributes:
        wanted: What is asked of the driver.
        before: The vDCUs that were there, as their files described them: others may remove one meanwhile, and then its
            number is given again.
    """

    wanted: Wanted
    before: tuple[Vdcu, ...]


class Instances:
    """The vDCUs of slices. Each method holds the machine's lock while it works."""

    def __init__(self, dmi: Hydmi) -> None:
        self._dmi = dmi

    def make(self, wanted: Wanted, card: int) -> Vdcu:
        """The slice's vDCU, made unless it is there.

        Args:
            wanted: What the slice needs.
            card: The library's number of the card.

        Raises:
            DriverFailed: The driver refused.
            EnforcementError: What it made is not what was asked, or cannot be told from what others made.
        """
        with turn.taken(VENDOR, "vDCUs") as shared:
            self._settle(shared)
            mine = _recorded(shared, Path(wanted.directory))
            if mine is None or not _serves(mine, wanted):
                self._remove(shared, Path(wanted.directory))
                mine = self._create(shared, wanted, card)
            self._check(shared, mine, wanted)  # also what a process that died did not come to check
            return self._enabled(mine)

    def remove(self, directory: Path) -> None:
        """Remove the vDCU of the slice with this directory, if it has one.

        Raises:
            EnforcementError: A program still uses it.
            DriverFailed: The driver refused otherwise.
        """
        with turn.taken(VENDOR, "vDCUs") as shared:
            self._settle(shared)
            self._remove(shared, directory)

    def _create(self, shared: Path, wanted: Wanted, card: int) -> Vdcu:
        journal = Journal(wanted=wanted, before=conf.everything())
        files.put(shared / JOURNAL, msgspec.json.encode(journal))
        try:
            self._dmi.create(card, wanted.units, wanted.memory)
        except DriverFailed:
            self._settle(shared)  # what it left, if anything, is not kept
            self._remove(shared, Path(wanted.directory))
            raise
        self._removed_astray(shared, journal)
        made = _made(journal)
        _record(shared, made, Path(wanted.directory))
        files.drop(shared / JOURNAL)
        return made

    def _removed_astray(self, shared: Path, journal: Journal) -> None:
        """Take back what the driver made on another card than it was asked for.

        Raises:
            EnforcementError: It did so, which it will do again.
        """
        new, bus = _new(journal), journal.wanted.bus
        if any(one.bus == bus for one in new):
            return
        astray = new if len(new) == 1 else [one for one in new if _alike(one, journal.wanted)]
        if len(astray) == 1:
            self._destroy(astray[0])
            files.drop(shared / JOURNAL)
            raise EnforcementError(
                f"libhydmi made the vDCU on {astray[0].bus}, asked for one on {bus}: it numbers cards otherwise than "
                "librocm_smi64 does, so no part of a card can be given on this machine; the vDCU has been removed"
            )

    def _check(self, shared: Path, made: Vdcu, wanted: Wanted) -> None:
        """Nothing but what is charged may be taken, and no unit by two."""
        others = [one for one in conf.everything() if one.bus == made.bus and one.number != made.number]
        complaint = _complaint(made, wanted, others)
        if complaint:
            self._remove(shared, Path(wanted.directory))
            raise EnforcementError(f"vDCU {made.number} on {wanted.bus}: {complaint}")

    def _enabled(self, mine: Vdcu) -> Vdcu:
        if mine.enabled:
            return mine
        self._dmi.start(mine.number)
        return conf.read(mine.number) or mine

    def _settle(self, shared: Path) -> None:
        """Put in order what a process left that died while it made a vDCU."""
        journal = _left(shared / JOURNAL)
        if journal is None:
            return
        directory = Path(journal.wanted.directory)
        here = [one for one in _new(journal) if one.bus == journal.wanted.bus]
        found = [one for one in here if _serves(one, journal.wanted)]
        rounded = [one for one in here if _rounded(one, journal.wanted)]
        if not found and len(rounded) == 1:
            self._destroy_unused(rounded[0])  # it would be refused, had its maker come to look at it
        elif len(found) == 1:
            _log.warning("vDCU of a process that died", vdcu=found[0].number, slice=directory.name)
            if directory.is_dir():
                _record(shared, found[0], directory)
            else:
                self._destroy_unused(found[0])
        elif found or rounded or _elsewhere(journal):
            _log.error(
                "one of these vDCUs may be left over from a process that died; remove it by hand: hy-smi virtual",
                vdcus=[one.number for one in found or rounded or _elsewhere(journal)],
                bus=journal.wanted.bus,
            )
        files.drop(shared / JOURNAL)

    def _destroy_unused(self, vdcu: Vdcu) -> None:
        """Of what is being made nobody has been told: one that a program uses is somebody else's."""
        try:
            self._destroy(vdcu)
        except EnforcementError as error:
            _log.warning("vDCU of others is left alone", vdcu=vdcu.number, reason=str(error))

    def _remove(self, shared: Path, directory: Path) -> None:
        mine = _recorded(shared, directory)
        if mine is not None:
            self._destroy(mine)
        for owner in shared.glob("vdev*.owner"):  # also that of one which went before its process died
            if owner.read_bytes() == str(directory).encode():
                files.drop(owner)
        if directory.is_dir():
            files.drop(directory / RECORD)

    def _destroy(self, vdcu: Vdcu) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._dmi.destroy(vdcu.number)
            except DriverFailed as error:
                if error.code != BUSY:
                    raise
                if attempt == ATTEMPTS:
                    raise EnforcementError(
                        f"vDCU {vdcu.number} on {vdcu.bus} is still in use; it is removed once its programs have ended"
                    ) from error
                time.sleep(_PAUSE)
        return None


def _new(journal: Journal) -> list[Vdcu]:
    """What has come since the journal was written, on any card."""
    before = [_described(one) for one in journal.before]
    return [one for one in conf.everything() if _described(one) not in before]


def _elsewhere(journal: Journal) -> list[Vdcu]:
    """What has come on other cards and is else as wanted: others may have made it, or a driver that goes astray."""
    return [one for one in _new(journal) if one.bus != journal.wanted.bus and _alike(one, journal.wanted)]


def _described(vdcu: Vdcu) -> Vdcu:
    """A vDCU but for whether programs may use it, which changes."""
    return msgspec.structs.replace(vdcu, enabled=False)


def _made(journal: Journal) -> Vdcu:
    """The vDCU that the driver says it made."""
    new = [one for one in _new(journal) if one.bus == journal.wanted.bus]
    if len(new) > 1:  # others make them as well, and do not know our lock
        new = [one for one in new if _serves(one, journal.wanted)]
    if len(new) != 1:
        raise EnforcementError(
            f"the driver says that it made a vDCU on {journal.wanted.bus}, and /etc/vdev has {len(new)} new ones that "
            "it could be; see hy-smi virtual -show-vdevice-info, and that nobody else makes vDCUs on this machine"
        )
    return new[0]


def _serves(vdcu: Vdcu, wanted: Wanted) -> bool:
    return vdcu.bus == wanted.bus and _alike(vdcu, wanted)


def _alike(vdcu: Vdcu, wanted: Wanted) -> bool:
    return (vdcu.units, vdcu.memory) == (wanted.units, wanted.memory)


def _rounded(vdcu: Vdcu, wanted: Wanted) -> bool:
    """True for what a driver that rounds memory up may have made of what was asked."""
    return vdcu.units == wanted.units and wanted.memory < vdcu.memory <= wanted.memory + ROUNDING


def _complaint(made: Vdcu, wanted: Wanted, others: list[Vdcu]) -> str:
    if (made.units, made.memory) != (wanted.units, wanted.memory):
        return (
            f"the driver gave {made.units} compute units and {made.memory} MiB, asked {wanted.units} and "
            f"{wanted.memory} MiB; ask for what it can give"
        )
    if cumask.size(made.mask) != made.units:
        return f"its mask {made.mask:#x} has {cumask.size(made.mask)} units and not {made.units}"
    crossed = [one.number for one in others if cumask.overlaps(one.mask, made.mask)]
    return f"it has compute units that vDCU {crossed[0]} has too" if crossed else ""


def _owner(shared: Path, number: int) -> Path:
    """The file that names the directory of the slice which the vDCU with this number was last made for."""
    return shared / f"vdev{number}.owner"


def _record(shared: Path, vdcu: Vdcu, directory: Path) -> None:
    files.put(_owner(shared, vdcu.number), str(directory).encode())
    files.put(directory / RECORD, msgspec.json.encode(vdcu))


def _recorded(shared: Path, directory: Path) -> Vdcu | None:
    """The slice's vDCU; None when it has none, or the one with its number has become another's."""
    try:
        recorded = msgspec.json.decode((directory / RECORD).read_bytes(), type=Vdcu)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.MsgspecError as error:
        raise EnforcementError(f"{directory / RECORD} is damaged ({error}); remove its vDCU by hand") from error
    now = conf.read(recorded.number)
    alike = now is not None and _described(now) == _described(recorded)
    return now if alike and _owned(shared, recorded.number, directory) else None


def _owned(shared: Path, number: int, directory: Path) -> bool:
    """True unless the number was given to another slice; where nothing is known, its file alone decides."""
    try:
        return _owner(shared, number).read_bytes() == str(directory).encode()
    except FileNotFoundError:
        return True


def _left(path: Path) -> Journal | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        # Written whole or not at all, so somebody else did this; it stands for nothing that could be found.
        _log.error("the journal of vDCUs is damaged and is removed", path=str(path), reason=str(error))
        path.unlink()
        return None
