"""Pages of lists and lines of watches as structs. An object that cannot be read is skipped, logged and counted."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec

from hetero import metrics
from hetero.errors import ApiError
from hetero.kube.failures import Status, told
from hetero.kube.objects import ListMetadata, Metadata, Object
from hetero.log import logger

_log = logger("kube")


class HasMetadata(Protocol):
    """Any object of the API."""

    @property
    def metadata(self) -> Metadata:
        """Its identity and version."""


T = TypeVar("T", bound=HasMetadata)


class _Page(Object, Generic[T], frozen=True):
    """A list, or a page of one."""

    metadata: ListMetadata
    items: list[T] | None = None


class _Line(Object, frozen=True):
    """One change in a watch."""

    type: str
    object: msgspec.Raw


class _Versioned(Object, frozen=True):
    metadata: ListMetadata


class Change(msgspec.Struct, Generic[T], frozen=True):
    """What a line of a watch says.

    Args:
        version: How far the watch is after it.
        item: The object as it is now, or as it was last; ``None`` when there is none to tell about.
        gone: True when the object was deleted.
    """

    version: str
    item: T | None = None
    gone: bool = False


class Codec(Generic[T]):
    """Reads objects of one kind."""

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind.__name__
        self._item: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)
        self._page: msgspec.json.Decoder[_Page[T]] = msgspec.json.Decoder(cast("Any", _Page)[kind])
        self._raws = msgspec.json.Decoder(_Page[Any])
        self._line = msgspec.json.Decoder(_Line)
        self._versioned = msgspec.json.Decoder(_Versioned)
        self._status = msgspec.json.Decoder(Status)

    def page(self, raw: bytes) -> tuple[ListMetadata, list[T]]:
        """The objects of one page, and where the next one is.

        Raises:
            ApiError: The answer is no list.
        """
        try:
            page = self._page.decode(raw)
        except msgspec.MsgspecError:
            return self._page_by_items(raw)
        return page.metadata, page.items or []

    def change(self, line: bytes) -> Change[T]:
        """What one line of a watch says.

        Raises:
            ApiError: The line says that the watch cannot go on (410 and others), or it is no line of a watch.
        """
        try:
            told_of = self._line.decode(line)
            if told_of.type == "ERROR":
                raise told(self._status.decode(told_of.object))
            if told_of.type == "BOOKMARK":
                return Change(self._version(told_of.object))
            return self._changed(told_of)
        except msgspec.MsgspecError as error:
            raise ApiError(200, "Unreadable", f"a line of the watch of {self.kind}: {error}") from error

    def _changed(self, line: _Line) -> Change[T]:
        item = self._read(line.object)
        version = item.metadata.resource_version if item is not None else self._version(line.object)
        return Change(version, item, line.type == "DELETED")

    def _page_by_items(self, raw: bytes) -> tuple[ListMetadata, list[T]]:
        """The slow way, for a page with an object that cannot be read."""
        try:
            page = self._raws.decode(raw)
        except msgspec.MsgspecError as error:
            raise ApiError(200, "Unreadable", f"a list of {self.kind}: {error}") from error
        read = (self._read(msgspec.json.encode(item)) for item in page.items or [])
        return page.metadata, [item for item in read if item is not None]

    def _read(self, raw: bytes | msgspec.Raw) -> T | None:
        try:
            return self._item.decode(raw)
        except msgspec.MsgspecError as error:
            metrics.unreadable_objects.add(self.kind)
            _log.error("an object cannot be read and is skipped", kind=self.kind, error=str(error), **_name(raw))
            return None

    def _version(self, raw: msgspec.Raw) -> str:
        return self._versioned.decode(raw).metadata.resource_version


def _name(raw: bytes | msgspec.Raw) -> dict[str, str]:
    """Namespace and name of an object, if it has got any, for the log."""
    found = msgspec.json.decode(raw)
    metadata = found.get("metadata") if isinstance(found, dict) else None
    named = metadata if isinstance(metadata, dict) else {}
    return {key: str(named[key])[:253] for key in ("namespace", "name") if key in named}
