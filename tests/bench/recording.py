"""The requests of a run as JSON lines, so that they can be sent again to any extender.

A line is ``{"turn": 3, "verb": "filter", "args": {...}}``: ``args`` are the ExtenderArgs byte by byte. ``python -m
tests.bench.recording FILE URL`` sends them and prints what it took; ``PEER_PATHS`` names the verbs' paths
(``filter=/filter,prioritize=``), an empty path leaves a verb out.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from tests.bench.client import Client
from tests.bench.figures import Figure, quantile, table

PATHS = {"filter": "/filter", "prioritize": "/prioritize"}


class Recorded(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        turn: Which pod it belongs to, counted from 0.
        verb: ``filter`` or ``prioritize``.
        args: What is posted.
    """

    turn: int
    verb: str
    args: msgspec.Raw


def write(file: Path, requests: Iterable[Recorded]) -> None:
    """Write them, each a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        for one in requests:
            stream.write(msgspec.json.encode(one) + b"\n")


def read(file: Path) -> Iterator[Recorded]:
    """Read what :func:`write` wrote."""
    decoder = msgspec.json.Decoder(Recorded)
    with file.open("rb") as stream:
        yield from map(decoder.decode, stream)


def paths(said: str) -> Mapping[str, str]:
    """The paths of the verbs from ``filter=/x,prioritize=/y``; those not named are the usual ones."""
    return {**PATHS, **dict(part.split("=", 1) for part in said.split(",") if part)}


def replay(requests: Iterable[Recorded], url: str, where: Mapping[str, str] = PATHS) -> list[Figure]:
    """Send all of them to another extender; how long a pod took, over its verbs.

    Raises:
        RuntimeError: It answered with an error.
    """
    took = defaultdict[int, float](float)
    with Client(url) as client:
        for one in requests:
            if where[one.verb]:
                answer = client.post(where[one.verb], bytes(one.args))
                if answer.status != 200:
                    raise RuntimeError(f"{one.verb}: {answer.status} {answer.body[:200]!r}")
                took[one.turn] += answer.ms
    times = list(took.values())
    return [Figure(f"{url}, p{percent}", quantile(times, percent), "ms") for percent in (50, 99)]


if __name__ == "__main__":
    print(table(replay(read(Path(sys.argv[1])), sys.argv[2], paths(os.environ.get("PEER_PATHS", "")))))
