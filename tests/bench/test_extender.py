"""A whole run of the scheduler's bench, on a cluster that takes a second."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest

from hetero.kube.objects import Pod
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.placement import Placement
from tests.bench import floor, recording, world
from tests.bench.clusters import Size
from tests.bench.extender import Bench, compared, own_cost, reviews, served
from tests.bench.processes import program
from tests.bench.recording import replay
from tests.bench.workloads import TOO_LARGE, WORKLOADS, drawn

SIZE = Size(nodes=20, devices=4, pods=60)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A cluster that is served, and a second floor that stands for a peer without prioritize."""
    with pytest.MonkeyPatch.context() as patch, program(floor.__name__) as peer:
        patch.setenv("PEER_URL", peer)
        patch.setenv("PEER_PATHS", "prioritize=")
        with served(SIZE) as made:
            yield made


def pods(bench: Bench) -> dict[str, Pod]:
    """What the API server has, by name."""
    items = msgspec.json.decode(bench.api.get(world.PODS))["items"]
    return {item["metadata"]["name"]: msgspec.convert(item, Pod) for item in items}


def test_pods_of_a_session_are_bound_and_others_end(bench: Bench) -> None:
    """So the ledger moves under the requests as in life, and the cluster stays as full as it was."""
    before = pods(bench)
    contenders = bench.session(drawn(random.Random(1), 15), SIZE.nodes)
    after = pods(bench)
    assert [(one.name, len(one.times)) for one in contenders] == [("hetero", 15), ("floor", 15), ("peer", 15)]
    assert set(after) == set(bench.running)
    new = [pod for name, pod in after.items() if name not in before]
    assert new
    for pod in new:
        assert wire.decode(pod.metadata.notes[PLACEMENT], Placement).node == pod.spec.node_name
    assert len(after) == len(before)
    assert len(bench.binds) == 15 - bench.nowhere


def test_a_pod_that_fits_nowhere_is_taken_away(bench: Bench) -> None:
    """It costs a filter alone, and nothing of it stays."""
    nowhere = bench.nowhere
    bench.session([TOO_LARGE], SIZE.nodes)
    assert bench.nowhere == nowhere + 1
    assert not any(name.startswith("too-large") for name in pods(bench))


def test_what_was_sent_can_be_sent_again(bench: Bench) -> None:
    """A session's requests replay against any extender, this one among them."""
    bench.recorded.clear()
    bench.session(WORKLOADS[:3], SIZE.nodes)
    assert {one.verb for one in bench.recorded} == {"filter", "prioritize"}
    assert all(figure.value > 0 for figure in replay(bench.recorded, bench.service.extender, recording.PATHS))


def test_both_are_told_and_compared(bench: Bench) -> None:
    """Both quantiles of both, their ratios with what they should be, and what of it is the client's."""
    bench.recorded.clear()
    figures = compared("title", bench.session(WORKLOADS[:5], SIZE.nodes), 2)
    assert [figure.figure for figure in figures if figure.reach == "<= 2"] == [
        "title: of floor, p50",
        "title: of floor, p99",
    ]
    told = {figure.figure: figure.value for figure in figures}
    assert told["title: of floor, p50"] == told["title: hetero, p50"] / told["title: floor, p50"]
    assert told["title: of peer, p50"] == told["title: hetero, p50"] / told["title: peer, p50"]
    [client] = own_cost(bench)
    assert 0 < client.value < told["title: hetero, p99"]


def test_reviews_are_compared(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTPS, by the webhook of the same process."""
    monkeypatch.setattr("tests.bench.reviewing.REVIEWS", 20)
    monkeypatch.setattr("tests.bench.reviewing.WARMING", 2)
    assert [figure.value > 0 for figure in reviews(bench)] == [True] * 6
