"""Whose turn it is to be asked, and what becomes of the answers."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.errors import AgentError
from hetero.kube.objects import Metadata
from hetero.monitoring.agents import AgentPod, AgentSpec, AgentStatus
from hetero.monitoring.report import DeviceReport, NodeReport
from hetero.web import records
from hetero.web.collector import NO_AGENT, Agents, Collector, nodes_of
from hetero.web.known import Reports
from hetero.web.turns import IDLE, LONGEST, LOOKED, QUIET, ROUNDS, SELDOM, WATCHED, Turns


def agent(name: str, node: str) -> AgentPod:
    """A pod that runs."""
    metadata = Metadata(name=name, namespace="hetero-system", uid=f"uid-{name}", annotations={"much": "text"})
    return AgentPod(metadata, AgentSpec(node_name=node), AgentStatus(phase="Running", pod_ip="198.18.0.1"))


def turns(count: int, rate: float = 10.0) -> Turns:
    """So many nodes to ask."""
    made = Turns(rate)
    made.only(f"n{number}" for number in range(count))
    return made


def asked(made: Turns, now: float, room: int = 1000) -> list[str]:
    """Who is asked, and answers at once."""
    found = made.next(now, room)
    for node in found:
        made.answered(node, well=True)
    return found


def test_everybody_comes_to_their_turn_within_the_budget() -> None:
    """No second has more questions than may be, and each round has everybody once."""
    made = turns(100, rate=10)
    found = [node for step in range(200) for node in asked(made, step * 0.05)]
    assert made.turn == 10
    assert 95 <= len(found) <= 110
    assert len(set(found[:100])) == 100


def test_who_is_looked_at_comes_first_and_more_often() -> None:
    """As long as somebody looks."""
    made = turns(100, rate=10)
    made.look(["n50", "nobody"], 0.0)
    found = [(step, node) for step in range(10) for node in asked(made, step * 1.0)]
    assert found[0] == (0, "n50")
    assert sum(node == "n50" for _, node in found) == 10 // WATCHED
    later = LOOKED + 20
    assert asked(made, later).count("n50") <= 1


def test_while_nobody_looks_all_are_asked_more_seldom() -> None:
    """A page nobody has open costs a tenth; the first look brings the full pace back, and its own nodes come first."""
    made = turns(1000, rate=10)
    begun = sum(len(asked(made, step * 0.5)) for step in range(120))
    idle = sum(len(asked(made, step * 0.5)) for step in range(140, 340))
    assert begun >= 10 * 59
    assert 100 / SELDOM * 9 <= idle <= 100 / SELDOM * 11
    assert made.idle(170.0)
    made.look(["n7"], 170.0)
    assert not made.idle(170.0 + IDLE)
    assert asked(made, 170.0)[0] == "n7"
    assert sum(len(asked(made, 170.0 + step * 0.5)) for step in range(1, 101)) >= 10 * 49


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_small_cluster_is_asked_more_seldom_too(count: int) -> None:
    """Its round is no shorter than agents look at their drivers, so the budget alone holds nobody back."""
    made = turns(count, rate=200)
    begun = sum(len(asked(made, step * 0.5)) for step in range(100))
    idle = sum(len(asked(made, 100.0 + step * 0.5)) for step in range(2000))
    assert begun == count * 50 / QUIET
    assert idle == count * 1000 / (QUIET * SELDOM)
    made.look([], 2000.0)
    assert len(asked(made, 2000.0)) == count


def test_who_does_not_answer_is_asked_no_oftener_than_others_while_nobody_looks() -> None:
    """A node that went away at night costs no more than one that is there."""
    made = turns(1, rate=200)
    asked(made, 0.0)
    begun = 2 * IDLE
    [node] = made.next(begun, 1)
    made.answered(node, well=False)
    assert [made.next(begun + passed, 1) for passed in (10.0, 30.0, QUIET * SELDOM - 0.1)] == [[], [], []]
    assert made.next(begun + QUIET * SELDOM, 1) == [node]


def test_a_page_without_nodes_is_looked_at_too() -> None:
    """Somebody who reads quotas goes on to cards."""
    made = turns(3)
    asked(made, 0.0)
    made.look([], 2 * IDLE)
    assert not made.idle(2 * IDLE + 1)


def test_what_was_read_while_nobody_looked_is_shown_until_it_is_read_again() -> None:
    """Else the first page would know less than the one before it; then what is old goes as ever."""
    made = turns(1000, rate=10)
    asked(made, 0.0)
    assert made.patience(IDLE) == ROUNDS * made.turn
    assert made.patience(IDLE + 1) == ROUNDS * made.turn * SELDOM
    made.look([], 10_000.0)
    assert made.patience(10_000.0 + ROUNDS * made.turn) == ROUNDS * made.turn * SELDOM
    for passed in range(0, 1000, 50):
        made.look([], 10_000.0 + passed)
    assert made.patience(10_000.0 + 1000) == ROUNDS * made.turn


def test_nobody_is_asked_twice_at_once() -> None:
    """A node that does not answer has one question on its way."""
    made = turns(1)
    assert made.next(0.0, 10) == ["n0"]
    assert made.next(1000.0, 10) == []
    made.answered("n0", well=True)
    assert made.next(1000.0 + QUIET, 10) == ["n0"]


def test_who_does_not_answer_is_left_alone_longer_and_longer() -> None:
    """Also while somebody looks; an answer makes all well."""
    made, now, pauses = turns(1), 0.0, []
    for _ in range(10):
        assert made.next(now, 1) == ["n0"]
        made.answered("n0", well=False)
        made.look(["n0"], now)
        then = now
        while not (found := made.next(now, 1)):
            now += 1.0
            made.look(["n0"], now)
        made.answered("n0", well=False)
        assert found == ["n0"]
        pauses.append(now - then)
        now += LONGEST
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST
    made.answered("n0", well=True)
    assert made.next(now + QUIET, 1) == ["n0"]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 40),
    st.floats(1, 100),
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 50), st.sets(st.integers(0, 50), max_size=5)), max_size=40),
)
def test_the_budget_is_never_exceeded(count: int, rate: float, steps: list[Any]) -> None:
    """Whatever is looked at, however late somebody comes to look whose turn it is."""
    made, now, total = turns(count, rate), 0.0, 0
    for passed, room, looked in steps:
        now += passed
        made.look((f"n{one}" for one in looked), now)
        found = asked(made, now, room)
        total += len(found)
        assert len(found) <= room
        assert len(set(found)) == len(found)
        assert set(found) <= {f"n{number}" for number in range(count)}
        assert total <= max(1.0, rate) + now * rate + 1e-6


class Way:
    """Answers as a test says."""

    def __init__(self, answers: dict[str, NodeReport | str]) -> None:
        self.answers = answers

    def ask(self, pod: AgentPod) -> NodeReport:
        found = self.answers[pod.metadata.name]
        if isinstance(found, str):
            raise AgentError(pod.node, found)
        return found


def collected(answers: dict[str, NodeReport | str], pods: list[AgentPod], shown: list[str]) -> Reports:
    """What is known when everybody has been asked once."""
    agents, reports, told = Agents(), Reports(), threading.Event()
    agents.replace(pods)
    collector = Collector(agents, Way(answers), reports, lambda: shown, 1000.0, clock=lambda: 50.0)
    collector.look()
    collector._executor.submit(told.set)
    assert told.wait(120)
    collector.stop()
    return reports


def test_what_the_agents_of_a_node_say_is_put_together() -> None:
    """One that does not answer does not keep the others' word from being shown, and is told of."""
    said = NodeReport(node="a", time=1.0, devices=(DeviceReport(uuid="u", vendor="fake", model="F"),))
    reports = collected({"one": said, "two": "is asleep"}, [agent("one", "a"), agent("two", "a")], ["a"])
    assert list(reports._seen) == ["a"]
    assert reports._problems == {"a": "is asleep"}
    assert reports._seen["a"].time == 50.0


