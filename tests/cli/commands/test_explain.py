"""``hetero explain pod``: why a pod waits, where it would go, or where it is and what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hetero.cli import explained
from hetero.kube import paths

if TYPE_CHECKING:
    from hetero.vendor import Vendor
    from tests.cli.commands.conftest import Answer, Hetero, Populated

NPU, MEMORY, CORES = "fake.example/npu", "fake.example/npumem", "fake.example/npucores"


@pytest.fixture
def explain(hetero: Hetero, populated: Populated) -> Any:
    """The command on the populated cluster."""

    def run(name: str, *words: str) -> Answer:
        return hetero("explain", "pod", name, "-n", "team", "--kubeconfig", populated.kubeconfig, *words)

    return run


def test_a_pod_without_room_is_told_why(explain: Any, populated: Populated) -> None:
    """Every group of nodes with its reason, and the exit code says that it waits."""
    populated.pod("p", {NPU: "1", MEMORY: "99999"})
    answer = explain("p")
    assert (answer.code, answer.err) == (3, "")
    first, *_ = answer.out.splitlines()
    assert first == "team/p waits: no node has room"
    assert "2/2 nodes (a, b): " in answer.out
    assert "[CardInsufficientMemory]" in answer.out


def test_a_pod_with_room_is_told_where(explain: Any, populated: Populated) -> None:
    """The best node with its score and the devices there; nodes without room keep their reasons."""
    populated.held("big", "a", memory=12288)
    populated.pod("p", {NPU: "2", MEMORY: "8192"})
    answer = explain("p")
    assert answer.code == 0
    assert answer.out.startswith("team/p waits, and would go to node b (score ")
    assert "1 of 2 nodes have room" in answer.out
    assert "b-fake-0" in answer.out
    assert "1/2 nodes (a): " in answer.out


def test_many_reasons_are_summed_up(explain: Any, populated: Populated) -> None:
    """Nodes that are filled differently lack different amounts; what is told is the most that there is."""
    for index in range(10):
        populated.node(f"n{index}")
        populated.held(f"h{index}", f"n{index}", memory=1000 + index)
    populated.held("ha", "a", memory=2000)
    populated.held("hb", "b", memory=3000)
    populated.pod("p", {NPU: "1", MEMORY: "12000"})
    answer = explain("p")
    assert answer.code == 3
    [reason] = [line for line in answer.out.splitlines() if " nodes" in line]
    assert reason.startswith("  12/12 nodes: not enough memory on any card (largest free 11288 MiB, asked 12000 MiB)")
    assert explain("p", "--output", "json").json["pod"]["summary"] == reason.strip()


def test_thousands_of_nodes_are_told_in_short(
    explain: Any, populated: Populated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without figures of each, which would take long; the same nodes for the same kinds of reason."""
    populated.held("h", "a", memory=12288)
    populated.pod("p", {NPU: "1", MEMORY: "99999"})
    detailed = explain("p", "--output", "json").json["nodes"]
    monkeypatch.setattr(explained, "DETAILED", 1)
    short = explain("p", "--output", "json").json["nodes"]
    assert [(row["node"], row["fits"]) for row in short] == [(row["node"], row["fits"]) for row in detailed]
    assert all(row["reason"] and row["message"] and "MiB" not in row["message"] for row in short)
    assert f"[{short[0]['reason']}]" in explain("p").out


def test_a_placed_pod_is_told_what_it_holds(explain: Any, populated: Populated) -> None:
    """As its placement says."""
    populated.held("p", "a", memory=1024)
    answer = explain("p")
    assert answer.code == 0
    assert answer.out.startswith("team/p is on node a\n")
    assert "a-fake-0" in answer.out
    assert "1024 MiB" in answer.out


@pytest.mark.parametrize(
    ("annotation", "why"),
    [(None, "has no placement"), ("{}", "does not count (unreadable)"), ("other", "does not count (another pod)")],
)
def test_a_pod_that_passed_the_scheduler_by_is_told_so(
    explain: Any, populated: Populated, annotation: str | None, why: str
) -> None:
    """Its devices are charged nowhere, so others may be given the same."""
    notes = {} if annotation is None else {"hetero.io/placement": annotation}
    if annotation == "other":
        notes = {"hetero.io/placement": populated.placement("p", "a", uid="someone-else")}
    populated.pod("p", {NPU: "1"}, node="a", notes=notes)
    answer = explain("p")
    assert answer.code == 0
    assert why in answer.out
    assert "charged nowhere" in answer.out


def test_what_asks_nothing_or_is_over_has_no_more_to_tell(explain: Any, populated: Populated) -> None:
    """Neither holds anything."""
    populated.pod("plain", {"cpu": "1"})
    populated.pod("done", {NPU: "1"}, node="a", phase="Succeeded")
    assert explain("plain").out == "team/plain asks no device of an installed vendor\n"
    assert explain("done").out == "team/done is over (Succeeded) and holds nothing\n"


def test_a_wrong_ask_is_the_reason(explain: Any, populated: Populated) -> None:
    """A pod that no webhook refused waits for ever; the sentences are those of the webhook."""
    populated.pod("p", {NPU: "1", CORES: "101"})
    answer = explain("p")
    assert answer.code == 2
    assert answer.told.startswith(f"spec.containers[0].resources.limits[{CORES}]: '101' is out of range")


def test_another_schedulers_pod_is_told_so(explain: Any, populated: Populated) -> None:
    """The planner's answer is of no use to a pod that hetero never sees."""
    populated.pod("p", {NPU: "1"}, scheduler="default-scheduler")
    assert "its scheduler is default-scheduler, and hetero places the pods of hetero-scheduler" in explain("p").out


