"""An uninstall leaves nothing of hetero's, and everything of others; in an order in which nothing comes back."""

from __future__ import annotations

from typing import Any

import pytest

from hetero.errors import ApiError
from hetero.install.uninstall import Release, Uninstall
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer

SPACE = "kube-system"
RELEASE = Release(namespace=SPACE, name="hetero", webhook="pods.hetero.io", secret="cert", lease="leader")
TOTALS = ("acme.com/npu-memory", "acme.com/npu-cores")
HOOKS = paths.grouped("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations")


def collection(version: str, plural: str) -> str:
    """The release's objects of a kind."""
    return paths.grouped(version, plural, namespace=SPACE)


DAEMONSETS, DEPLOYMENTS = collection("apps/v1", "daemonsets"), collection("apps/v1", "deployments")
CRONJOBS, JOBS = collection("batch/v1", "cronjobs"), collection("batch/v1", "jobs")
SECRETS, LEASES = collection("v1", "secrets"), collection("coordination.k8s.io/v1", "leases")


def part(name: str, component: str, release: str = "hetero", **metadata: Any) -> dict[str, Any]:
    """An object of the chart."""
    labels = {"app.kubernetes.io/instance": release, "app.kubernetes.io/component": component}
    return {"metadata": {"name": name, "labels": labels, **metadata}}


def node(name: str, annotations: dict[str, str], amounts: dict[str, str]) -> dict[str, Any]:
    """A node with these amounts, all of which can be had."""
    metadata = {"name": name, "annotations": {"note": "mine", **annotations}}
    return {"metadata": metadata, "status": {"capacity": amounts, "allocatable": dict(amounts)}}


@pytest.fixture
def installed(server: ApiServer) -> ApiServer:
    """A release with everything that it may have, beside one of somebody else."""
    server.put(HOOKS, {"metadata": {"name": "pods.hetero.io"}})
    server.put(HOOKS, {"metadata": {"name": "others.example"}})
    server.put(DAEMONSETS, part("hetero-agent", "agent"))
    server.put(DAEMONSETS, part("hetero-agent-acme", "agent-acme"))
    server.put(DAEMONSETS, part("other", "agent", "other"))
    server.put(DEPLOYMENTS, part("hetero-scheduler", "scheduler"))
    server.put(CRONJOBS, part("hetero-certificate", "certificate"))
    server.put(JOBS, part("hetero-certificate-hook", "certificate-hook"))
    server.put(JOBS, part("hetero-uninstall", "uninstall"))
    for name in ("cert", "mine"):
        server.put(SECRETS, {"metadata": {"name": name}})
    server.put(LEASES, {"metadata": {"name": "leader"}})
    amounts = {"cpu": "8", "acme.com/npu": "10", "acme.com/npu-memory": "1000", "acme.com/npu-cores": "100"}
    notes = {"hetero.io/inventory": "{}", "hetero.io/inventory-acme": "{}"}
    server.put(paths.NODES, node("ours", notes, amounts))
    server.put(paths.NODES, node("theirs", {}, amounts))
    return server


@pytest.fixture
def said() -> list[str]:
    """What was told."""
    return []


def uninstall(api: Api, said: list[str], **options: Any) -> Uninstall:
    """One who never waits for real."""
    return Uninstall(api, RELEASE, TOTALS, say=said.append, **{"pause": lambda: None, **options})


def names(server: ApiServer, place: str) -> list[str]:
    """What is left in a collection."""
    return [one["metadata"]["name"] for one in server.objects(place)]


def found(server: ApiServer, name: str) -> dict[str, Any]:
    """A node."""
    [one] = [one for one in server.objects(paths.NODES) if one["metadata"]["name"] == name]
    return one


def test_nothing_of_the_release_is_left(api: Api, installed: ApiServer, said: list[str]) -> None:
    """All that it made is gone; the job that runs this is Helm's, and what others made is theirs."""
    uninstall(api, said).run()
    assert names(installed, HOOKS) == ["others.example"]
    assert names(installed, DAEMONSETS) == ["other"]
    assert names(installed, DEPLOYMENTS) == names(installed, CRONJOBS) == names(installed, LEASES) == []
    assert names(installed, JOBS) == ["hetero-uninstall"]
    assert names(installed, SECRETS) == ["mine"]
    assert "daemonsets hetero-agent-acme: removed" in said


def test_nodes_are_as_before(api: Api, installed: ApiServer, said: list[str]) -> None:
    """Annotations of every agent and the totals are gone; what people wrote and what the kubelet counts stays."""
    uninstall(api, said).run()
    ours = found(installed, "ours")
    assert ours["metadata"]["annotations"] == {"note": "mine"}
    assert ours["status"]["capacity"] == ours["status"]["allocatable"] == {"cpu": "8", "acme.com/npu": "10"}
    assert said.count(
        "node ours: without acme.com/npu-cores, acme.com/npu-memory, hetero.io/inventory, hetero.io/inventory-acme"
    ) == 1  # fmt: skip


