"""What a file system of an image holds, as a table: paths to contents.

Written as a layer, equal tables give equal bytes. Everything belongs to root and has no time, so a layer says only what
is in it; folders above an entry are there by themselves.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

MODE_FOLDER, MODE_PROGRAM, MODE_FILE = 0o755, 0o755, 0o644


@dataclass(frozen=True)
class File:
    """A regular file.

    Attributes:
        content: Its bytes, or the file of this machine that has them.
        mode: Its permissions.
    """

    content: bytes | Path
    mode: int

    def open(self) -> IO[bytes]:
        """Its bytes, to be read."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Folder:
    """A folder; only one with other permissions, or an empty one, has to be named."""

    mode: int = MODE_FOLDER


Entry = File | Link | Folder


@dataclass
class Tree:
    """Paths of an image, absolute and normal (``/usr/bin/x``), to what is there."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, path: str, entry: Entry) -> None:
        """Put something at a path; what was there is replaced."""
        self.entries[normal(path)] = entry

    def file(self, path: str, content: bytes | str | Path, mode: int | None = None) -> None:
        """Put a file: given bytes or text, or one of this machine, whose being a program it keeps."""
        if isinstance(content, str):
            content = content.encode()
        if mode is None:
            program = isinstance(content, Path) and os.access(content, os.X_OK)
            mode = MODE_PROGRAM if program else MODE_FILE
        self.add(path, File(content, mode))

    def copy(self, source: Path, path: str, keep: Callable[[Path], bool] = lambda file: True) -> None:
        """Put a folder of this machine with all in it that ``keep`` wants; asked by paths relative to the folder.

        A folder that is not wanted is not entered. Links stay links.
        """
        for found in sorted(source.iterdir()):
            self._copy(found, source, path, keep)

    def _copy(self, found: Path, source: Path, path: str, keep: Callable[[Path], bool]) -> None:
        inside = found.relative_to(source)
        if not keep(inside):
            return
        if found.is_symlink():
            self.add(f"{path}/{inside}", Link(str(found.readlink())))
        elif found.is_dir():
            for each in sorted(found.iterdir()):
                self._copy(each, source, path, keep)
        else:
            self.file(f"{path}/{inside}", found)

    def complete(self) -> dict[str, Entry]:
        """All entries in the order of a layer, the folders that nobody named among them."""
        found = dict(self.entries)
        for path in self.entries:
            while (path := path.rpartition("/")[0]) and path not in found:
                found[path] = Folder()
        return dict(sorted(found.items()))

    def digest(self) -> str:
        """What the layer depends on, as 64 hexadecimal digits."""
        told = hashlib.sha256()
        for path, entry in self.complete().items():
            content = _sha256(entry) if isinstance(entry, File) else getattr(entry, "target", "")
            told.update(json.dumps([path, type(entry).__name__, getattr(entry, "mode", 0), content]).encode())
        return told.hexdigest()

    def write(self, output: IO[bytes]) -> None:
        """Write the layer: a tar archive without times and names of owners."""
        with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for header, content in self._members():
                if content is None:
                    archive.addfile(header)
                else:
                    with content.open() as opened:
                        archive.addfile(header, opened)

    def _members(self) -> Iterator[tuple[tarfile.TarInfo, File | None]]:
        for path, entry in self.complete().items():
            header = tarfile.TarInfo(path.lstrip("/"))
            if isinstance(entry, Link):
                header.type, header.linkname, header.mode = tarfile.SYMTYPE, entry.target, 0o777
                yield header, None
            elif isinstance(entry, Folder):
                header.type, header.mode = tarfile.DIRTYPE, entry.mode
                yield header, None
            else:
                header.size, header.mode = size(entry), entry.mode
                yield header, entry


def normal(path: str) -> str:
    """A path as the table has it.

    Raises:
        ValueError: It is not absolute, or leaves the image.
    """
    made = PurePosixPath(path)
    if not made.is_absolute() or ".." in made.parts:
        raise ValueError(f"{path} is no path of an image: absolute, without ..")
    return "/" + "/".join(part for part in made.parts[1:])


def size(file: File) -> int:
    """The length of a file in bytes."""
    return len(file.content) if isinstance(file.content, bytes) else file.content.stat().st_size


def _sha256(file: File) -> str:
    if isinstance(file.content, bytes):
        return hashlib.sha256(file.content).hexdigest()
    told = file.content.stat()
    return _of_file(file.content, told.st_size, told.st_mtime_ns)


@functools.cache
def _of_file(path: Path, *as_it_is: int) -> str:
    """Read once while it stays as it is: many layers are made of the same files."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