def test_a_node_without_an_agent_says_so() -> None:
    """And a node that nobody shows is asked all the same, for its pods may come first."""
    reports = collected({"one": "no"}, [agent("one", "a")], ["b"])
    assert reports._problems == {"a": "no", "b": NO_AGENT}


def test_agents_come_change_and_go() -> None:
    """Nothing is kept of them that nobody asks for."""
    agents = Agents()
    agents.put(agent("one", "a"))
    agents.put(agent("one", "b"))
    agents.put(agent("waits", ""))
    assert {node: [pod.metadata.name for pod in pods] for node, pods in agents.by_node().items()} == {"b": ["one"]}
    assert agents.by_node()["b"][0].metadata.annotations is None
    agents.remove(agent("one", "b"))
    assert agents.by_node() == {}


def test_what_is_too_old_is_forgotten() -> None:
    """It is not known any more, which is not 0."""
    reports = Reports()
    reports.put("a", NodeReport(node="a", time=0.0), 10.0)
    assert reports.oldest(15.0) == 5.0
    reports.expire(9.0)
    before = reports.revision
    reports.expire(11.0)
    assert (reports.revision, reports.oldest(15.0)) == (before + 1, 0.0)
    reports.fail("a", "gone")
    reports.only([])
    assert reports._problems == {}


@pytest.mark.parametrize("kind", [records.Nodes, records.Cards, records.Workloads, records.Quotas])
def test_a_page_tells_which_nodes_it_shows(kind: Any) -> None:
    """An empty one none; those of the others are seen in the pages' own tests."""
    freshness = records.Freshness(time=0.0, in_step=True, heard=0.0, nodes=0, reporting=0)
    assert list(nodes_of(kind(freshness=freshness, total=0, items=()))) == []
