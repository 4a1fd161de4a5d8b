"""What is kept of each container's slice on the node: ``<run>/slices/<id>/``, for root alone.

``slice.json`` is the record, by which whoever comes after a crash can undo what was made. ``region`` and ``limits`` are
mounted into the container one by one; nothing else of the directory is, unless the vendor mounts what it put there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hetero import log
from hetero.errors import EnforcementError, WireError
from hetero.model import wire
from hetero.model.allocation import Slice

_log = log.logger("agent")

RECORD = "slice.json"
REGION = "region"
LIMITS = "limits"


class PodSlice(msgspec.Struct, frozen=True, kw_only=True):
    """The slice of a container.

    Attributes:
        vendor: Name of the vendor.
        held: The slice, as its vendor was told it; :attr:`Slice.region` is where the container has it.
        pod_uid: The pod's identity.
        namespace: Its namespace.
        pod: Its name.
        container: The container's name.
        files: Files outside of the slice's directory that the container has mounted: copies of libraries.
    """

    vendor: str
    held: Slice
    pod_uid: str
    namespace: str
    pod: str
    container: str
    files: tuple[str, ...] = ()


def identity(vendor: str, pod_uid: str, container: str) -> str:
    """The id of a container's slice: always the same, so that a second start finds the first one's."""
    digest = hashlib.sha256(f"{pod_uid}\0{container}".encode()).hexdigest()
    return f"{vendor}-{digest[:16]}"


def vendor_of(slice_id: str) -> str:
    """Whose slice it is, by its id; of one that has no record yet nobody knows more."""
    return slice_id.rpartition("-")[0]


class Records:
    """The records below one directory.

    Args:
        directory: Made when missing.
    """

    def __init__(self, directory: Path) -> None:
        self._slices = directory / "slices"
        self._text = str(self._slices)

    def path(self, slice_id: str) -> Path:
        """The directory of a slice."""
        return self._slices / slice_id

    def file(self, slice_id: str, name: str) -> str:
        """A file of a slice; as text, for who looks at hundreds."""
        return f"{self._text}/{slice_id}/{name}"

    def make(self, slice_id: str) -> Path:
        """The directory of a slice, there from now on, and for this user alone.

        Raises:
            EnforcementError: The file system refused.
        """
        directory = self.path(slice_id)
        with usable(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
        return directory

    def write(self, record: PodSlice) -> None:
        """Keep a record, in place of an earlier one; whoever reads sees one of them whole.

        Raises:
            EnforcementError: The file system refused.
        """
        directory = self.path(record.held.id)
        partial = directory / f".{RECORD}.{secrets.token_hex(4)}"
        with usable(directory):
            try:
                partial.write_text(wire.encode(record))
                partial.rename(directory / RECORD)
            finally:
                partial.unlink(missing_ok=True)

    def read(self, slice_id: str) -> PodSlice | None:
        """The record of a slice; None when there is none, or none that can be read."""
        try:
            return wire.decode((self.path(slice_id) / RECORD).read_bytes(), PodSlice)
        except FileNotFoundError:
            return None
        except (OSError, WireError) as error:
            _log.error("a slice's record cannot be read; end its container, then remove the directory",
                       slice=slice_id, reason=str(error))  # fmt: skip
            return None

    def ids(self) -> list[str]:
        """All slices that have a directory, with and without a record, sorted.

        Raises:
            EnforcementError: The directory cannot be read.
        """
        with usable(self._slices):
            return sorted(os.listdir(self._text)) if self._slices.is_dir() else []  # noqa: PTH208 — as above, for hundreds

    def all(self) -> list[PodSlice]:
        """All records that can be read.

        Raises:
            EnforcementError: As :meth:`ids`.
        """
        return [record for one in self.ids() if (record := self.read(one)) is not None]

    def unfinished(self, slice_id: str) -> bool:
        """True when nothing was ever made for it: the record comes before everything else."""
        return not os.path.lexists(self.path(slice_id) / RECORD)

    def leave(self) -> None:
        """Remove the directory of all slices when there is none any more."""
        with contextlib.suppress(OSError):
            self._slices.rmdir()

    def remove(self, slice_id: str) -> None:
        """Remove the directory of a slice; the record last, since without it nothing could be undone."""
        directory = self.path(slice_id)
        for path in directory.iterdir() if directory.is_dir() else ():
            if path.name != RECORD:
                _remove(path)
        shutil.rmtree(directory, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def usable(directory: Path) -> Iterator[None]:
    """Tell what the file system refuses as a failure of enforcement."""
    try:
        yield
    except OSError as error:
        raise EnforcementError(f"{error.filename or directory}: the slice cannot be kept: {error.strerror}") from error
