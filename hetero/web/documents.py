"""What is sent: a record as JSON, known by a digest of what it says.

How old it is does not count as what it says: otherwise every look would find something new.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from hetero.web.records import Freshness, Problem, Record

_AGELESS = {"time": 0.0, "heard": 0.0, "oldest": None}


@dataclass(frozen=True)
class Document:
    """An answer.

    Attributes:
        body: JSON.
        digest: The same for answers that say the same.
        freshness: How old it is, as JSON; empty where it has no age.
        status: Of HTTP.
    """

    body: bytes
    digest: str
    freshness: bytes = b""
    status: int = 200

    @property
    def event(self) -> bytes:
        """As a server-sent event. Source: HTML standard, "Server-sent events"; JSON has no line ends within."""
        kind = b"" if self.status == 200 else b"event: problem\n"
        return b"%sid: %s\ndata: %s\n\n" % (kind, self.digest.encode(), self.body)

    @property
    def beat(self) -> bytes:
        """What is sent when nothing has changed for a while: that it is still so."""
        return b": still so\n\n" + (b"event: freshness\ndata: %s\n\n" % self.freshness if self.freshness else b"")


def document(record: Record) -> Document:
    """A record as it is sent."""
    body = msgspec.json.encode(record)
    freshness = getattr(record, "freshness", None)
    if not isinstance(freshness, Freshness):
        return Document(body, _digest(body))
    ageless = msgspec.structs.replace(freshness, **_AGELESS)
    said = msgspec.json.encode(msgspec.structs.replace(record, freshness=ageless))
    return Document(body, _digest(said), msgspec.json.encode(freshness))


def refusal(status: int, sentence: str) -> Document:
    """Why there is none."""
    body = msgspec.json.encode(Problem(error=sentence))
    return Document(body, _digest(body), status=status)


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=12).hexdigest()
