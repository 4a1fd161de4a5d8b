"""``hetero top --cluster``: what is promised by the pods' placements, and what is used by what the agents say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hetero.cli import cluster_seen, cluster_top, keys, top
from hetero.cli.cluster_rows import Chosen, pick, problem_rows, reasons, vendor_rows
from hetero.cli.context import Context
from hetero.kube import paths
from hetero.testing import fake_vendor
from hetero.testing.agents import NAMESPACE, HollowAgents
from hetero.testing.loads import Use
from hetero.web.records import Amount, Freshness, Overview, VendorSummary

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Answer, Hetero, Populated

VENDORS = {"fake": fake_vendor()}

CARD_KEYS = {
    "node", "device", "uuid", "vendor", "model", "mode", "healthy", "health", "cordoned", "slots", "slots_used",
    "memory_capacity_mib", "memory_allocated_mib", "memory_used_mib", "compute_capacity_percent",
    "compute_allocated_percent", "compute_used_percent", "compute_shared_percent", "temperature_celsius", "power_watts",
}  # fmt: skip
SLICE_KEYS = {
    "node", "device", "uuid", "vendor", "namespace", "pod", "container", "priority", "memory_limit_mib",
    "memory_used_mib", "compute_limit_percent", "compute_used_percent", "running", "yielding",
}  # fmt: skip


@pytest.fixture
def agents(populated: Populated) -> HollowAgents:
    """Agents of both nodes; each slice uses half of what it may."""
    made = HollowAgents(populated.server, VENDORS, lambda *_: Use(0.5, 0.5))
    made.deploy()
    return made


@pytest.fixture
def run(hetero: Hetero, populated: Populated, agents: HollowAgents) -> Any:
    """The command on that cluster, once."""

    def once(*words: str) -> Answer:
        return hetero("top", "--cluster", "--once", "--kubeconfig", populated.kubeconfig, *words)

    return once


def test_json_has_a_version_and_stable_keys(run: Any, populated: Populated) -> None:
    """Programs rely on them."""
    populated.held("p", "a", memory=4096)
    answer = run("--output", "json")
    assert answer.code == 0
    assert set(answer.json) == {"version", "vendors", "devices", "slices", "waiting", "problems"}
    assert {frozenset(row) for row in answer.json["devices"]} == {frozenset(CARD_KEYS)}
    assert {frozenset(row) for row in answer.json["slices"]} == {frozenset(SLICE_KEYS)}


def test_figures_are_the_ledgers_and_the_agents(run: Any, populated: Populated) -> None:
    """Promised by the placement, used by the report; sums by vendor."""
    populated.held("p", "a", memory=4096)
    answer = run("--output", "json").json
    cards = {(row["node"], row["device"]): row for row in answer["devices"]}
    assert len(cards) == 4
    held, empty = cards["a", 0], cards["b", 1]
    assert (held["memory_capacity_mib"], held["memory_allocated_mib"], held["memory_used_mib"]) == (12288, 4096, 2048)
    assert (empty["memory_allocated_mib"], empty["memory_used_mib"]) == (0, 0)
    [vendor] = answer["vendors"]
    assert (vendor["cards"], vendor["idle"], vendor["slices"]) == (4, 2, 2)
    assert (vendor["memory_allocated_mib"], vendor["memory_used_mib"]) == (8192, 4096)
    assert [(row["pod"], row["memory_used_mib"], row["running"]) for row in answer["slices"]] == [("p", 2048, True)] * 2


def test_a_table_has_vendors_cards_and_slices(run: Any, populated: Populated) -> None:
    """The sums first, then a line for each card and one below it for each slice."""
    populated.held("p", "a", memory=4096)
    populated.pod("waits", {"fake.example/npu": "9"})
    lines = run().out.splitlines()
    assert lines[0].startswith("2 nodes, 4 cards, 1 pods with devices; 1 wait")
    assert lines[2].split()[:6] == ["fake", "2", "4", "2", "0", "2"]
    [first, below] = lines[5:7]
    assert first.split()[:2] == ["a", "0"]
    assert "2.0 / 4.0 / 12.0 GiB" in first
    assert "team/p main" in below
    assert "2.0 / 4.0 GiB" in below
    assert lines[9].rstrip().endswith("idle")


def test_a_node_that_says_nothing_is_told_of(run: Any, populated: Populated, agents: HollowAgents) -> None:
    """What is promised there is shown, what is used is not known, and why stands below."""
    populated.held("p", "a", memory=4096)
    agents.silent.add("a")
    answer = run("--output", "json").json
    used = {row["node"]: row["memory_used_mib"] for row in answer["devices"]}
    assert used == {"a": None, "b": 0}
    [problem] = answer["problems"]
    assert problem["node"] == "a"
    assert "its agent cannot be reached" in problem["reason"]
    printed = run().out
    assert "nodes whose use, or some of it, is not known:\n  a: its agent cannot be reached" in printed
    assert "- / 4.0 / 12.0 GiB" in printed


def test_a_node_without_an_agent_is_told_of(run: Any, populated: Populated) -> None:
    """Its devices are known by its annotation."""
    populated.node("c", count=1)
    [problem] = run("--output", "json").json["problems"]
    assert (problem["node"], problem["reason"].partition(" of ")[0]) == ("c", "no agent")


@pytest.mark.parametrize(
    ("words", "cards", "slices"),
    [
        ((), ["a0", "a1", "b0", "b1"], 4),
        (("--node", "b"), ["b0", "b1"], 2),
        (("--namespace", "team"), ["a0", "a1", "b0", "b1"], 4),
        (("--namespace", "other"), [], 0),
        (("--vendor", "fake"), ["a0", "a1", "b0", "b1"], 4),
        (("--sort", "memory"), ["b0", "b1", "a0", "a1"], 4),
        (("--sort", "idle"), ["a0", "a1", "b0", "b1"], 4),
    ],
)
def test_cards_are_chosen_and_sorted(
    run: Any, populated: Populated, words: tuple[str, ...], cards: list[str], slices: int
) -> None:
    """By node, namespace and vendor; by what is used, or by what is left."""
    populated.held("small", "a", memory=1024)
    populated.held("large", "b", memory=8192)
    populated.server.put(paths.NAMESPACES, {"metadata": {"name": "other"}})
    answer = run("--output", "json", *words).json
    assert [f"{row['node']}{row['device']}" for row in answer["devices"]] == cards
    assert len(answer["slices"]) == slices


def test_sums_of_a_vendor_that_was_not_asked_for_are_left_out() -> None:
    """Its agents are not asked, so that it would seem to have figures that are not known."""
    both = Overview(
        freshness=Freshness(time=0.0, in_step=True, heard=0.0, nodes=2, reporting=1),
        nodes=2,
        cards=2,
        vendors=(_summary("acme"), _summary("fake")),
        idle=(),
        waiting=(),
        waiting_total=0,
        workloads=0,
    )
    assert [row["vendor"] for row in vendor_rows(both)] == ["acme", "fake"]
    assert [row["vendor"] for row in vendor_rows(both, "fake")] == ["fake"]


def _summary(vendor: str) -> VendorSummary:
    amount = Amount(capacity=1.0, allocated=0.0)
    return VendorSummary(
        vendor=vendor, title=vendor, nodes=1, cards=1, unhealthy=0, idle=1, slices=0, memory=amount, compute=amount
    )


def test_only_agents_of_what_is_shown_are_asked(run: Any, populated: Populated) -> None:
    """A question about one node is no question to thousands."""
    run("--node", "b")
    asked = [call.path for call in populated.server.calls("GET", "/proxy/")]
    assert len(asked) == 1
    assert "agent-b" in asked[0]


def test_agents_of_one_namespace_are_believed(run: Any, populated: Populated) -> None:
    """Whoever labels a pod like an agent is not asked, and the person is asked which are hetero's."""
    fake = {"name": "spoof", "namespace": "team", "labels": {"hetero.io/part": "agent"}}
    populated.server.put(paths.PODS, {"metadata": fake, "spec": {"nodeName": "a"}, "status": {"phase": "Running"}})
    answer = run()
    assert answer.code == 2
    assert "--agents" in answer.told
    assert f"{NAMESPACE}, team" in answer.told
    assert run("--agents", NAMESPACE).code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--node", "x"), "--node: 'x' is no node with devices"),
        (("--vendor", "x"), "--vendor: 'x' is none that is"),
        (("--namespace", "x"), "--namespace: 'x' is no namespace of the cluster"),
    ],
)
def test_what_is_not_there_is_refused(run: Any, words: tuple[str, ...], told: str) -> None:
    """In a sentence, instead of an empty table."""
    answer = run(*words)
    assert answer.code == 2
    assert told in answer.told


