"""Slices of one card by name: have this one, remove that one. The caller sees to it that only one does so at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from hetero import log
from hetero.driver import host
from hetero.errors import DriverError, DriverFailed, EnforcementError
from hetero.model.quantity import MIB
from hetero_cambricon import smlu
from hetero_cambricon.cndev import (
    DUPLICATE,
    IN_USE,
    INVALID_ARGUMENT,
    NO_PERMISSION,
    NO_ROOM,
    NOT_FOUND,
    NOT_SUPPORTED,
    Cndev,
)
from hetero_cambricon.names import UNIT, VENDOR
from hetero_cambricon.smlu import Instance, Profile

_log = log.logger("cambricon")

_REFUSALS = {
    NO_ROOM: "has no room for it; slices that hetero did not make take it (cnmon smlu lists them)",
    NOT_SUPPORTED: "is not in sMLU mode any more; turn it on (cnmon set -c N -smlu on)",
    NO_PERMISSION: "does not let this user make slices; run as root",
}


class Wanted(NamedTuple):
    """A slice as it is to be.

    Attributes:
        name: Its own among all slices of the card.
        cores: Percent of the card's compute.
        memory: MiB.
    """

    name: str
    cores: int
    memory: int

    def fits(self, made: Instance | Profile) -> bool:
        """True when the driver made just this, but for rounding up by less than a unit."""
        return made.cores == self.cores and 0 <= made.memory - self.memory * MIB < UNIT * MIB


class Slices:
    """The slices that go by names of ours.

    Args:
        cndev: The library.
    """

    def __init__(self, cndev: Cndev) -> None:
        self._cndev = cndev

    def have(self, card: int, wanted: Wanted) -> Instance:
        """The slice, which is there afterwards: the one that was there, or a new one.

        Raises:
            EnforcementError: The driver does not give it; why, and what to do.
            DriverError: The driver failed.
        """
        try:
            there = self._named(card, wanted.name)
            if len(there) == 1 and wanted.fits(there[0]):
                return self._with_node(there[0])
            self._destroy(card, there)
            return self._with_node(self._made(card, wanted))
        except DriverFailed as error:
            _refuse(card, wanted, error)

    def remove(self, card: int, wanted: Wanted) -> None:
        """The slice is not there afterwards, nor is its size if it was the last one.

        Raises:
            EnforcementError: A program still uses it.
            DriverError: The driver failed.
        """
        try:
            there = self._named(card, wanted.name)
            self._destroy(card, there)
            self._tidy(card, wanted, there)
        except DriverFailed as error:
            if error.code != NOT_SUPPORTED:  # the mode is off, and all slices are gone with it
                raise

    def _named(self, card: int, name: str) -> list[Instance]:
        return [one for one in smlu.instances(self._cndev, card) if one.name == name]

    def _destroy(self, card: int, those: Sequence[Instance]) -> None:
        for one in those:
            try:
                smlu.destroy(self._cndev, card, one.name)
            except DriverFailed as error:
                if error.code == IN_USE:
                    raise EnforcementError(
                        f"slice {one.name} of card {card} is still used by a program; end it, and it is destroyed"
                    ) from error
                if error.code != NOT_FOUND:
                    raise

    def _made(self, card: int, wanted: Wanted) -> Instance:
        profile = self._profile(card, wanted)
        try:
            made = smlu.make(self._cndev, card, profile, wanted.name)
        except DriverError:
            self._undo(card, wanted)
            raise
        if not wanted.fits(made):
            self._undo(card, wanted)
            less = made.memory < wanted.memory * MIB or made.cores < wanted.cores
            which = "less than was asked" if less else "more than is charged"
            raise EnforcementError(
                f"the driver makes {made.memory // MIB} MiB and {made.cores} % of a slice of {wanted.memory} MiB and "
                f"{wanted.cores} % of card {card}, which is {which}; ask for a size that it makes"
            )
        return made

    def _profile(self, card: int, wanted: Wanted) -> int:
        """A size that is there already, or a new one."""
        for one in smlu.profiles(self._cndev, card):
            if wanted.fits(one) and one.remaining >= 1:
                return one.id
        return smlu.make_profile(self._cndev, card, wanted.cores, wanted.memory * MIB)

    def _undo(self, card: int, wanted: Wanted) -> None:
        """Leave nothing of an attempt that failed; what cannot be undone now is when the slice is released."""
        try:
            self.remove(card, wanted)
        except (DriverError, EnforcementError) as error:
            _log.error("a slice that failed stays", card=card, slice=wanted.name, reason=str(error))

    def _tidy(self, card: int, wanted: Wanted, gone: Sequence[Instance]) -> None:
        """Destroy the sizes of slices that are gone, and one that a process left before it made its slice."""
        used = {one.profile for one in smlu.instances(self._cndev, card)}
        sizes = {one.profile for one in gone}
        for one in smlu.profiles(self._cndev, card):
            if one.id in used or not (one.id in sizes or wanted.fits(one)):
                continue
            try:
                smlu.destroy_profile(self._cndev, card, one.id)
            except DriverFailed as error:
                if error.code not in (DUPLICATE, IN_USE, NOT_FOUND, INVALID_ARGUMENT):  # somebody has just used it
                    raise

    def _with_node(self, made: Instance) -> Instance:
        if not host(VENDOR, made.node).exists():
            raise EnforcementError(
                f"the driver made slice {made.name} without its device node {made.node}; "
                "look whether the machine's /dev is that of the kernel (devtmpfs)"
            )
        return made


def _refuse(card: int, wanted: Wanted, error: DriverFailed) -> NoReturn:
    if error.code not in _REFUSALS:
        raise error
    size = f"{wanted.memory} MiB and {wanted.cores} %"
    raise EnforcementError(f"card {card} {_REFUSALS[error.code]}; asked {size} ({error})") from error
