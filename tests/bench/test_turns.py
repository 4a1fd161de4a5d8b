"""The loop that measures extenders, against the floor as the extender."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hetero import plugins
from tests.bench import bare, floor, objects
from tests.bench.client import Client
from tests.bench.clusters import VENDOR
from tests.bench.figures import quantile
from tests.bench.names import Names
from tests.bench.processes import program, resident
from tests.bench.recording import Recorded, paths, read, replay, write
from tests.bench.turns import Contender, Turns
from tests.bench.workloads import WORKLOADS
from tests.cluster.certificates import Authority

NAMES = [f"node-{index}" for index in range(30)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The floor's."""
    with program(floor.__name__) as url:
        yield url


@pytest.fixture
def clients(address: str) -> Iterator[list[Client]]:
    """Two connections to it."""
    with Client(address) as first, Client(address) as second:
        yield [first, second]


@pytest.fixture
def pod() -> bytes:
    """One that waits."""
    return msgspec.json.encode(objects.pending(WORKLOADS[0], "a", plugins.load().vendors[VENDOR].resources[0]))


def test_the_floor_answers_all_names(clients: list[Client], pod: bytes) -> None:
    """It reads and writes what the scheduler does, and plans nothing."""
    body = msgspec.json.encode({"Pod": msgspec.Raw(pod), "Nodes": None, "NodeNames": NAMES})
    client = clients[0]
    assert msgspec.json.decode(client.post("/filter", body).body)["NodeNames"] == NAMES
    scores = msgspec.json.decode(client.post("/prioritize", body).body)
    assert scores == [{"Host": name, "Score": 0} for name in NAMES]


def test_the_floor_allows_a_pod(pod: bytes, tmp_path: Path) -> None:
    """A review gets its uid back, over HTTPS."""
    body = msgspec.json.encode({"kind": "AdmissionReview", "request": {"uid": "u", "object": msgspec.Raw(pod)}})
    pair = Authority(tmp_path).issue("floor")
    with program(floor.__name__, *map(str, pair)) as url, Client(url) as client:
        assert url.startswith("https://")
        assert msgspec.json.decode(client.post("/webhook", body).body)["response"] == {"uid": "u", "allowed": True}


def test_all_are_asked_the_same(address: str, clients: list[Client], pod: bytes, tmp_path: Path) -> None:
    """Both of a turn have a time for it, the pod goes to a node that was named, and the recording can be replayed."""
    contenders = [Contender(name, client) for name, client in zip(("ours", "floor"), clients, strict=True)]
    recorded: list[Recorded] = []
    turns = Turns(contenders, Names(NAMES, 30, random.Random(1)), random.Random(1), recorded.append)
    assert turns.take(pod) in NAMES
    turns.take(pod)
    assert [len(one.times) for one in contenders] == [2, 2]
    assert [(one.turn, one.verb) for one in recorded] == [(t, v) for t in (0, 1) for v in ("filter", "prioritize")]
    write(tmp_path / "recording.jsonl", recorded)
    again = list(read(tmp_path / "recording.jsonl"))
    assert [bytes(one.args) for one in again] == [bytes(one.args) for one in recorded]
    assert [figure.value > 0 for figure in replay(again, address)] == [True, True]


def test_a_verb_without_a_path_is_left_out(clients: list[Client], pod: bytes) -> None:
    """A peer that has no prioritize is measured with what it has."""
    assert paths("filter=/predicate,prioritize=") == {"filter": "/predicate", "prioritize": ""}
    peer = Contender("peer", clients[1], paths("prioritize="))
    Turns([Contender("ours", clients[0]), peer], Names(NAMES, 30, random.Random(1)), random.Random(1)).take(pod)
    assert len(peer.times) == 1


def test_an_extender_that_fails_is_said(clients: list[Client], pod: bytes) -> None:
    """A time of an error would be a quick one."""
    peer = Contender("peer", clients[0], {"filter": "/nowhere", "prioritize": ""})
    with pytest.raises(RuntimeError, match="peer, filter: 404"):
        Turns([peer], Names(NAMES, 30, random.Random(1)), random.Random(1)).take(pod)


def test_the_bare_server_answers_as_long_as_told() -> None:
    """So it stands for any answer, and what is left is the client's own cost."""
    with program(bare.__name__) as url, Client(url) as client:
        assert [len(client.post(f"/{length}", bytes(100_000)).body) for length in (0, 5, 300_000)] == [0, 5, 300_000]


def test_quantiles_are_values_that_were_seen() -> None:
    """No interpolation: of a hundred values the 99th is the second largest."""
    assert quantile(range(100), 99) == 98
    assert quantile(range(100), 50) == 49
    assert quantile([7.0], 99) == 7.0


def test_memory_is_read_from_the_kernel() -> None:
    """This process holds some MiB, and never held less."""
    now, most = resident(os.getpid())
    assert 1 < now <= most