@pytest.mark.parametrize(
    ("words", "told"),
    [((), ""), (("--node", "a"), " on node a"), (("--vendor", "fake"), " on cards of fake")],
)
def test_a_namespace_without_slices_is_told_of(
    run: Any, populated: Populated, words: tuple[str, ...], told: str
) -> None:
    """In a sentence instead of an empty table, with whatever else was chosen; the sums stand above as ever."""
    populated.held("p", "a", memory=1024)
    answer = run("-n", "default", *words)
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == f"no slice is in namespace default{told}"
    assert "fake" in answer.out
    assert "node, slices" not in answer.out


def test_who_may_not_ask_for_a_namespace_sees_that_it_is_empty(run: Any, populated: Populated) -> None:
    """Whether there is one is not known then, so it is not said that there is none."""
    populated.server.fail(403, path_contains="/namespaces/x")
    answer = run("-n", "x")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "no slice is in namespace x"


@pytest.mark.parametrize("words", [("--node", "a"), ("-n", "x"), ("--sort", "idle"), ("--kubeconfig", "/k")])
def test_options_of_a_cluster_need_one(hetero: Hetero, words: tuple[str, ...]) -> None:
    """They are not passed over in silence."""
    answer = hetero("top", "--once", *words)
    assert answer.code == 2
    assert "say --cluster as well" in answer.told


