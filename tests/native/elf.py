"""What the dynamic loader reads of a 64-bit little-endian library: what it needs, exports, and asks of memory.

Read from the program headers and the dynamic section alone, as the loader does, so that no tool has to be there.
Names and numbers are those of the ELF specification and of the GNU extensions to it (elf.h).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LOAD, DYNAMIC, TLS = 1, 2, 7
GNU_STACK, GNU_RELRO = 0x6474E551, 0x6474E552
EXECUTABLE, WRITABLE = 1, 2

NEEDED, STRTAB, SYMTAB, INIT, TEXTREL, FLAGS, INIT_ARRAYSZ = 1, 5, 6, 12, 22, 30, 27
GNU_HASH, FLAGS_1, VERNEED, VERNEEDNUM = 0x6FFFFEF5, 0x6FFFFFFB, 0x6FFFFFFE, 0x6FFFFFFF
SYMBOLIC, FLAG_TEXTREL, BIND_NOW, STATIC_TLS = 2, 4, 8, 16

MACHINES = {62: "x86_64", 183: "aarch64"}


@dataclass(frozen=True)
class Segment:
    """One program header."""

    kind: int
    flags: int
    offset: int
    address: int
    in_file: int
    size: int


class Library:
    """A shared library, as a file."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path} is no 64-bit little-endian ELF file")
        (self.machine,) = struct.unpack_from("<H", self.data, 18)
        (start,) = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        self.segments = [self._segment(start + index * size) for index in range(count)]

    def _segment(self, at: int) -> Segment:
        kind, flags, offset, address, _, in_file, size, _ = struct.unpack_from("<IIQQQQQQ", self.data, at)
        return Segment(kind, flags, offset, address, in_file, size)

    def of_kind(self, kind: int) -> list[Segment]:
        """The program headers of a kind."""
        return [segment for segment in self.segments if segment.kind == kind]

    def offset(self, address: int) -> int:
        """Where in the file the byte is that is loaded at an address."""
        for segment in self.of_kind(LOAD):
            if segment.address <= address < segment.address + segment.in_file:
                return address - segment.address + segment.offset
        raise ValueError(f"{address:#x} is not in the file")

    @cached_property
    def dynamic(self) -> list[tuple[int, int]]:
        """Tags and values of the dynamic section."""
        (segment,) = self.of_kind(DYNAMIC)
        end = segment.offset + segment.in_file
        return list(struct.iter_unpack("<QQ", self.data[segment.offset : end]))

    def tag(self, tag: int) -> int:
        """The value of a tag; 0 where it is not there."""
        return next((value for found, value in self.dynamic if found == tag), 0)

    def string(self, index: int) -> str:
        """A string of the dynamic string table."""
        start = self.offset(self.tag(STRTAB)) + index
        return self.data[start : self.data.index(b"\0", start)].decode()

    @property
    def needed(self) -> set[str]:
        """The libraries that the loader brings along."""
        return {self.string(value) for tag, value in self.dynamic if tag == NEEDED}

    @cached_property
    def versions(self) -> set[str]:
        """The symbol versions that other libraries have to offer."""
        found = set()
        need = self.offset(self.tag(VERNEED)) if self.tag(VERNEED) else 0
        for _ in range(self.tag(VERNEEDNUM)):
            _, count, _, auxiliary, following = struct.unpack_from("<HHIII", self.data, need)
            at = need + auxiliary
            for _ in range(count):
                _, _, _, name, step = struct.unpack_from("<IHHII", self.data, at)
                found.add(self.string(name))
                at += step
            need += following
        return found

    @cached_property
    def symbols(self) -> dict[str, tuple[int, int]]:
        """Address and size of each exported symbol."""
        table = self.offset(self.tag(SYMTAB))
        found = {}
        for index in range(self._symbol_count()):
            name, _, _, section, address, size = struct.unpack_from("<IBBHQQ", self.data, table + index * 24)
            if section and name:
                found[self.string(name)] = (address, size)
        return found

    def _symbol_count(self) -> int:
        """The end of the longest chain of the GNU hash table, which is the last symbol that can be found."""
        at = self.offset(self.tag(GNU_HASH))
        buckets, first, filters, _ = struct.unpack_from("<IIII", self.data, at)
        start = at + 16 + filters * 8
        last = max(struct.unpack_from(f"<{buckets}I", self.data, start))
        chains = start + buckets * 4
        while last >= first and not struct.unpack_from("<I", self.data, chains + (last - first) * 4)[0] & 1:
            last += 1
        return max(last + 1, first)

    def code(self, symbol: str) -> bytes:
        """The instructions of an exported function."""
        address, size = self.symbols[symbol]
        start = self.offset(address)
        return self.data[start : start + size]
