"""A share of a card as the surroundings of its program: the whole card, or a vDCU that the driver keeps to its limits.

The driver finds a program's vDCU by the file that its container has in ``/etc/vdev/docker``. So a program that is not
in a container is kept to nothing: ``hetero run`` makes the vDCU, and the program does not know of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from hetero.driver import host
from hetero.errors import DriverError, DriverMissing, EnforcementError
from hetero.model.allocation import ContainerEdits, Grant, Mount, Slice
from hetero.vendor import Enforcement, Finding
from hetero_hygon import conf, files, names, sysfs
from hetero_hygon.hydmi import Hydmi
from hetero_hygon.identity import identities, number_of
from hetero_hygon.instances import Instances, Wanted
from hetero_hygon.rocm_smi import RocmSmi
from hetero_hygon.splitting import UNITS, is_whole

COPY = "vdev"
"""Directory of a slice with the description of its vDCU, which its container has as ``/etc/vdev/docker``."""


class DriverEnforcement(Enforcement):
    """Limits kept by the driver.

    Args:
        smi: The library that knows cards by their serial numbers.
        dmi: The library that makes vDCUs.
    """

    def __init__(self, smi: RocmSmi | None = None, dmi: Hydmi | None = None) -> None:
        self._smi = smi or RocmSmi()
        self._dmi = dmi or Hydmi()
        self._instances = Instances(self._dmi)

    def prepare(self, held: Slice) -> ContainerEdits:
        """Device files and the driver's own; for a part of a card a vDCU, and the file by which the driver knows it."""
        parts = [grant for grant in held.grants if not is_whole(grant.device.model, grant.share)]
        if parts and len(held.grants) > 1:
            raise EnforcementError(
                f"slice {held.id} has a part of {parts[0].device.uuid} beside other cards; "
                "a program sees one vDCU at most"
            )
        mounts = _driver_files()
        if parts:
            mounts += (self._vdcu(held, parts[0]),)
        nodes = dict.fromkeys(path for grant in held.grants for path in grant.device.paths)
        return ContainerEdits(env={names.VISIBLE_TO_TOOLKIT: "void"}, mounts=mounts, device_nodes=tuple(nodes))

    def release(self, held: Slice) -> None:
        """Remove the slice's vDCU, if it has one."""
        directory = Path(held.directory)
        if any(not is_whole(grant.device.model, grant.share) for grant in held.grants):
            self._instances.remove(directory)
        shutil.rmtree(directory / COPY, ignore_errors=True)

    def check(self) -> Iterator[Finding]:
        """Whether vDCUs can be made here, and which there are; nothing on a machine without the vendor's cards."""
        if not self._needed():
            return
        yield from self._nameless()
        yield self._library()
        yield from (_node(path) for path in names.SHARED_NODES)
        yield _rights()
        yield _vdcus()

    def _vdcu(self, held: Slice, grant: Grant) -> Mount:
        wanted = Wanted(
            directory=held.directory,
            bus=grant.device.bus,
            units=grant.share.quantities[UNITS],
            memory=grant.share.memory,
        )
        made = self._instances.make(wanted, number_of(self._smi, grant.device.uuid))
        copy = Path(held.directory, COPY)
        _keep(copy, made.number)
        return Mount(host_path=str(copy), container_path=names.VDEV_IN_CONTAINER)

    def _needed(self) -> bool:
        """False where no driver is, or only another maker's, whose library has the same name."""
        try:
            return any(not sysfs.is_foreign(self._smi.bus(card)) for card in range(self._smi.count()))
        except DriverMissing:
            return False
        except DriverError:
            return True

    def _nameless(self) -> Iterator[Finding]:
        """Cards that tell no identity, and are listed nowhere for that."""
        try:
            known = identities(self._smi)
        except DriverError:
            return  # the driver's own row says so
        for card, error in enumerate(known):
            if isinstance(error, DriverError):
                advice = "see what the kernel says of it (dmesg); it is in no list until it tells who it is"
                yield Finding(subject=f"card {card}", ok=False, detail=str(error), advice=advice)

    def _library(self) -> Finding:
        try:
            most = self._dmi.most()
        except DriverError as error:
            return Finding(
                subject="libhydmi", ok=False, detail=str(error), advice="without it cards can only be given whole"
            )
        return Finding(
            subject="libhydmi",
            ok=most > 0,
            detail=f"{most} vDCUs on each card",
            advice="" if most else "the library takes this process to be in a container: run it outside of docker",
        )


def _keep(directory: Path, number: int) -> None:
    """Our own copy of a vDCU's description, and no other: the driver's file may go while the container stays."""
    text = conf.text_of(number)
    if text is None:
        raise EnforcementError(f"vDCU {number} has gone while it was made; see hy-smi virtual -show-vdevice-info")
    directory.mkdir(mode=0o755, exist_ok=True)
    name = f"vdev{number}.conf"
    for stale in directory.iterdir():
        if stale.name != name:
            stale.unlink()
    files.put(directory / name, text.encode())
    (directory / name).chmod(0o644)


def _driver_files() -> tuple[Mount, ...]:
    """The driver's libraries, where they are; an image may also bring its own."""
    if not host(names.VENDOR, names.DRIVER_FILES).exists():
        return ()
    return (Mount(host_path=names.DRIVER_FILES, container_path=names.DRIVER_FILES),)


def _node(path: str) -> Finding:
    there = host(names.VENDOR, path).exists()
    return Finding(
        subject=path,
        ok=there,
        detail="there" if there else "not there",
        advice="" if there else "load the driver's kernel modules",
    )


def _vdcus() -> Finding:
    there = conf.everything()
    unknown = sorted(conf.numbers() - {one.number for one in there})
    return Finding(
        subject="vDCUs",
        ok=not unknown,
        detail=f"{len(there)} on this machine" + (f"; not understood: {unknown}" if unknown else ""),
        advice=f"see {names.VDEVS}/vdev<N>.conf: this version of the driver writes other lines" if unknown else "",
    )


def _rights() -> Finding:
    root = os.geteuid() == 0
    return Finding(
        subject="rights",
        ok=root,
        detail="root" if root else f"user {os.geteuid()}",
        advice="" if root else "vDCUs are made by root; whole cards need no rights",
    )
