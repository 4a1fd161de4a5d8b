"""Records as text: versioned JSON for annotations, checkpoints and files.

A stored record outlives the process that wrote it. The envelope is ``{"v": 1, "<kind>": {...}}``. Within a
version fields may be added with a default (an older reader ignores them) and never removed, renamed or given another
meaning; anything else is a new version, and a reader refuses a version that it does not know.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from hetero.errors import WireError

VERSION = 1

T = TypeVar("T", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder(order="deterministic")


def encode(record: msgspec.Struct) -> str:
    """The record as one line of JSON; equal records give equal text."""
    return _encoder.encode({"v": VERSION, _kind(type(record)): record}).decode()


def decode(text: str | bytes, kind: type[T]) -> T:
    """Read a record that :func:`encode` wrote.

    Args:
        text: The stored text.
        kind: Which record is expected.

    Raises:
        WireError: It is no such record, or of a version that this release does not read.
    """
    envelope = _envelope(text)
    version = envelope.get("v")
    if type(version) is not int or version != VERSION:  # JSON's true and 1.0 equal 1, too
        raise WireError(f"a {_kind(kind)} of version {version!r} cannot be read; this release reads version {VERSION}")
    if _kind(kind) not in envelope:
        raise WireError(f"not a {_kind(kind)}: it has {', '.join(sorted(map(str, envelope)))}")
    try:
        return msgspec.convert(envelope[_kind(kind)], kind)
    except msgspec.ValidationError as error:
        raise WireError(f"a damaged {_kind(kind)}: {error}") from error


def _envelope(text: str | bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise WireError(f"not a stored record: {error}") from error


def _kind(kind: type[msgspec.Struct]) -> str:
    return kind.__name__.lower()