def test_an_api_server_that_refuses_is_a_sentence(run: Any, populated: Populated) -> None:
    """As for every command."""
    populated.server.fail(403, path_contains="/pods", times=9)
    answer = run()
    assert answer.code == 1
    assert "answered 403 Forbidden" in answer.told


def test_reasons_are_told_once_each() -> None:
    """With some of the nodes; JSON has all."""
    problems = {f"n{number}": "is down" if number < 5 else f"reason {number}" for number in range(20)}
    rows = problem_rows(problems, problems)
    assert len(rows) == 20
    told = list(reasons(rows))
    assert told[0] == "n0, n1, n2 and 2 more: is down"
    assert told[-1] == "and 6 more reasons; --output json has all"
    assert len(told) == 11


def test_compute_that_slices_without_a_limit_share_is_not_nobodys(run: Any, populated: Populated) -> None:
    """What is left of their card is theirs: a number for programs, and no empty bar for people."""
    populated.held("p", "a", memory=4096)
    rows = run("--output", "json").json["devices"]
    shared = {row["node"]: row["compute_shared_percent"] for row in rows if row["slots_used"]}
    assert set(shared.values()) == {100.0}
    assert all(row["compute_shared_percent"] == 0 for row in rows if not row["slots_used"])
    row = next(row for row in rows if row["slots_used"])
    [column] = [one for one in cluster_top.CARDS if one.text is cluster_top._compute_bar]
    assert column.text({**row, "compute_used_percent": 50.0}) == "██████▒▒▒▒▒▒"


@pytest.mark.parametrize(
    ("used", "promised", "whole", "shown"),
    [
        (6, 9, 12, "██████▒▒▒░░░"),
        (None, 6, 12, "▒▒▒▒▒▒░░░░░░"),
        (12, 3, 12, "████████████"),
        (99, 99, 12, "████████████"),
        (0, None, 12, "░░░░░░░░░░░░"),
        (1, 1, None, ""),
        (1, 1, 0, ""),
    ],
)
def test_a_bar_shows_use_within_what_is_promised(
    used: float | None, promised: float | None, whole: float | None, shown: str
) -> None:
    """Always as long, whatever is measured; nothing where there is nothing to compare with."""
    assert cluster_top.bar(used, promised, whole) == shown


