"""The two stages: a real Kubernetes, and one in this process for `make test`."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

from hetero.admission import registration
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer
from hetero.testing.kubescheduler import Extender, KubeScheduler
from hetero.testing.places import Port
from tests.cluster import manifests, users
from tests.cluster.certificates import Authority
from tests.cluster.controlplane import ControlPlane
from tests.cluster.processes import Program, until
from tests.cluster.proxy import Proxy
from tests.cluster.stage import Scheduler, Stage

HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
LEASE = "hetero-test"
"""The lock of kube-schedulers that take turns."""

KEPT = ("default", "kube-system", "kube-public", "kube-node-lease")


class RealStage(Stage):
    """On a control plane that is shared by all scenarios; what one put there is gone for the next.

    Args:
        plane: It is up.
        directory: For this scenario's logs.
    """

    real = True

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        super().__init__(directory)
        self._plane = plane
        self._own: list[Program] = []
        self.api = Api.connect(str(plane.kubeconfig(users.ADMIN)), timeout=30.0)
        self.proxy = Proxy(plane.server, plane.authority.pair.certificate)
        self.authority = plane.authority

    def scheduler(self, name: str = "hetero", *, faulty: bool = False, options: Iterable[str] = ()) -> Scheduler:
        """As the account that has the rights of the documentation, and no others."""
        kubeconfig = self._plane.kubeconfig(users.EXTENDER, self.proxy.url if faulty else "")
        # In a network of its own every port is free.
        port = 9444 + 10 * len(self.schedulers)
        made = Scheduler(name, kubeconfig, (port, port - 1), self.directory, options)
        self.schedulers.append(made)
        return made.start()

    def kube_scheduler(self, extender: Scheduler, name: str = "kube-scheduler", *, lease: str = "") -> Program:
        """The real one."""
        configuration = manifests.scheduler_configuration(extender.url, lease=lease)
        made = self._plane.scheduler(configuration, name=name, port=10259 + len(self._own))
        self._own.append(made)
        return made

    def register_webhook(self, scheduler: Scheduler) -> None:
        """As the documentation has it, by URL instead of by service; in force on return."""
        bundle = base64.b64encode(self.authority.pair.certificate.read_bytes()).decode()
        client = {"url": f"https://127.0.0.1:{scheduler.public}{registration.PATH}", "caBundle": bundle}
        self.api.post(HOOKS, msgspec.json.encode(registration.webhook(manifests.VENDORS, client)))
        until(self._reviewed, "the webhook is asked", seconds=60, every=0.2)

    def _reviewed(self) -> bool:
        body = msgspec.json.encode(manifests.pod("nobody", scheduler=None))
        made = msgspec.json.decode(self.api.post(f"{paths.pods('default')}?dryRun=All", body))
        return bool(made["spec"]["schedulerName"] == manifests.SCHEDULER)

    def tails(self) -> str:
        """Of this scenario's programs, and of the control plane's."""
        own = [one.program.tail() for one in self.schedulers] + [one.tail() for one in self._own]
        plane = [one.tail(10) for name, one in self._plane.programs.items() if one not in self._own]
        return "\n".join([*own, *plane])

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            for program in self._own:
                program.stop(5)
            super().__exit__(*error)
        finally:
            self.proxy.__exit__()
            self._clean()
            self.api.close()

    def _clean(self) -> None:
        at_once = b'{"gracePeriodSeconds":0}'
        self._delete(f"{HOOKS}/{registration.NAME}")
        self._delete(f"{LEASES}/{LEASE}")
        names = [one["metadata"]["name"] for one in self._all_of(paths.NAMESPACES)]
        for name in names:
            for path in (paths.pods(name), paths.quotas(name), paths.events(name)):
                self.api.delete(path, at_once)
            if name not in KEPT:
                self._delete(f"{paths.NAMESPACES}/{name}")
        self.api.delete(paths.NODES, at_once)
        until(self._empty, "the cluster is empty again", seconds=120, every=0.2)

    def _empty(self) -> bool:
        return not (self._all_of(paths.PODS) or self._all_of(paths.NODES))

    def _all_of(self, path: str) -> list[Any]:
        found: list[Any] = msgspec.json.decode(self.api.get(path))["items"]
        return found

    def _delete(self, path: str) -> None:
        try:
            self.api.delete(path)
        except ApiError as error:
            if error.status != 404:
                raise


class MemoryStage(Stage):
    """An API server and a kube-scheduler in this process; the scheduler under test is a process all the same.

    Args:
        directory: For logs, certificates and the like.
    """

    real = False

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.authority = Authority(directory / "certificates")
        self.server = ApiServer()
        self._ports: list[Port] = []
        self._loops: list[_Loop] = []
        self._leaders: dict[str, _Loop] = {}

    def scheduler(self, name: str = "hetero", *, faulty: bool = False, options: Iterable[str] = ()) -> Scheduler:
        """As anybody: this API server knows no rights."""
        url = self.proxy.url if faulty else self.server.url
        kubeconfig = users.kubeconfig(self.directory / f"{name}.kubeconfig", url, users.EXTENDER)
        extender, public = Port(), Port()
        self._ports += extender, public  # kept for it
        made = Scheduler(name, kubeconfig, (extender.number, public.number), self.directory, options)
        self.schedulers.append(made)
        return made.start()

    def kube_scheduler(self, extender: Scheduler, name: str = "kube-scheduler", *, lease: str = "") -> _Loop:
        """The small one; of several with one lease the next one begins when the one before has stopped."""
        visible, ignored = manifests.managed()
        loop = _Loop(KubeScheduler(self.server.api(), Extender(extender.url, [*visible, *ignored], ignored)))
        leader = self._leaders.setdefault(lease, loop) if lease else loop
        if leader is loop or not leader.running:
            loop.start()
        else:
            leader.successors.append(loop)
        self._loops.append(loop)
        return loop

    def register_webhook(self, scheduler: Scheduler) -> None:
        """The API server calls it for every pod that is created."""
        context = ssl.create_default_context(cafile=str(self.authority.pair.certificate))
        self.server.webhook(f"https://127.0.0.1:{scheduler.public}/webhook", context=context)

    def tails(self) -> str:
        """Of the scheduler under test; the rest is in this process."""
        told = [f"kube-scheduler: {dict(loop.outcomes)}" for loop in self._loops]
        return "\n".join([*(one.program.tail(60) for one in self.schedulers), *told])

    def __enter__(self) -> Self:
        self.server.start()
        self.proxy = Proxy(self.server.url).__enter__()
        self.api = self.server.api()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            for loop in self._loops:
                loop.stop()
            super().__exit__(*error)
        finally:
            self.proxy.__exit__()
            self.server.stop()
            self.api.close()


class _Loop:
    """A kube-scheduler that runs until it is stopped, as a program does."""

    def __init__(self, scheduler: KubeScheduler) -> None:
        self._scheduler = scheduler
        self.outcomes = scheduler.outcomes
        self.running = False
        self.successors: list[_Loop] = []

    def start(self) -> None:
        """Begin."""
        self.running = True
        self._scheduler.__enter__()

    def stop(self) -> None:
        """End it, once; who waited for that begins."""
        if self.running:
            self.running = False
            self._scheduler.__exit__()
            for one in self.successors:
                one.start()

    kill = stop
