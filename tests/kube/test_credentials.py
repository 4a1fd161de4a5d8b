"""Logging in: tokens that change, programs that give them, and certificates."""

from __future__ import annotations

import datetime
import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tls
import yaml
from kubernetes.config import incluster_config

from hetero.errors import ApiError
from hetero.kube import configuration, paths
from hetero.kube.client import Api
from hetero.kube.informer import Informer
from hetero.kube.objects import Pod
from hetero.testing.apiserver import ApiServer

PLUGIN = """#!{python}
import json, pathlib
token = pathlib.Path("{token}").read_text()
with open("{runs}", "a") as runs:
    runs.write("x")
status = {{"token": token, "expirationTimestamp": "{expires}"}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Two certificates for 127.0.0.1, each its own authority, with their keys."""
    folder = tmp_path_factory.mktemp("certificates")
    return {name: tls.make(folder, name) for name in ("right", "wrong")}


@pytest.fixture
def secure(certificates: Any) -> Iterator[ApiServer]:
    """A server that speaks TLS and wants a token."""
    with ApiServer(certificate=certificates["right"], token="secret") as running:
        yield running


class Later(datetime.datetime):
    """A clock that is five minutes fast."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        """Five minutes from now."""
        return super().now(tz) + datetime.timedelta(minutes=5)


@pytest.fixture
def account(tmp_path: Path, secure: ApiServer, certificates: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The token file of a pod's service account; the environment is that of a pod."""
    token = tmp_path / "token"
    token.write_text("secret")
    host, port = secure.url.removeprefix("https://").split(":")
    for name, value in (("HOST", host), ("PORT", port)):
        monkeypatch.setenv(f"KUBERNETES_SERVICE_{name}", value)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(certificates["right"][0]))
    return token


def test_a_pod_logs_in_with_its_service_account(account: Path) -> None:
    """Address, authority and token are those of the pod."""
    api = Api.connect()
    assert b"gitVersion" in api.get("/version")
    api.close()


def test_a_token_that_rotates_is_read_again(account: Path, secure: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubelet replaces the file; the client notices within a minute, without a restart."""
    api = Api.connect()
    assert api.get("/version")
    secure.token = "rotated"
    account.write_text("rotated")
    with pytest.raises(ApiError) as caught:
        api.get("/version")
    assert caught.value.status == 401
    monkeypatch.setattr(incluster_config.datetime, "datetime", Later)
    assert api.get("/version")
    api.close()


def test_a_token_that_is_gone_is_no_answer(account: Path, secure: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without credentials is not sent, and told like any other that could not be; later it works again."""
    api = Api.connect()
    account.unlink()
    with monkeypatch.context() as clock:
        clock.setattr(incluster_config.datetime, "datetime", Later)
        with pytest.raises(ApiError, match=r"the credentials cannot be renewed: .*No such file") as caught:
            api.get("/version")
    assert (caught.value.status, caught.value.unsure, secure.calls()) == (0, False, [])
    account.write_text("secret")
    assert api.get("/version")
    api.close()


def test_a_service_account_without_a_token_is_named(account: Path) -> None:
    """In a sentence."""
    account.unlink()
    with pytest.raises(configuration.InvalidConfiguration, match=r"token file does not exist\); name a kubeconfig"):
        Api.connect()


@pytest.fixture
def plugin(tmp_path: Path, secure: ApiServer) -> Iterator[Any]:
    """``plugin(expires)``: a client that asks a program for its token; and the files of the token and of its runs."""
    clients: list[Api] = []
    token, runs = tmp_path / "token", tmp_path / "runs"
    token.write_text("secret")

    def make(expires: str) -> tuple[Api, Path, Path]:
        program = tmp_path / "program"
        program.write_text(PLUGIN.format(python=sys.executable, token=token, runs=runs, expires=expires))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        config = yaml.safe_load(secure.kubeconfig(tmp_path / "config").read_text())
        version = "client.authentication.k8s.io/v1"
        config["users"][0]["user"] = {
            "exec": {"apiVersion": version, "command": str(program), "interactiveMode": "Never"}
        }
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        clients.append(Api.connect(str(tmp_path / "config")))
        return clients[-1], token, runs

    yield make
    for one in clients:
        one.close()


def test_a_program_gives_the_token(plugin: Any) -> None:
    """As cloud providers' kubeconfigs have it; it is not run again while its token is good."""
    api, _, runs = plugin("2999-01-01T00:00:00Z")
    assert api.get("/version") == api.get("/version")
    assert runs.read_text() == "x"


def test_a_token_that_has_expired_is_asked_for_again(plugin: Any, secure: ApiServer) -> None:
    """Before the request that needs it."""
    api, token, _ = plugin("2001-01-01T00:00:00Z")
    assert api.get("/version")
    secure.token = "another"
    token.write_text("another")
    assert api.get("/version")


def test_another_authority_is_not_trusted(secure: ApiServer, certificates: Any, tmp_path: Path) -> None:
    """Nothing is sent to a server that cannot prove who it is, so nothing was carried out."""
    config = yaml.safe_load(secure.kubeconfig(tmp_path / "config").read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(certificates["wrong"][0])
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    api = Api.connect(str(tmp_path / "config"))
    with pytest.raises(ApiError, match="certificate verify failed") as caught:
        api.post(paths.NODES, b"{}")
    assert (caught.value.status, caught.value.reason, caught.value.unsure) == (0, "Unreachable", False)
    assert secure.calls() == []
    api.close()


def test_following_works_and_stops_over_tls(secure: ApiServer, recorder: Any) -> None:
    """A watch that waits is ended by another thread, in the middle of an encrypted connection, at once."""
    api = secure.api()
    informer = Informer(api, paths.PODS, Pod, recorder)
    informer.start()
    assert informer.synced.wait(120)
    item = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}
    api.post(paths.pods("default"), json.dumps(item).encode())
    assert recorder.wait(lambda: recorder.verbs() == ["replace", "put"])
    informer.stop()
    assert not informer._thread.is_alive()
    api.close()


def test_a_restart_over_tls_loses_nothing(secure: ApiServer, recorder: Any) -> None:
    """Connections that the server has closed are noticed there as well."""
    api = secure.api()
    informer = Informer(api, paths.PODS, Pod, recorder)
    informer.start()
    assert informer.synced.wait(120)
    secure.stop()
    secure.put(paths.PODS, {"metadata": {"name": "p"}, "spec": {}})
    secure.start()
    assert recorder.wait(lambda: ("default", "p") in recorder.store)
    informer.stop()
    api.close()
