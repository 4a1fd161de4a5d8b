"""A whole collection as of one version, read in pages.

Source: Kubernetes API concepts, "Retrieving large results sets in chunks".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from hetero.errors import ApiError
from hetero.kube.client import Api
from hetero.kube.decoding import Codec, HasMetadata

T = TypeVar("T", bound=HasMetadata)

PAGE = 500
"""Objects asked for at once; a page is decoded and dropped before the next one is read."""

PATIENCE = 60.0
"""Seconds to wait for a page: a busy server takes longer to list than to answer anything else."""

TRIES = 2
"""Times that the pages' history may be lost before the list is asked for in one piece."""


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
    for _ in range(TRIES):
        try:
            return _pages(api, path, codec, {**(query or {}), "limit": str(page)}, stopped)
        except ApiError as error:
            if error.status != 410:
                raise
    return _pages(api, path, codec, query or {}, stopped)


def _pages(
    api: Api, path: str, codec: Codec[T], query: Mapping[str, str], stopped: Callable[[], bool]
) -> tuple[str, list[T]]:
    items: list[T] = []
    following = ""
    while True:
        metadata, some = codec.page(
            api.get(path, {**query, **({"continue": following} if following else {})}, timeout=PATIENCE)
        )
        items += some
        following = metadata.continue_ or ""
        if not following or stopped():
            return metadata.resource_version, items
