"""The real cluster is read as it is, or one sentence says why it cannot be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hetero.cli import live
from hetero.errors import HeteroError, InvalidConfiguration
from hetero.kube import paths

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands.conftest import Answer, Hetero, PodMaker, Populated, Write

NPU, MEMORY = "fake.example/npu", "fake.example/npumem"


@pytest.fixture
def plan(hetero: Hetero, populated: Populated, write: Write) -> Any:
    """``hetero plan`` on the populated cluster."""

    def run(*pods: Any, words: tuple[str, ...] = ()) -> Answer:
        return hetero("plan", "-f", write(*pods), "--cluster", "live", "--kubeconfig", populated.kubeconfig, *words)

    return run


def test_pods_are_planned_beside_those_that_run(plan: Any, populated: Populated, pod: PodMaker) -> None:
    """What a pod of the cluster holds is not there for others; what is over, or of another node, is."""
    populated.held("h", "a", memory=12288)
    populated.held("over", "b", memory=12288, phase="Failed")
    answer = plan(pod("p", {NPU: 2, MEMORY: 8192}), words=("--output", "json"))
    assert answer.code == 0
    [row] = answer.json["placements"]
    assert row["node"] == "b"
    left = {(row["node"], row["device"]): row["left"]["memory"] for row in answer.json["devices"]}
    assert left["a", "a-fake-0"] == 0
    assert left["b", "b-fake-0"] == 4096


def test_quotas_hold(plan: Any, populated: Populated, pod: PodMaker) -> None:
    """As they would for the pod in the cluster."""
    populated.quota("q", {f"limits.{MEMORY}": "1024"}, namespace="default")
    answer = plan(pod("p", {NPU: 1, MEMORY: 2048}))
    assert answer.code == 3
    assert "[ResourceQuotaNotFit]" in answer.out


def test_the_table_shows_the_devices_that_change(plan: Any, pod: PodMaker) -> None:
    """A real cluster has thousands; JSON has all of them."""
    answer = plan(pod("p", {NPU: 1, MEMORY: 1024}))
    assert answer.code == 0
    _, listed, _ = answer.out.split("\n\n")
    assert {line.split()[0] for line in listed.splitlines()[2:]} == {"a"}
    devices = plan(pod("p", {NPU: 1}), words=("--output", "json")).json["devices"]
    assert {row["node"] for row in devices} == {"a", "b"}


def test_other_plugins_may_count_resources(plan: Any, pod: PodMaker) -> None:
    """In a cluster; what seems to be misspelt is told."""
    answer = plan(pod("p", {NPU: 1, MEMORY: 8, "else.example/fpga": 1, "fake.example/npumemory": 1}))
    assert answer.code == 0
    assert "fake.example/npumemory" in answer.told
    assert f"did you mean {MEMORY}?" in answer.told


def test_all_pages_are_read(plan: Any, populated: Populated, pod: PodMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of more than one page is a cluster as well."""
    for index in range(600):
        populated.node(f"n{index:03}", count=1)
    devices = plan(pod("p", {NPU: 1}), words=("--output", "json")).json["devices"]
    assert len(devices) == 604


@pytest.mark.parametrize(
    ("status", "words"), [(403, "answered 403 Forbidden"), (401, "answered 401 Unauthorized"), (500, "answered 500")]
)
def test_a_server_that_refuses_is_told_in_one_line(
    plan: Any, populated: Populated, pod: PodMaker, status: int, words: str
) -> None:
    """With the request and the server's own reason."""
    populated.server.fail(status, path_contains="nodes", times=9)
    answer = plan(pod("p", {NPU: 1}))
    assert answer.code == 1
    assert words in answer.told
    assert paths.NODES in answer.told


def test_a_server_that_is_not_there(plan: Any, populated: Populated, pod: PodMaker) -> None:
    """One line, too."""
    populated.server.stop()
    answer = plan(pod("p", {NPU: 1}))
    assert answer.code == 1
    assert "did not answer" in answer.told


@pytest.mark.parametrize(
    ("words", "named"), [(("--kubeconfig", "/nowhere"), "/nowhere"), (("--context", "other"), "other")]
)
def test_a_wrong_way_to_the_server_is_the_users(plan: Any, pod: PodMaker, words: tuple[str, ...], named: str) -> None:
    """A file that is not there, a context that the file does not have."""
    answer = plan(pod("p", {NPU: 1}), words=words)
    assert answer.code == 2
    assert named in answer.told


def test_of_a_context_that_is_none_those_that_are_there_are_listed(plan: Any, pod: PodMaker, tmp_path: Path) -> None:
    """Also where none of them is the current one; ten are named, and the rest counted."""
    config = tmp_path / "contexts"
    for count, listed in ((0, "it has none"), (2, "it has one0, one1"), (12, "one7 and 2 more")):
        contexts = [{"name": f"one{number}", "context": {"cluster": "c", "user": "u"}} for number in range(count)]
        config.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "contexts": contexts}))
        answer = plan(pod("p", {NPU: 1}), words=("--kubeconfig", config, "--context", "on"))
        assert answer.code == 2
        assert answer.told.startswith(f"{config}: has no context 'on'; it has ")
        assert answer.told.endswith(listed)


def test_a_kubeconfig_that_is_wrong_elsewhere_is_told_so(plan: Any, pod: PodMaker, tmp_path: Path) -> None:
    """The context that was named is there, and is no part of what is wrong."""
    config = tmp_path / "contexts"
    for contexts in ([{"name": "one", "context": {"cluster": "c", "user": "u"}}], 4):
        config.write_text(yaml.safe_dump({"contexts": contexts, "current-context": "one"}))
        answer = plan(pod("p", {NPU: 1}), words=("--kubeconfig", config, "--context", "one"))
        assert answer.code == 2
        assert "cannot be used as a kubeconfig" in answer.told


def test_without_the_client_it_is_told_what_to_install(
    plan: Any, pod: PodMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line works without a cluster's libraries."""
    for name in [name for name in sys.modules if name.startswith("hetero.kube.client")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "urllib3", None)
    answer = plan(pod("p", {NPU: 1}))
    assert answer.code == 1
    assert "pip install 'hetero[kube]'" in answer.told


def test_the_namespace_is_the_contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the context that is named, or of the current one; ``default`` where neither says any."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    context = {"cluster": "c", "user": "u"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "one", "context": {**context, "namespace": "team"}}, {"name": "two", "context": context}],
        "current-context": "one",
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    assert live.Access(str(path)).namespace() == "team"
    assert live.Access(str(path), "two").namespace() == "default"
    assert live.Access(str(tmp_path / "none")).namespace() == "default"


def test_connecting_fails_with_sentences(tmp_path: Path) -> None:
    """Whatever the file holds."""
    for text in ("", "[]", "a: b", "\x00", "current-context: x"):
        path = tmp_path / "config"
        path.write_text(text)
        with pytest.raises((InvalidConfiguration, HeteroError)), live.Access(str(path)).connected():
            pytest.fail("there is nothing to connect to")