def test_what_kube_scheduler_says_is_passed_on(explain: Any, populated: Populated) -> None:
    """It looks at what is not looked at here: taints, affinity, the machine's own resources."""
    said = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 node(s) had taints"}
    populated.pod("p", {NPU: "1"}, conditions=[{"type": "Ready", "status": "False", "message": "no"}, said])
    out = explain("p").out
    assert "kube-scheduler says: 0/2 nodes are available: 2 node(s) had taints" in out
    assert "says: no" not in out


def test_quotas_are_shown_with_what_is_used(explain: Any, populated: Populated) -> None:
    """Those of the pod's namespace that count it, in the units of the planner."""
    populated.quota("q", {f"limits.{MEMORY}": "4096", f"limits.{NPU}": "10", "pods": "5"})
    populated.quota("elsewhere", {f"limits.{NPU}": "1"}, namespace="other")
    populated.quota("others", {f"limits.{NPU}": "1"}, scopes=["Terminating"])
    populated.held("old", "a", memory=1024)
    populated.pod("p", {NPU: "2", MEMORY: "2048"})
    answer = explain("p", "--output", "json")
    assert answer.code == 3
    rows = {row["resource"]: row for row in answer.json["quotas"]}
    assert set(rows) == {MEMORY, NPU}
    assert rows[MEMORY] == {
        "quota": "q", "resource": MEMORY, "limit": 4096, "used": 2048, "asked": 4096, "unit": "MiB",
    }  # fmt: skip
    assert {row["reason"] for row in answer.json["nodes"]} == {"ResourceQuotaNotFit"}
    assert "2048 MiB" in explain("p").out


def test_json_has_a_version_and_stable_keys(explain: Any, populated: Populated) -> None:
    """Programs rely on them, whatever is to be told."""
    populated.pod("p", {NPU: "1", MEMORY: "1024"})
    waiting = explain("p", "--output", "json").json
    assert set(waiting) == {"version", "pod", "placements", "nodes", "quotas"}
    assert set(waiting["pod"]) == {"namespace", "name", "state", "node", "best", "summary", "remarks"}
    assert (waiting["pod"]["state"], waiting["pod"]["node"]) == ("waits, fits", "")
    assert waiting["pod"]["best"] == waiting["nodes"][0]["node"] == waiting["placements"][0]["node"]
    assert [set(row) for row in waiting["nodes"]] == [{"node", "fits", "score", "reason", "message"}] * 2
    populated.held("h", "a", memory=1024)
    placed = explain("h", "--output", "json").json
    assert set(placed) == set(waiting)
    assert (placed["pod"]["state"], placed["pod"]["node"], placed["nodes"]) == ("placed", "a", [])


def test_the_best_node_comes_first(explain: Any, populated: Populated) -> None:
    """By the score with the pod on it, then by name; those without room come last."""
    populated.held("h", "b", memory=1024)
    populated.pod("p", {NPU: "1", MEMORY: "1024"})
    rows = explain("p", "--output", "json").json["nodes"]
    assert [row["node"] for row in rows] == ["b", "a"]
    assert rows[0]["score"] > rows[1]["score"] > 0


def test_a_cluster_without_devices_is_told_so(hetero: Hetero, populated: Populated) -> None:
    """Rather than nothing at all."""
    for name in ("a", "b"):
        populated.server.remove(paths.node(name))
    populated.pod("p", {NPU: "1"})
    answer = hetero("explain", "pod", "p", "-n", "team", "--kubeconfig", populated.kubeconfig)
    assert (answer.code, answer.out) == (3, "team/p waits: no node of the cluster has devices\n")


def test_a_pod_that_is_not_there(explain: Any) -> None:
    """One sentence with what to do."""
    answer = explain("nobody")
    assert answer.code == 2
    assert answer.told.startswith("NAME: 'nobody' is no pod of namespace team")


@pytest.mark.parametrize("name", ["", "..", "a/b", "P", "-n"])
def test_what_is_no_name_is_not_asked_for(hetero: Hetero, populated: Populated, name: str) -> None:
    """A path of the API is made of it; where it leads must not be the user's choice."""
    answer = hetero("explain", "pod", "-n", "team", "--kubeconfig", populated.kubeconfig, "--", name)
    assert answer.code == 2
    assert "is no name" in answer.told
    assert populated.server.calls() == []


def test_an_answer_that_is_no_pod(explain: Any, populated: Populated) -> None:
    """Some other server may stand where the kubeconfig says: one sentence."""
    populated.server.put(paths.pods("team"), {"metadata": {"name": "odd"}, "spec": {"containers": "none"}})
    answer = explain("odd")
    assert answer.code == 1
    assert "Unreadable: pod team/odd" in answer.told


def test_nothing_is_changed(explain: Any, populated: Populated) -> None:
    """Whoever may read may ask."""
    populated.pod("p", {NPU: "1"})
    before = populated.server.objects(paths.PODS)
    explain("p")
    assert populated.server.objects(paths.PODS) == before
    assert {call.method for call in populated.server.calls()} == {"GET"}


def test_a_vendors_words_cannot_command_a_terminal(explain: Any, populated: Populated, two_devices: Vendor) -> None:
    """What others wrote into the cluster is shown, not obeyed."""
    condition = {"type": "PodScheduled", "status": "False", "message": "\x1b[2Jgone"}
    populated.pod("p", {NPU: "1"}, conditions=[condition])
    assert "\x1b" not in explain("p").out
