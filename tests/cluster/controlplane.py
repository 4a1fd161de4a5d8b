"""etcd, kube-apiserver, kube-controller-manager and any number of kube-schedulers as processes of one namespace."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster import users
from tests.cluster.certificates import Authority
from tests.cluster.namespace import ADDRESS
from tests.cluster.processes import Program, until

PORT = 6443
SECONDS_TO_START = 90.0
"""A quiet machine takes 5; two busy cores take longer."""


class ControlPlane:
    """A Kubernetes without nodes. :meth:`up` within a network namespace, see :mod:`tests.cluster.namespace`.

    Args:
        binaries: Where the programs are.
        directory: For its state, its logs and the files that clients need.
    """

    server = f"https://127.0.0.1:{PORT}"

    def __init__(self, binaries: Path, directory: Path) -> None:
        self._binaries = binaries
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(directory / "certificates")
        self.programs: dict[str, Program] = {}
        self._client = _Client(self.server, self.authority)

    def up(self) -> None:
        """Start all but the schedulers, and return when the API server answers."""
        self._start("etcd", *self._etcd())
        self._start("kube-apiserver", *self._apiserver())
        until(self._client.ready, "the API server is ready", seconds=SECONDS_TO_START, programs=self.programs.values())
        self._start("kube-controller-manager", *self._controllers())
        for path, document in users.role():
            self._client.post(path, document)

    def down(self) -> None:
        """Stop everything, the last first; what is stored goes with the directory."""
        for program in reversed(self.programs.values()):
            program.stop(5)

    def kubeconfig(self, user: str, server: str = "") -> Path:
        """How a user reaches the API server, or whatever stands in front of it."""
        path = self.directory / f"{user.replace(':', '-')}{'-elsewhere' if server else ''}.kubeconfig"
        return users.kubeconfig(path, server or self.server, user, None if server else self.authority.pair.certificate)

    def scheduler(self, configuration: dict[str, Any], *, name: str = "kube-scheduler", port: int = 10259) -> Program:
        """Start a kube-scheduler and return when it is healthy.

        Args:
            configuration: Of kind KubeSchedulerConfiguration, without how it reaches the API server.
            name: For its log.
            port: Of its own metrics and health, one for each scheduler.
        """
        client = {"kubeconfig": str(self.kubeconfig(users.SCHEDULER)), "qps": 1000, "burst": 2000}
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps({**configuration, "clientConnection": client}))
        client_file = str(self.kubeconfig(users.SCHEDULER))
        program = self._start(
            name, "kube-scheduler", f"--config={path}", f"--secure-port={port}", "--bind-address=127.0.0.1",
            f"--authentication-kubeconfig={client_file}", f"--authorization-kubeconfig={client_file}",
            f"--cert-dir={self.directory / name}",
        )  # fmt: skip
        until(lambda: _healthy(port), f"{name} is healthy", seconds=SECONDS_TO_START, programs=[program])
        return program

    def tails(self) -> str:
        """The ends of all logs."""
        return "\n".join(program.tail() for program in self.programs.values())

    def _start(self, name: str, binary: str, *arguments: str) -> Program:
        program = Program(name, [str(self._binaries / binary), *arguments], self.directory)
        self.programs[name] = program
        program.start()
        return program

    def _etcd(self) -> Sequence[str]:
        client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
        return [
            "etcd", f"--data-dir={self.directory / 'etcd'}", "--unsafe-no-fsync", "--logger=zap", "--log-level=warn",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        ]  # fmt: skip

    def _apiserver(self) -> Sequence[str]:
        served = self.authority.issue("apiserver", ["127.0.0.1", ADDRESS, "10.96.0.1"])
        signing = self.authority.signing_key("service-accounts")
        tokens = self.directory / "tokens.csv"
        tokens.write_text(users.tokens())
        return [
            "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", f"--secure-port={PORT}",
            "--bind-address=0.0.0.0", f"--advertise-address={ADDRESS}", "--endpoint-reconciler-type=none",
            f"--tls-cert-file={served.certificate}", f"--tls-private-key-file={served.key}",
            f"--token-auth-file={tokens}", "--authorization-mode=RBAC", "--anonymous-auth=false",
            "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://hetero.test",
            f"--service-account-signing-key-file={signing}", f"--service-account-key-file={signing}",
            # No kubelet and no image: pods need no account, and a pod need not wait until its namespace has one.
            "--disable-admission-plugins=ServiceAccount", "--watch-cache=true",
            "--max-requests-inflight=4000", "--max-mutating-requests-inflight=2000",
        ]  # fmt: skip

    def _controllers(self) -> Sequence[str]:
        admin = self.kubeconfig(users.CONTROLLERS)
        return [
            "kube-controller-manager", f"--kubeconfig={admin}", f"--authentication-kubeconfig={admin}",
            f"--authorization-kubeconfig={admin}", "--leader-elect=false", "--bind-address=127.0.0.1",
            f"--cert-dir={self.directory / 'controllers'}",
            f"--service-account-private-key-file={self.authority.pair.certificate.parent / 'service-accounts.key'}",
            f"--root-ca-file={self.authority.pair.certificate}",
            # Nodes without a kubelet send no heartbeat, and none of their pods is to be evicted for it.
            "--node-monitor-grace-period=8760h", "--kube-api-qps=500", "--kube-api-burst=1000",
        ]  # fmt: skip


class _Client:
    """The few requests that come before any client of hetero can be trusted."""

    def __init__(self, server: str, authority: Authority) -> None:
        self._server = server
        self._context = ssl.create_default_context(cafile=str(authority.pair.certificate))

    def ready(self) -> bool:
        try:
            return self._ask("/readyz").strip() == b"ok"
        except (urllib.error.URLError, OSError):
            return False

    def post(self, path: str, document: dict[str, Any]) -> None:
        self._ask(path, json.dumps(document).encode())

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {users.ADMIN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._server + path, body, headers)
        with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:
            content: bytes = answer.read()
            return content


def _healthy(port: int) -> bool:
    context = ssl._create_unverified_context()  # its own certificate, of its own making
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/healthz", timeout=5, context=context) as answer:
            return bool(answer.read() == b"ok")
    except (urllib.error.URLError, OSError):
        return False
