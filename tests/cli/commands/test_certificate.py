"""``hetero certificate``: what a job of the chart prints, and what it is refused with."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetero.cli import group
from hetero.kube import paths
from hetero.testing.apiserver import ApiServer

OPTIONS = ["certificate", "--namespace", "kube-system", "--secret", "cert", "--service", "svc"]
HOOKS = paths.grouped("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations")


@pytest.fixture
def options(tmp_path: Path, server: ApiServer) -> list[str]:
    """The command line of the job, and how it reaches the cluster."""
    return [*OPTIONS, "--kubeconfig", str(server.kubeconfig(tmp_path / "config"))]


@pytest.fixture
def server():
    """An API server with nothing in it."""
    with ApiServer() as made:
        yield made


def test_it_says_what_it_did(options: list[str], server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    """First a certificate is made; a second run keeps it, and finds the webhook that came meanwhile."""
    assert group.run(options) == 0
    made, absent = capsys.readouterr().out.splitlines()
    assert made.startswith("Secret kube-system/cert: a new certificate, for there is none that can be read; valid")
    assert absent.startswith("pods.hetero.io: there is no such webhook configuration yet")
    server.put(HOOKS, {"metadata": {"name": "pods.hetero.io"}, "webhooks": [{"name": "x", "clientConfig": {}}]})
    assert group.run(options) == 0
    kept, trusted = capsys.readouterr().out.splitlines()
    assert kept.startswith("Secret kube-system/cert: kept, valid until ")
    assert trusted == "pods.hetero.io: the API server trusts it now"


def test_a_secret_is_labelled(options: list[str], server: ApiServer) -> None:
    """As the chart's other objects are."""
    assert group.run([*options, "--label", "app.kubernetes.io/name=hetero"]) == 0
    [found] = server.objects(paths.grouped("v1", "secrets", namespace="kube-system"))
    assert found["metadata"]["labels"] == {"app.kubernetes.io/name": "hetero"}


def test_a_label_without_a_value_is_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence that says how labels are written."""
    assert group.run([*options, "--label", "alone"]) == 2
    assert "'alone' is no label; write KEY=VALUE" in capsys.readouterr().err


def test_what_the_api_server_refuses_is_told(
    options: list[str], server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and the job fails, so that it is tried again."""
    server.fail(403, path_contains="/secrets")
    assert group.run(options) == 1
    [line] = [one for one in capsys.readouterr().err.splitlines() if one.startswith("hetero:")]
    assert "the API server answered 403" in line
