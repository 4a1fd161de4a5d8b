"""Dynamic slices (sMLU) as the driver keeps them: profiles are sizes, instances are slices of a card."""

from __future__ import annotations

import ctypes as c
from typing import NamedTuple

from hetero.driver import NONSENSE, printable, text, within
from hetero.errors import DriverFailed
from hetero_cambricon import structs
from hetero_cambricon.cndev import NO_ROOM, UNSUPPORTED_VERSION, VERSIONS, Cndev

SINCE_DRIVER = (5, 10, 27)
SINCE_LIBRARY = (3, 9, 0)
"""Versions from which on cards can be split so. Source: README of cambricon-k8s-device-plugin v2.0.23."""

_INSTANCES = 1024
_PROFILES = 128
_PETABYTE = 2**50


class Profile(NamedTuple):
    """A size of slices.

    Attributes:
        id: Of the driver, within the card.
        cores: Percent of the card's compute.
        memory: Bytes.
        remaining: How many more slices of this size the card can have now.
    """

    id: int
    cores: int
    memory: int
    remaining: int


class Instance(NamedTuple):
    """A slice of a card.

    Attributes:
        id: Of the driver, within the card.
        profile: Of which profile it was made.
        name: Given by whoever made it; maybe empty.
        node: Its device node.
        cores: Percent of the card's compute.
        memory: Bytes.
    """

    id: int
    profile: int
    name: str
    node: str
    cores: int
    memory: int


def able(cndev: Cndev) -> bool:
    """True when driver and library are new enough."""
    return cndev.driver_version() >= SINCE_DRIVER and cndev.library_version() >= SINCE_LIBRARY


def instances(cndev: Cndev, card: int) -> list[Instance]:
    """All slices of a card, whoever made them.

    Raises:
        DriverFailed: Also where the card is not in sMLU mode, with ``NOT_SUPPORTED``.
    """
    call, room = "cndevGetAllSMluInstanceInfo", 16
    while True:
        count = c.c_int32(room)
        try:
            found = cndev.array(call, structs.SmluInfo, room, card, before=(c.addressof(count),))
        except DriverFailed as error:
            if error.code != NO_ROOM or count.value <= room:
                raise
            room = within(call, "slices", count.value, 0, _INSTANCES)
            continue
        return [_instance(call, info) for info in found[: within(call, "slices", count.value, 0, room)]]


def profiles(cndev: Cndev, card: int) -> list[Profile]:
    """All sizes that a card knows."""
    known = cndev.filled("cndevGetSMluProfileIdInfo", structs.SmluProfileIdInfo, card)
    count = within("cndevGetSMluProfileIdInfo", "profiles", known.count, 0, _PROFILES)
    return [_profile(cndev, card, number) for number in known.profileId[:count]]


def make_profile(cndev: Cndev, card: int, cores: int, memory: int) -> int:
    """A new profile of so many percent and bytes; the driver may round it."""
    call, number = "cndevCreateSMluProfileInfo", c.c_int32(-1)
    for version in VERSIONS:
        size = structs.SmluSet(version=version, mluQuota=cores, memorySize=memory)
        try:
            cndev.call(call, c.addressof(size), c.addressof(number), card)
            break
        except DriverFailed as error:
            if error.code != UNSUPPORTED_VERSION or version == VERSIONS[-1]:
                raise
    return within(call, "the profile", number.value, 0, 2**31 - 1)


def destroy_profile(cndev: Cndev, card: int, number: int) -> None:
    """The profile is gone; of one that has slices the driver says DUPLICATE or IN_USE."""
    cndev.call("cndevDestroySMluProfileInfo", number, card)


def make(cndev: Cndev, card: int, profile: int, name: str) -> Instance:
    """A new slice of this profile."""
    handle = c.c_int32(-1)
    cndev.call("cndevCreateSMluInstanceByProfileId", c.addressof(handle), profile, card, name.encode())
    call = "cndevGetSMluInstanceInfo"
    return _instance(call, cndev.filled(call, structs.SmluInfo, handle.value))


def destroy(cndev: Cndev, card: int, name: str) -> None:
    """The slice with this name is gone; of one that a program uses the driver says IN_USE."""
    cndev.call("cndevDestroySMluInstanceByInstanceName", card, name.encode())


def _profile(cndev: Cndev, card: int, number: int) -> Profile:
    call = "cndevGetSMluProfileInfo"
    told = cndev.filled(call, structs.SmluProfileInfo, number, card)
    return Profile(
        id=number,
        cores=within(call, "percent", told.mluQuota[0], 0, 100),
        memory=within(call, "bytes", told.memorySize[0], 0, _PETABYTE),
        remaining=int(told.remainCapacity),
    )


def _instance(call: str, told: structs.SmluInfo) -> Instance:
    node = printable(call, "a device node", told.devNodeName)
    if not node.startswith("/dev/"):
        raise DriverFailed(call, NONSENSE, f"it told {node[:60]!r} as a device node")
    return Instance(
        id=within(call, "a slice", told.instanceId, 0, 2**23),
        profile=int(told.profileId),
        name=text(told.instanceName),
        node=node,
        cores=within(call, "percent", told.mluQuota[0], 0, 100),
        memory=within(call, "bytes", told.memorySize[0], 0, _PETABYTE),
    )
