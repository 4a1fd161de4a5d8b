"""Lists in pages, each page as of the version of the first one.

Source: Kubernetes API concepts, "Retrieving large results sets in chunks".
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec

from hetero.testing.apiserver.refusals import refused
from hetero.testing.apiserver.resources import Resource, Target
from hetero.testing.apiserver.selectors import Test, selector
from hetero.testing.apiserver.store import Key, Store, Stored


class _Token(msgspec.Struct):
    """Where a list goes on."""

    version: int
    after: Key


def listed(store: Store, target: Target, query: Mapping[str, str]) -> bytes:
    """The list, or a page of it, as it is sent.

    Raises:
        Refused: The token is none (400) or too old (410); a selector cannot be read (400).
    """
    token = _token(query.get("continue", ""))
    with store.changed:
        version = token.version if token else store.version
        entries = store.collection(target.resource).ordered(version)
    begin = bisect_right(entries, token.after, key=itemgetter(0)) if token else 0
    limit = int(query.get("limit") or 0)
    found = list(islice(_selected(entries, begin, target, selector(query)), limit + 1 if limit else None))
    metadata = {"resourceVersion": str(version)}
    if limit and len(found) > limit:
        metadata["continue"] = _written(_Token(version, found[limit - 1][0]))
        del found[limit:]
    return _body(target.resource, metadata, [stored.raw for _, stored in found])


def _selected(
    entries: Sequence[tuple[Key, Stored]], begin: int, target: Target, test: Test
) -> Iterator[tuple[Key, Stored]]:
    for index in range(begin, len(entries)):
        key, stored = entries[index]
        if target.namespace in ("", key[0]) and test(stored.item):
            yield key, stored


def _body(resource: Resource, metadata: Mapping[str, Any], raws: list[bytes]) -> bytes:
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
    return msgspec.json.encode(head)[:-1] + b',"items":[' + b",".join(raws) + b"]}"


def _written(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode()


def _token(text: str) -> _Token | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=_Token)
    except (ValueError, msgspec.MsgspecError):
        raise refused(400, "continue key is not valid") from None
