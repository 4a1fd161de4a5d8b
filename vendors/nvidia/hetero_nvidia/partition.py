"""The MIG instances of a slice: made when it begins, adopted after a crash, destroyed when it is over.

Before the first call that makes anything, the slice's directory gets a file that says where its instances lie. A file
of the machine says for each place which slice was the last to begin there, which it did only if nothing lay there.
While it says so, what lies at just that place is the slice's own, and nothing else is. It says so no longer when the
slice has been released, so that a release which is tried again destroys nothing that another slice has there since;
nor when the driver refused and nothing was made, so that what a stranger makes there later is not taken for its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hetero import turn
from hetero.driver import host
from hetero.errors import DriverError, EnforcementError, HeteroError
from hetero.model.allocation import Grant, Slice
from hetero_nvidia import mig
from hetero_nvidia.instances import Instances, Made, NotMade, Spot
from hetero_nvidia.names import VENDOR

_MARKER = "instances"

MINORS = "/proc/driver/nvidia-caps/mig-minors"
"""Which device file opens an instance: lines such as ``gpu0/gi7/ci0/access 67``."""

OWNERS = f"/run/hetero/{VENDOR}"
"""Directory of the files that say whose a place is. It is empty after a restart of the machine, as the GPUs are."""

_CAPABILITIES = "/dev/nvidia-caps/nvidia-cap"


def is_partitioned(grant: Grant) -> bool:
    """True when a grant is of an instance."""
    return grant.device.model.mode == mig.MODE


class Partition:
    """The instances of slices on this machine.

    Args:
        instances: Those that are there.
    """

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    def make(self, held: Slice) -> list[Made]:
        """The instances of a slice, in the order of its grants that are of instances.

        Raises:
            EnforcementError: An instance cannot be made, with the reason and what to do.
            DriverError: The driver refused.
        """
        spots = [_spot(grant) for grant in held.grants if is_partitioned(grant)]
        if not spots:
            return []
        with _alone(held):
            marker = Path(held.directory, _MARKER)
            begun = [marker.exists() and _owned(spot, held) for spot in spots]
            for spot, known in zip(spots, begun, strict=True):
                if not known:
                    self._instances.check_free(spot)
            _write(marker, msgspec.json.encode(spots))
            return [self._make(spot, held, known) for spot, known in zip(spots, begun, strict=True)]

    def _make(self, spot: Spot, held: Slice, known: bool) -> Made:
        """One instance. What was there before the slice began is not adopted, even if it came at the last moment."""
        if not known:
            _own(spot, held)
        try:
            return self._instances.make(spot, adopt=known)
        except HeteroError as error:
            if isinstance(error, NotMade) or self._nothing_lies_at(spot):
                _disown(spot, held)
            raise

    def _nothing_lies_at(self, spot: Spot) -> bool:
        """False when something does, or nobody knows: then it stays the slice's, which must not leave it behind."""
        try:
            return (spot.profile, spot.start, spot.size) not in self._instances.listed(spot.gpu)
        except HeteroError:
            return False

    def destroy(self, held: Slice) -> None:
        """Destroy what was made for a slice; nothing where nothing was begun.

        Raises:
            EnforcementError: An instance is in use, or the driver refused.
        """
        marker = Path(held.directory, _MARKER)
        if not marker.exists():
            return
        with _alone(held):
            for spot in reversed([_spot(grant) for grant in held.grants if is_partitioned(grant)]):
                if _owned(spot, held):
                    self._destroy(spot)
                    _disown(spot, held)
            marker.unlink(missing_ok=True)

    def _destroy(self, spot: Spot) -> None:
        try:
            self._instances.destroy(spot)
        except DriverError as error:
            raise EnforcementError(f"{spot} could not be destroyed: {error}; it is tried again") from error


def device_files(made: Made) -> tuple[str, str]:
    """The two files that open an instance, as they are named on the machine.

    Raises:
        EnforcementError: The driver does not list them.
    """
    gpu = f"gpu{made.minor}/gi{made.gpu_instance}"
    return _capability(f"{gpu}/access"), _capability(f"{gpu}/ci{made.compute_instance}/access")


def _capability(name: str) -> str:
    path = host(VENDOR, MINORS)
    try:
        minors = dict(line.rsplit(maxsplit=1) for line in path.read_text().splitlines() if line.strip())
    except (OSError, ValueError) as error:
        raise EnforcementError(f"{path} cannot be read ({error}), so no program can open an instance") from error
    if name not in minors:
        raise EnforcementError(f"{path} does not list {name}; load the driver's module nvidia-caps anew")
    return f"{_CAPABILITIES}{minors[name]}"


def _spot(grant: Grant) -> Spot:
    start, size = mig.position(grant.share.quantities)
    if not size:
        reason = "says no place of an instance; it was given before the GPU was in MIG mode: start the program anew"
        raise EnforcementError(f"the share of {grant.device.uuid} {reason}")
    return Spot(gpu=grant.device.uuid, profile=grant.share.template, start=start, size=size)


def _own(spot: Spot, held: Slice) -> None:
    """Write down whose a place is."""
    directory = host(VENDOR, OWNERS)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(_owner(spot), held.id.encode())
    except OSError as error:
        raise EnforcementError(f"{directory}: {error.strerror}; instances are made by root alone") from error


def _disown(spot: Spot, held: Slice) -> None:
    """The place is the slice's no longer, if it still was."""
    if _owned(spot, held):
        _owner(spot).unlink(missing_ok=True)


def _owner(spot: Spot) -> Path:
    return host(VENDOR, OWNERS) / f"{spot.gpu}.{spot.start}.owner"


def _owned(spot: Spot, held: Slice) -> bool:
    """True when no other slice has begun at this place since."""
    try:
        return _owner(spot).read_bytes() == held.id.encode()
    except FileNotFoundError:
        return False


def _write(path: Path, content: bytes) -> None:
    """The file appears whole or not at all, and is there after a power cut."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def _alone(held: Slice) -> Iterator[None]:
    """One at a time for each slice: two processes would make an instance twice."""
    descriptor = os.open(held.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        turn.wait(descriptor, Path(held.directory), "MIG instances")
        yield
    finally:
        os.close(descriptor)