def test_totals_of_somebody_else_stay(api: Api, installed: ApiServer, said: list[str]) -> None:
    """A node that no agent wrote to has them from another plugin."""
    before = found(installed, "theirs")
    uninstall(api, said).run()
    assert found(installed, "theirs") == before


def test_the_order(api: Api, installed: ApiServer, said: list[str]) -> None:
    """The webhook before those who answer it, agents before their annotations, the totals before the mark of a node."""
    uninstall(api, said).run()
    written = [call.path for call in installed.calls() if call.method in ("DELETE", "PATCH")]
    expected = [
        f"{HOOKS}/pods.hetero.io",
        f"{CRONJOBS}/hetero-certificate",
        f"{DAEMONSETS}/hetero-agent",
        f"{DEPLOYMENTS}/hetero-scheduler",
        f"{paths.NODES}/ours/status",
        f"{paths.NODES}/ours",
        f"{SECRETS}/cert",
        f"{LEASES}/leader",
    ]
    assert [path for path in written if path in expected] == expected


def test_pods_of_agents_are_waited_for(api: Api, installed: ApiServer, said: list[str]) -> None:
    """They are deleted in the foreground, and no node is touched while one of them is there."""
    installed.put(DAEMONSETS, part("hetero-agent", "agent", finalizers=["foregroundDeletion"]))
    pauses: list[list[str]] = []

    def pause() -> None:
        pauses.append(sorted(found(installed, "ours")["metadata"]["annotations"]))
        if len(pauses) == 3:
            installed.remove(f"{DAEMONSETS}/hetero-agent")

    uninstall(api, said, pause=pause).run()
    assert pauses == [["hetero.io/inventory", "hetero.io/inventory-acme", "note"]] * 3
    deleted = installed.calls("DELETE", f"{DAEMONSETS}/hetero-agent")[0]
    assert b'"propagationPolicy":"Foreground"' in deleted.body
    assert found(installed, "ours")["metadata"]["annotations"] == {"note": "mine"}


def test_a_node_that_is_away_holds_up_nobody_for_ever(api: Api, installed: ApiServer, said: list[str]) -> None:
    """After some time the rest is removed, and what is left is told."""
    installed.put(DAEMONSETS, part("hetero-agent", "agent", finalizers=["foregroundDeletion"]))
    times = iter(range(0, 10_000, 50))
    uninstall(api, said, patience=120.0, clock=lambda: float(next(times))).run()
    assert "daemonsets hetero-agent: pods are left after 120 s, perhaps on a node that is away" in said
    assert found(installed, "ours")["metadata"]["annotations"] == {"note": "mine"}


def test_it_can_be_run_again(api: Api, installed: ApiServer, said: list[str]) -> None:
    """The second time finds nothing, writes nothing, and is no failure."""
    uninstall(api, said).run()
    begun, told = len(installed.calls()), len(said)
    uninstall(api, said).run()
    assert said[told:] == []
    assert [call for call in installed.calls()[begun:] if call.method == "PATCH"] == []


@pytest.mark.parametrize("path", ["mutatingwebhook", "daemonsets", "nodes/ours/status", "nodes/ours", "secrets"])
def test_one_that_breaks_off_is_finished_by_the_next(
    api: Api, installed: ApiServer, said: list[str], path: str
) -> None:
    """Wherever the API server failed."""
    installed.fail(500, path_contains=path)
    with pytest.raises(ApiError):
        uninstall(api, said).run()
    uninstall(api, said).run()
    test_left = [names(installed, place) for place in (DEPLOYMENTS, CRONJOBS, LEASES)]
    assert test_left == [[], [], []]
    assert found(installed, "ours")["status"]["capacity"] == {"cpu": "8", "acme.com/npu": "10"}


def test_a_node_that_goes_meanwhile_is_no_failure(api: Api, installed: ApiServer, said: list[str]) -> None:
    """Clusters shrink while one looks."""
    installed.fail(404, method="PATCH", path_contains="nodes/ours", times=2)
    uninstall(api, said).run()
    assert names(installed, LEASES) == []


def test_cert_managers_certificate_goes_before_its_secret(server: ApiServer, api: Api, said: list[str]) -> None:
    """It would make the Secret again; a cluster that does not know the kind has none."""
    server.put(SECRETS, {"metadata": {"name": "cert"}})
    release = Release(namespace=SPACE, name="hetero", webhook="w", secret="cert", certificate="cert")
    Uninstall(api, release, TOTALS, say=said.append, pause=lambda: None).run()
    asked = [call.path for call in server.calls("DELETE")]
    certificate = paths.grouped("cert-manager.io/v1", "certificates", "cert", namespace=SPACE)
    assert asked.index(certificate) < asked.index(f"{SECRETS}/cert")
    assert names(server, SECRETS) == []
