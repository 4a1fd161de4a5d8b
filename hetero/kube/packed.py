"""A long list kept small: 20,000 pods as structs take 50 MiB, and Python gives little of that back to the system.

Each batch is packed as it comes and unpacked for as long as it is looked at, so that what is in the hand is one page.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

_QUICKLY = 1  # of zlib's levels; what objects of one kind say is much alike, and shrinks to a tenth all the same


class Packed(Generic[T]):
    """A collection that is added to batch by batch, and may be gone through any number of times.

    Each time gives structs of their own, equal to those that were put in.

    Args:
        kind: The struct of all items, of fields that JSON can say.
    """

    def __init__(self, kind: type[T]) -> None:
        self._decoder: msgspec.json.Decoder[list[T]] = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self._batches: list[bytes] = []
        self._length = 0

    def extend(self, items: Iterable[T]) -> None:
        """Add a batch."""
        batch = list(items)
        self._length += len(batch)
        self._batches.append(zlib.compress(msgspec.json.encode(batch), _QUICKLY))

    def clear(self) -> None:
        """Begin anew."""
        self._batches.clear()
        self._length = 0

    def __iter__(self) -> Iterator[T]:
        for batch in self._batches:
            yield from self._decoder.decode(zlib.decompress(batch))

    def __len__(self) -> int:
        return self._length

    def __contains__(self, item: object) -> bool:
        return any(one == item for one in self)
