"""Makes the slices of this node's containers, and takes them away.

Called for each start of a container, maybe several times for one start and maybe after a crash between any two lines:
so the record comes first, each file is replaced as a whole, and the vendor's part is idempotent by its contract.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hetero import log
from hetero.agent.libraries import Libraries
from hetero.agent.records import LIMITS, REGION, PodSlice, Records, identity, usable, vendor_of
from hetero.agent.shares import Wanted
from hetero.allocation import cdi
from hetero.driver import host
from hetero.enforcement import limits, region
from hetero.errors import EnforcementError, HeteroError
from hetero.model.allocation import ContainerEdits, Mount, Slice
from hetero.vendor import Vendor

_log = log.logger("agent")

REGION_INSIDE = "/run/hetero/region"
"""Where a container has its region."""

LIMITS_INSIDE = "/etc/hetero/limits"
"""Where its native runtime looks for the limits. Source: ``native/runtime/options.c``."""


class Slices:
    """The slices of this node's containers. For any number of threads; one at a time for each slice.

    Args:
        records: Where they are kept.
        libraries: Copies of libraries that containers load.
        vendors: Guarded vendors by name (:func:`hetero.monitoring.guard.guarded`).
        made: Told the compute policy of each slice that is made.
        isolation: False where the administrator has the limits kept by nobody: containers see their devices alone.

    Attributes:
        released: How many slices were released so far: room that there was not before.
    """

    def __init__(
        self,
        records: Records,
        libraries: Libraries,
        vendors: Mapping[str, Vendor],
        made: Callable[[str], None] = lambda _: None,
        *,
        isolation: bool = True,
    ) -> None:
        self.records = records
        self.released = 0
        self._made = made
        self._libraries = libraries
        self._vendors = vendors
        self._isolation = isolation
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}  # with how many wait for it or have it

    def edits(self, wanted: Wanted) -> ContainerEdits:
        """Make a container's slice, and say what the container is given.

        Raises:
            EnforcementError: It cannot be made.
            DriverError: The driver refused.
        """
        slice_id = identity(wanted.vendor, wanted.pod.metadata.uid, wanted.container)
        with self._turn(slice_id):
            vendor = self._vendors[wanted.vendor]
            self._check_users(wanted, vendor)
            directory = self.records.make(slice_id)
            record = _record(wanted, slice_id, directory, REGION_INSIDE if self._keeps(vendor) else "")
            self._note(record)
            mounts = _limit(record.held, directory) if record.held.region else ()
            edits = vendor.enforcement.prepare(record.held)
            edits = msgspec.structs.replace(edits, mounts=(*edits.mounts, *mounts))
            result = self._contained(edits, record)
        self._made(wanted.policy)
        return result

    def release(self, record: PodSlice) -> bool:
        """Undo a slice whose container is over; false when its vendor could not, so that it is tried again later."""
        with self._turn(record.held.id):
            try:
                self._vendors[record.vendor].enforcement.release(record.held)
            except Exception as error:  # a defect of one vendor must not keep the slices of the others
                level = "warning" if isinstance(error, HeteroError) else "error"
                getattr(_log, level)("a slice is not released yet", slice=record.held.id, reason=str(error))
                return False
            self.records.remove(record.held.id)
        self.released += 1
        _log.info("a slice was released", slice=record.held.id, pod=f"{record.namespace}/{record.pod}")
        return True

    def sweep(self, over: Callable[[PodSlice], bool]) -> int:
        """Release all slices of the vendors here that are over, and say how many went.

        Raises:
            EnforcementError: The slices cannot be listed.
        """
        gone = 0
        for slice_id in self.records.ids():
            record = self.records.read(slice_id)
            if record is not None:
                gone += record.vendor in self._vendors and over(record) and self.release(record)
            elif vendor_of(slice_id) in self._vendors and self.records.unfinished(slice_id):
                gone += self._drop(slice_id)
        return gone

    def sweep_libraries(self) -> list[str]:
        """Remove copies of libraries that no slice of this node uses, of whatever vendor.

        Raises:
            EnforcementError: They cannot be looked at.
        """
        with self._libraries.held():
            return self._libraries.sweep({path for record in self.records.all() for path in record.files})

    def leave(self, but: Collection[str] = ()) -> None:
        """Remove the directories that this agent's vendors and the slices had, as far as nothing is left to undo.

        Args:
            but: Vendors that another agent serves.

        Raises:
            EnforcementError: The slices cannot be listed.
        """
        kept = {*but, *(record.vendor for record in self.records.all())}
        for name in self._vendors.keys() - kept:
            shutil.rmtree(host(name, f"/run/hetero/{name}"), ignore_errors=True)
        self.records.leave()
        self._libraries.leave()

    def _keeps(self, vendor: Vendor) -> bool:
        return vendor.enforcement.region and self._isolation

    def _check_users(self, wanted: Wanted, vendor: Vendor) -> None:
        """Root of the machine is nobody in a user namespace, and the runtime takes limits from root alone.

        Where the copies of libraries lie on a file system without execution the loader, which may not change that there
        either, would even go on without the library.
        """
        if wanted.pod.spec.host_users is False and self._keeps(vendor):
            raise EnforcementError(
                "the pod has users of its own (spec.hostUsers: false), and limits cannot be kept among them; "
                "leave hostUsers out"
            )

    def _note(self, record: PodSlice) -> None:
        """Write the record, but do not forget which files a container may have mounted that is not quite gone yet."""
        before = self.records.read(record.held.id)
        self.records.write(msgspec.structs.replace(record, files=before.files) if before else record)

    def _contained(self, edits: ContainerEdits, record: PodSlice) -> ContainerEdits:
        if not self._isolation:
            edits = msgspec.structs.replace(edits, preload=())
        if not edits.preload:
            return cdi.contained(edits, {}, "")
        with self._libraries.held(), usable(self.records.path(record.held.id)):
            copies = self._libraries.copies(edits.preload)
            names = str(self._libraries.text(cdi.preload_text(edits)))
            self.records.write(msgspec.structs.replace(record, files=(*sorted(copies.values()), names)))
        return cdi.contained(edits, copies, names)

    def _drop(self, slice_id: str) -> bool:
        """Remove what was left by somebody who died before he wrote a record."""
        with self._turn(slice_id):
            if self.records.unfinished(slice_id):
                self.records.remove(slice_id)
                return True
        return False

    @contextmanager
    def _turn(self, slice_id: str) -> Iterator[None]:
        with self._guard:
            lock, users = self._locks.get(slice_id) or (threading.Lock(), 0)
            self._locks[slice_id] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks.pop(slice_id)
                if users > 1:
                    self._locks[slice_id] = (lock, users - 1)


def _record(wanted: Wanted, slice_id: str, directory: Path, where: str) -> PodSlice:
    held = Slice(
        id=slice_id,
        grants=wanted.grants,
        directory=str(directory),
        region=where,
        priority=wanted.priority,
        policy=wanted.policy,
    )
    metadata = wanted.pod.metadata
    return PodSlice(
        vendor=wanted.vendor,
        held=held,
        pod_uid=metadata.uid,
        namespace=metadata.namespace,
        pod=metadata.name,
        container=wanted.container,
    )


def _limit(held: Slice, directory: Path) -> tuple[Mount, ...]:
    """A new region and a new limits file, and where the container has them.

    New for each start: the kubelet starts no container that still runs, so whoever used the last region is gone, and
    what he may have written into it is not the next one's. A file that is replaced stays what it was where it is
    mounted.
    """
    kept = limits.limits_of(held)
    with usable(directory):
        fresh = directory / f".{REGION}.new"
        fresh.unlink(missing_ok=True)
        region.create(fresh, kept)
        fresh.chmod(0o666)  # the program may be anybody; nobody else has a way to the file
        fresh.rename(directory / REGION)
    limits.write(directory / LIMITS, kept, Path(REGION_INSIDE))
    return (
        Mount(host_path=str(directory / REGION), container_path=REGION_INSIDE, read_only=False),
        Mount(host_path=str(directory / LIMITS), container_path=LIMITS_INSIDE),
    )