def test_keys_turn_pages() -> None:
    """Pages have as many cards as fit with their slices, so the way back is remembered; the last page is the last."""
    pages = cluster_top.Pages()
    firsts = []
    for key, shown in (("next", 10), ("next", 4), ("", 11), ("next", 11), ("back", 11), ("back", 4), ("back", 10)):
        pages.turn(key, shown, 25)
        firsts.append(pages.first)
    assert firsts == [10, 14, 14, 14, 10, 0, 0]


def test_a_list_that_becomes_shorter_is_shown_from_its_beginning() -> None:
    """And a key leads there, too."""
    pages = cluster_top.Pages()
    pages.turn("next", 10, 25)
    pages.turn("", 10, 7)
    assert pages.first == 0
    pages.turn("next", 10, 25)
    pages.turn("first", 10, 25)
    assert pages.first == 0


def test_as_many_cards_as_fit_are_shown(populated: Populated) -> None:
    """Each with all of its slices; one at least."""
    for name in ("p", "q"):
        populated.held(name, "a", memory=1024)
    api = populated.server.api()
    cards = pick(cluster_seen.Seen(api, Context()).scene(), Chosen()).cards
    api.close()
    assert [len(card.slices) for card in cards] == [2, 2, 0, 0]
    assert [len(cluster_top.fitting(cards, room)) for room in (1, 3, 5, 6, 7, 8, 99)] == [1, 1, 1, 2, 3, 4, 4]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output is a terminal, for ``top`` and for rich."""
    monkeypatch.setattr(top, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINES", "30")


@pytest.mark.usefixtures("terminal", "agents")
def test_live_it_follows_the_cluster_until_a_key_ends_it(
    hetero: Hetero, populated: Populated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod that is placed meanwhile appears, with what it uses; all agents are asked by and by."""
    looks: list[int] = []

    def wait(_: keys.Keys, __: float) -> str:
        looks.append(len(looks))
        if len(looks) == 1:
            populated.held("later", "b", memory=4096)
        seen = populated.server.calls("GET", "/proxy/")
        done = len(looks) > 2 and {"a", "b"} <= {call.path.partition("agent-")[2][:1] for call in seen}
        populated.server.wait(lambda: False, 0.05)
        return "quit" if done or len(looks) > 100 else ""

    monkeypatch.setattr(keys.Keys, "wait", wait)
    answer = hetero("top", "--cluster", "--interval", "0.1", "--kubeconfig", populated.kubeconfig)
    assert (answer.code, answer.err) == (0, "")
    assert "team/later" in answer.out
    assert "cards 1-4 of 4" in answer.out
    assert "Fake F1" in answer.out
    assert "█" in answer.out
    assert len(looks) < 100


@pytest.mark.usefixtures("terminal", "agents")
def test_live_a_namespace_without_slices_is_told_of(
    hetero: Hetero, populated: Populated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the number of cards would stand: there may be one soon, so it goes on looking."""
    monkeypatch.setattr(keys.Keys, "wait", lambda *_: "quit")
    answer = hetero("top", "--cluster", "-n", "default", "--kubeconfig", populated.kubeconfig)
    assert (answer.code, answer.err) == (0, "")
    assert "no slice is in namespace default" in answer.out
    assert "cards 0" not in answer.out


def test_others_get_their_turn(populated: Populated, agents: HollowAgents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that nobody looks at are asked one after another, and those that came later, too."""
    monkeypatch.setattr(cluster_seen, "RATE", 10)
    api = populated.server.api()
    seen = cluster_seen.Seen(api, Context())
    populated.node("c")
    agents.deploy()
    seen.ask_on(["a"], 0.1)
    seen.ask_on(["a"], 0.1)
    asked = [call.path.partition("agent-")[2][:1] for call in populated.server.calls("GET", "/proxy/")]
    assert sorted(asked) == ["a", "a", "b", "b"]
    monkeypatch.setattr(cluster_seen, "ANEW", 0.0)
    seen.ask_on(["a", "b"], 0.1)
    assert len(populated.server.calls("GET", "agent-c:")) == 1
    api.close()
