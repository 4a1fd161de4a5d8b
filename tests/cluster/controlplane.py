"""etcd, kube-apiserver, kube-controller-manager and any number of kube-schedulers as processes of one namespace."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import users
from tests.cluster.certificates import Authority
from tests.cluster.namespace import ADDRESS
from tests.cluster.node.network import SERVICE, SERVICES
from tests.cluster.processes import Program, until

SECONDS_TO_START = 90.0
"""A quiet machine takes 5; two busy cores take longer."""


@dataclass(frozen=True)
class Ports:
    """Where the programs listen; two control planes of one network have others.

    Attributes:
        api: Of the API server.
        etcd: The first of etcd's two.
        controllers: Of the controller manager's health.
    """

    api: int = 6443
    etcd: int = 2379
    controllers: int = 10257


class ControlPlane:
    """A Kubernetes. :meth:`up` within a network namespace, see :mod:`tests.cluster.namespace`.

    Args:
        binaries: Where the programs are.
        directory: For its state, its logs and the files that clients need.
        nodes: Names of the nodes whose kubelets may come. With any of them the control plane is as a real cluster has
            it: pods have service accounts, nodes the rights of nodes and no others, and one without a heartbeat loses
            its pods. Without, nodes are what tests write to the API, and stay as they are.
        ports: Where it listens.
    """

    def __init__(
        self, binaries: Path, directory: Path, *, nodes: Collection[str] = (), ports: Ports | None = None
    ) -> None:
        self._binaries = binaries
        self._nodes = tuple(nodes)
        self._ports = ports or Ports()
        self.server = f"https://127.0.0.1:{self._ports.api}"
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
        if not self._nodes:  # where pods can run, the scheduler under test is installed with rights of its own
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
        client, peer = (f"http://127.0.0.1:{self._ports.etcd + number}" for number in range(2))
        return [
            "etcd", f"--data-dir={self.directory / 'etcd'}", "--unsafe-no-fsync", "--logger=zap", "--log-level=warn",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        ]  # fmt: skip

    def _apiserver(self) -> Sequence[str]:
        served = self.authority.issue("apiserver", ["127.0.0.1", ADDRESS, SERVICE])
        signing = self.authority.signing_key("service-accounts")
        tokens = self.directory / "tokens.csv"
        tokens.write_text(users.tokens(self._nodes))
        return [
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self._ports.etcd}", f"--secure-port={self._ports.api}",
            "--bind-address=0.0.0.0", f"--advertise-address={ADDRESS}", "--endpoint-reconciler-type=none",
            f"--tls-cert-file={served.certificate}", f"--tls-private-key-file={served.key}",
            f"--token-auth-file={tokens}", "--anonymous-auth=false",
            f"--client-ca-file={self.authority.pair.certificate}",
            f"--service-cluster-ip-range={SERVICES}", "--service-account-issuer=https://hetero.test",
            f"--service-account-signing-key-file={signing}", f"--service-account-key-file={signing}",
            "--watch-cache=true", "--max-requests-inflight=4000", "--max-mutating-requests-inflight=2000",
            *(_FOR_KUBELETS if self._nodes else _WITHOUT_KUBELETS),
        ]  # fmt: skip

    def _controllers(self) -> Sequence[str]:
        admin = self.kubeconfig(users.CONTROLLERS)
        return [
            "kube-controller-manager", f"--kubeconfig={admin}", f"--authentication-kubeconfig={admin}",
            f"--authorization-kubeconfig={admin}", "--leader-elect=false", "--bind-address=127.0.0.1",
            f"--secure-port={self._ports.controllers}", f"--cert-dir={self.directory / 'controllers'}",
            f"--service-account-private-key-file={self.authority.pair.certificate.parent / 'service-accounts.key'}",
            f"--root-ca-file={self.authority.pair.certificate}", "--kube-api-qps=500", "--kube-api-burst=1000",
            # Nodes without a kubelet send no heartbeat, and none of their pods is to be evicted for it.
            *([] if self._nodes else ["--node-monitor-grace-period=8760h"]),
        ]  # fmt: skip


_FOR_KUBELETS = (
    "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
    # No proxy makes a service's address lead anywhere, so webhooks are called where their pods are.
    "--enable-aggregator-routing=true", "--kubelet-preferred-address-types=InternalIP", "--allow-privileged=true",
)  # fmt: skip
_WITHOUT_KUBELETS = (
    "--authorization-mode=RBAC", "--allow-privileged=true",
    # No kubelet and no image: pods need no account, and a pod need not wait until its namespace has one.
    "--disable-admission-plugins=ServiceAccount",
)  # fmt: skip


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
