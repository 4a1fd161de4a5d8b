"""A whole collection as of one version, read in pages.

Source: Kubernetes API concepts, "Retrieving large results sets in chunks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from hetero.errors import ApiError
from hetero.kube.client import Api
from hetero.kube.decoding import Codec, HasMetadata

T = TypeVar("T", bound=HasMetadata)
T_contra = TypeVar("T_contra", contravariant=True)

PAGE = 500
"""Objects asked for at once; a page is decoded and dropped before the next one is read."""

PATIENCE = 60.0
"""Seconds to wait for a page: a busy server takes longer to list than to answer anything else."""

TRIES = 2
"""Times that the pages' history may be lost before the list is asked for in one piece."""


class Sink(Protocol[T_contra]):
    """What takes a collection page by page; a list can."""

    def extend(self, items: Iterable[T_contra], /) -> None:
        """These come next."""

    def clear(self) -> None:
        """All that came before is out of date."""


def snapshot(  # noqa: PLR0913  four that are needed, two by name alone
    api: Api,
    path: str,
    codec: Codec[T],
    query: Mapping[str, str] | None = None,
    *,
    page: int = PAGE,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[str, list[T]]:
    """All objects of a collection, and the version that they are of.

    Where the pages' history is lost over and over, as a busy server may have it, they come in one large answer.

    Args:
        api: The server.
        path: The collection, see :mod:`hetero.kube.paths`.
        codec: Reads the objects; one that cannot be read is skipped, logged and counted.
        query: Selectors.
        page: Objects for each page.
        stopped: True when nobody wants the rest any more.

    Raises:
        ApiError: The server refused, or did not answer.
    """
    items: list[T] = []
    return gather(api, path, codec, items, query, page=page, stopped=stopped), items


def gather(  # noqa: PLR0913  as above
    api: Api,
    path: str,
    codec: Codec[T],
    into: Sink[T],
    query: Mapping[str, str] | None = None,
    *,
    page: int = PAGE,
    stopped: Callable[[], bool] = lambda: False,
) -> str:
    """The same, page by page into something of the caller's; the version.

    Args:
        api: The server.
        path: The collection.
        codec: Reads the objects.
        into: Takes them. Until this returns it may be cleared and filled again.
        query: Selectors.
        page: Objects for each page.
        stopped: True when nobody wants the rest any more.

    Raises:
        ApiError: The server refused, or did not answer.
    """
    for _ in range(TRIES):
        try:
            return _pages(api, path, codec, into, {**(query or {}), "limit": str(page)}, stopped)
        except ApiError as error:
            if error.status != 410:
                raise
    return _pages(api, path, codec, into, query or {}, stopped)


def _pages(  # noqa: PLR0913, PLR0917  as above
    api: Api, path: str, codec: Codec[T], into: Sink[T], query: Mapping[str, str], stopped: Callable[[], bool]
) -> str:
    into.clear()
    following = ""
    while True:
        metadata, some = codec.page(
            api.get(path, {**query, **({"continue": following} if following else {})}, timeout=PATIENCE)
        )
        into.extend(some)
        following = metadata.continue_ or ""
        if not following or stopped():
            return metadata.resource_version
