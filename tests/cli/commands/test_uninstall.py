"""``hetero uninstall``: what a person, or the log of the chart's job, is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetero.cli import group
from hetero.kube import paths
from hetero.testing.apiserver import ApiServer

OPTIONS = ["uninstall", "--namespace", "kube-system", "--release", "hetero", "--secret", "cert", "--lease", "leader"]
DEVICE = {"metadata": {"name": "n", "annotations": {"hetero.io/inventory": "{}"}}}


@pytest.fixture
def server():
    """A cluster with a node that an agent wrote to."""
    with ApiServer() as made:
        made.put(paths.NODES, {**DEVICE, "status": {"capacity": {"cpu": "1", "toy.dev/cores": "3"}}})
        yield made


@pytest.fixture
def options(tmp_path: Path, server: ApiServer) -> list[str]:
    """The command line of the job, and how it reaches the cluster."""
    return [*OPTIONS, "--kubeconfig", str(server.kubeconfig(tmp_path / "config"))]


def test_it_says_what_it_removed(options: list[str], server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each thing, and one that it is done; the second time there is nothing to say."""
    assert group.run(options) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("node n: without hetero.io/inventory")
    assert last == "nothing of hetero is left but what Helm removes"
    assert group.run(options) == 0
    assert capsys.readouterr().out.splitlines() == [last]


def test_totals_are_those_of_the_installed_vendors(options: list[str], server: ApiServer) -> None:
    """Memory and compute of every family, and nothing that a kubelet counts."""
    from hetero import plugins

    [family, *_] = [one for vendor in plugins.load().vendors.values() for one in vendor.resources if one.memory]
    amounts = {"cpu": "1", family.count: "4", family.memory: "5", family.cores: "6"}
    server.put(paths.NODES, {**DEVICE, "status": {"capacity": amounts, "allocatable": amounts}})
    assert group.run(options) == 0
    [node] = server.objects(paths.NODES)
    assert node["status"]["capacity"] == {"cpu": "1", family.count: "4"}


def test_totals_of_a_package_that_is_not_here_can_be_named(options: list[str], server: ApiServer) -> None:
    """The chart's values have them: a third party's package is in its agent's image alone."""
    amounts = {"cpu": "1", "acme.com/npu": "1", "acme.com/npu-memory": "5"}
    server.put(paths.NODES, {**DEVICE, "status": {"capacity": amounts}})
    assert group.run([*options, "--total", "acme.com/npu-memory"]) == 0
    [node] = server.objects(paths.NODES)
    assert node["status"]["capacity"] == {"cpu": "1", "acme.com/npu": "1"}


def test_what_the_api_server_refuses_is_told(
    options: list[str], server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and the job fails, so that it is tried again."""
    server.fail(403, path_contains="nodes")
    assert group.run(options) == 1
    [line] = [one for one in capsys.readouterr().err.splitlines() if one.startswith("hetero:")]
    assert "the API server answered 403" in line
