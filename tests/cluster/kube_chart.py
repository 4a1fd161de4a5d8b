"""The chart on a real API server: taken by it strictly, enough rights and no more, upgraded, and gone without a trace.

There is no kubelet here, so nothing that the chart installs runs in a pod, and helm is told to leave out its hooks; the
same programs are started as processes instead, each as the account that the chart gives it.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.model.annotations import INVENTORY
from tests.chart.helm import CHART, CI, all_of
from tests.cluster import users
from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import limits, machine, pod
from tests.cluster.playing import HOOKS
from tests.cluster.processes import Program, until
from tests.cluster.stage import Scheduler, Stage

VALUES = CHART / "ci/simulated-values.yaml"
NAMESPACE = "kube-system"
SELECTOR = "app.kubernetes.io/instance=hetero"
FOREIGN = ("cert-manager.io/", "monitoring.coreos.com/")
"""Groups that this API server has not."""


class Person:
    """Somebody with helm and kubectl, and the rights of an administrator.

    Args:
        plane: The control plane.
        directory: For what they write.
    """

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        self._programs = Path(os.environ["HETERO_KUBE_BIN"])
        self._plane = plane
        self._directory = directory
        config = {"KUBECONFIG": str(plane.kubeconfig(users.ADMIN)), "HOME": str(directory)}
        self._environment = {**os.environ, **config}

    def run(self, program: str, *arguments: str | Path, given: str = "") -> str:
        """What a program prints; it must succeed."""
        done = self.tried(program, *arguments, given=given)
        assert done.returncode == 0, f"{program} {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def tried(self, program: str, *arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run it, however it ends."""
        command = [self._programs / program, *map(str, arguments)]
        return subprocess.run(
            command, input=given, env=self._environment, capture_output=True, text=True, check=False, timeout=120
        )

    def helm(self, verb: str, *arguments: str | Path) -> str:
        """A verb of helm on the release, without its hooks."""
        return self.run("helm", verb, "hetero", *arguments, "-n", NAMESPACE, "--no-hooks")

    def account(self, name: str, *options: str) -> Path:
        """A kubeconfig of a service account of the chart, with a token that it would have in its pod."""
        token = self.run("kubectl", "-n", NAMESPACE, "create", "token", name, *options).strip()
        path = self._directory / f"{name}.kubeconfig"
        path.write_text(self._plane.kubeconfig(users.ADMIN).read_text())
        document = json.loads(path.read_text())
        document["users"][0]["user"] = {"token": token}
        path.write_text(json.dumps(document))
        return path

    def traces(self) -> list[str]:
        """Every object of every kind that has the release's label, or its name."""
        kinds = self.run("kubectl", "api-resources", "--verbs=list", "-o", "name").split()
        wanted = ",".join(kind for kind in kinds if not kind.startswith("events"))
        labelled = self.run("kubectl", "get", wanted, "-A", "-l", SELECTOR, "-o", "name").split()
        named = self.run("kubectl", "get", "secrets,leases,configmaps", "-n", NAMESPACE, "-o", "name").split()
        return [*labelled, *(name for name in named if "hetero" in name)]


def hetero(kubeconfig: Path, *arguments: str) -> str:
    """What a command of ours prints, as an account."""
    start = "from hetero.cli.main import main; main()"
    command = [sys.executable, "-c", start, *arguments, "--kubeconfig", str(kubeconfig)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def person(plane: ControlPlane, tmp_path: Path) -> Person:
    """Who installs."""
    return Person(plane, tmp_path)


@pytest.fixture
def release(stage: Stage, person: Person) -> Iterator[Person]:
    """The chart is installed, with every vendor of ours; whatever a test leaves is removed."""
    person.helm("install", CHART, "-f", VALUES)
    try:
        yield person
    finally:
        person.tried("helm", "uninstall", "hetero", "-n", NAMESPACE, "--no-hooks", "--ignore-not-found")
        person.tried("kubectl", "delete", "secret,lease", "-n", NAMESPACE, "hetero-webhook", "hetero-scheduler")


def arguments(person: Person, kind: str, name: str) -> list[str]:
    """The command line that the chart gives a job."""
    hooks = person.run("helm", "get", "hooks", "hetero", "-n", NAMESPACE)
    objects = [one for one in yaml.safe_load_all(hooks) if one]
    [job] = [one for one in all_of(objects, kind) if one["metadata"]["name"] == name]
    words: list[str] = job["spec"]["template"]["spec"]["containers"][0]["args"]
    return words


def hooks_accounts(person: Person) -> None:
    """Make the accounts of the hooks, as helm does before it runs their jobs."""
    hooks = [one for one in yaml.safe_load_all(person.run("helm", "get", "hooks", "hetero", "-n", NAMESPACE)) if one]
    accounts = [one for one in hooks if one["kind"] != "Job"]
    person.run("kubectl", "apply", "-f", "-", given=yaml.safe_dump_all(accounts))


@pytest.mark.parametrize("values", CI, ids=lambda path: path.name.removesuffix("-values.yaml"))
def test_the_newest_kubernetes_takes_every_object(person: Person, values: Path) -> None:
    """Field by field and value by value, hooks too, as if they were created; nothing is."""
    rendered = person.run(
        "helm", "template", "hetero", CHART, "-n", NAMESPACE, "-f", values, "--kube-version", "1.36.0"
    )
    objects = [one for one in yaml.safe_load_all(rendered) if one]
    own = [one for one in objects if not one["apiVersion"].startswith(FOREIGN)]
    told = person.run(
        "kubectl", "create", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-",
        given=yaml.safe_dump_all(own),
    )  # fmt: skip
    assert len(told.split()) == len(own)


def test_kube_schedulers_image_is_the_clusters_own(stage: Stage, person: Person) -> None:
    """That of its pod in kube-system; where there is none, it is asked for."""
    options = ("--set", "vendors.nvidia.enabled=true", "--dry-run=server", "-n", NAMESPACE)
    told = person.tried("helm", "install", "hetero", CHART, *options).stderr
    assert "kubeScheduler.image: is needed, for kube-system shows no pod of a kube-scheduler" in told
    own = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kube-scheduler-node", "namespace": NAMESPACE, "labels": {"component": "kube-scheduler"}},
        "spec": {"containers": [{"name": "kube-scheduler", "image": "mirror/kube-scheduler:v1.2.3"}]},
    }
    person.run("kubectl", "create", "-f", "-", given=yaml.safe_dump(own))
    told = person.run("helm", "install", "hetero", CHART, *options)
    assert 'image: "mirror/kube-scheduler:v1.2.3"' in told
    assert "kubectl label node NODE gpu=on" in told


def test_the_certificates_rights_are_enough(release: Person, stage: Stage) -> None:
    """As the daily job's account: made, trusted, kept; no other Secret and no other webhook can be read."""
    account = release.account("hetero-certificate")
    words = arguments_of_certificate(release)
    assert "a new certificate" in hetero(account, *words)
    assert "kept, valid until" in hetero(account, *words)
    api = Api.connect(str(account))
    for path in (paths.grouped("v1", "secrets", "other", namespace=NAMESPACE), f"{HOOKS}/other"):
        with pytest.raises(ApiError, match="403"):
            api.get(path)
    secret = json.loads(stage.api.get(paths.grouped("v1", "secrets", "hetero-webhook", namespace=NAMESPACE)))
    [hook] = json.loads(stage.api.get(f"{HOOKS}/pods.hetero.io"))["webhooks"]
    assert hook["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]
    assert secret["type"] == "kubernetes.io/tls"


def test_the_schedulers_rights_are_enough(release: Person, stage: Stage, tmp_path: Path) -> None:
    """Extender, webhook and kube-scheduler, as the chart's account and configured by it, bind a pod with devices."""
    hetero(release.account("hetero-certificate"), *arguments_of_certificate(release))
    place = paths.grouped("v1", "secrets", "hetero-webhook", namespace=NAMESPACE)
    for key, value in json.loads(stage.api.get(place))["data"].items():
        (tmp_path / key).write_bytes(base64.b64decode(value))
    account = release.account("hetero-scheduler")
    options = ["--tls-cert", str(tmp_path / "tls.crt"), "--tls-key", str(tmp_path / "tls.key")]
    extender = Scheduler("hetero", account, (9444, 9443), tmp_path, options)
    stage.schedulers.append(extender.start())
    configured = json.loads(release.run("kubectl", "get", "cm", "hetero-scheduler", "-n", NAMESPACE, "-o", "json"))
    document = yaml.safe_load(configured["data"]["kube-scheduler.yaml"])
    (tmp_path / "kube-scheduler.yaml").write_text(
        json.dumps({**document, "clientConnection": {"kubeconfig": str(account)}})
    )
    programs = Path(os.environ["HETERO_KUBE_BIN"])
    scheduler = Program(
        "charted",
        [str(programs / "kube-scheduler"), f"--config={tmp_path / 'kube-scheduler.yaml'}", "--secure-port=10270",
         f"--authentication-kubeconfig={account}", f"--authorization-kubeconfig={account}"],
        tmp_path,
    )  # fmt: skip
    scheduler.start()
    try:
        stage.add(machine("node", 2))
        # Its webhook is called by a Service, which leads nowhere here: the profile's name is what it would write.
        release.run("kubectl", "delete", "mutatingwebhookconfiguration", "pods.hetero.io")
        stage.submit(pod("asks", limits(memory=1024)))
        stage.until_bound(["asks"], seconds=90)
        lease = json.loads(release.run("kubectl", "get", "lease", "hetero-scheduler", "-n", NAMESPACE, "-o", "json"))
        assert lease["spec"]["holderIdentity"]
        assert "forbidden" not in scheduler.tail(1000)
        stage.check(extender)
    finally:
        scheduler.stop()


def test_while_nobody_answers_only_pods_with_devices_are_refused(release: Person, stage: Stage) -> None:
    """The registration of the chart, with its Service that leads nowhere."""
    until(lambda: _refused(stage), "the webhook is asked", seconds=30, every=0.3)
    stage.submit(pod("plain", {"cpu": "1"}, scheduler=None))


def test_an_agent_writes_its_own_node_alone(release: Person, stage: Stage) -> None:
    """With the token that its pod has: that node and its pods, and no other node, nor another's pods.

    Annotations and totals, that is: whoever could choose labels and taints could have others' pods come to the node.
    """
    stage.add(machine("mine", 1), machine("other", 1))
    for node in ("mine", "other"):
        document = pod(f"agent-{node}", {"cpu": "1"}, scheduler=None, nodeName=node, serviceAccountName="hetero-agent")
        document["metadata"]["namespace"] = NAMESPACE
        stage.submit(document)
    bound = ("--bound-object-kind", "Pod", "--bound-object-name", "agent-mine")
    api = Api.connect(str(release.account("hetero-agent", *bound)))

    def write(path: str, body: bytes = b'{"metadata":{"annotations":{"hetero.io/note":"x"}}}') -> int:
        try:
            api.patch(f"{path}?dryRun=All", body)
        except ApiError as error:
            return error.status
        return 200

    until(lambda: write(paths.node("other")) == 403, "the policy is in force", seconds=60, every=0.3)
    assert write(paths.node("mine")) == 200
    assert write(f"{paths.node('mine')}/status") == 200
    assert write(f"{paths.node('other')}/status") == 403
    assert write(paths.pod(NAMESPACE, "agent-mine")) == 200
    assert write(paths.pod(NAMESPACE, "agent-other")) == 403
    assert write(f"{paths.node('mine')}/status", b'{"status":{"capacity":{"fake.example/npumem":"1"}}}') == 200
    for body in (b'{"metadata":{"labels":{"pool":"secret"}}}', b'{"spec":{"unschedulable":true}}'):
        assert write(paths.node("mine"), body) == 403
    assert write(paths.pod(NAMESPACE, "agent-mine"), b'{"metadata":{"labels":{"app":"bank"}}}') == 403
    unbound = Api.connect(str(release.account("hetero-agent")))
    with pytest.raises(ApiError, match="an agent writes the node that it runs on"):
        unbound.patch(f"{paths.node('mine')}?dryRun=All", b'{"metadata":{"annotations":{"hetero.io/note":"x"}}}')


def test_an_upgrade_keeps_whom_the_api_server_trusts(release: Person, stage: Stage) -> None:
    """Another vendor, other settings: the webhook asks for more, and still trusts the certificate that is served."""
    hetero(release.account("hetero-certificate"), *arguments_of_certificate(release))
    before = json.loads(stage.api.get(f"{HOOKS}/pods.hetero.io"))["webhooks"][0]
    release.helm(
        "upgrade", CHART, "-f", CHART / "ci/third-party-values.yaml", "--set", "config.placement.node_policy=spread"
    )
    after = json.loads(stage.api.get(f"{HOOKS}/pods.hetero.io"))["webhooks"][0]
    assert after["clientConfig"]["caBundle"] == before["clientConfig"]["caBundle"]
    assert "acme.com/" in after["matchConditions"][0]["expression"]
    daemonsets = release.run("kubectl", "get", "ds", "-n", NAMESPACE, "-l", SELECTOR, "-o", "name").split()
    assert daemonsets == ["daemonset.apps/hetero-agent", "daemonset.apps/hetero-agent-acme"]


def test_nothing_is_left(release: Person, stage: Stage) -> None:
    """As the hook's account: nodes as before, no certificate, no lock; after helm no object of the release at all."""
    hetero(release.account("hetero-certificate"), *arguments_of_certificate(release))
    stage.add(machine("node", 2))
    stage.annotate("node", **{f"{INVENTORY}-acme": "{}", "note": "mine"})
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "hetero-scheduler"}}
    release.run("kubectl", "create", "-n", NAMESPACE, "-f", "-", given=yaml.safe_dump(lease))
    hooks_accounts(release)
    words = arguments(release, "Job", "hetero-uninstall")
    told = hetero(release.account("hetero-uninstall"), *words)
    assert "daemonsets hetero-agent: removed" in told
    assert f"node node: without {INVENTORY}, {INVENTORY}-acme" in told
    node = json.loads(stage.api.get(paths.node("node")))
    assert {key: value for key, value in node["metadata"]["annotations"].items() if "hetero" in key} == {}
    assert node["metadata"]["annotations"]["note"] == "mine"
    amounts = {*node["status"]["capacity"], *node["status"]["allocatable"]}
    assert {name for name in amounts if "/" in name} == {"nvidia.com/gpu"}
    assert hetero(release.account("hetero-uninstall"), *words).splitlines() == [told.splitlines()[-1]]
    release.helm("uninstall")
    hooks = ("serviceaccount", "role", "rolebinding", "clusterrole", "clusterrolebinding")
    release.run("kubectl", "delete", ",".join(hooks), "-n", NAMESPACE, "-l", SELECTOR)  # helm's own, for its hooks
    until(lambda: release.traces() == [], "nothing is left", seconds=60, every=1)


def arguments_of_certificate(person: Person) -> list[str]:
    """The command line of the job that makes the certificate."""
    return arguments(person, "Job", "hetero-certificate-hook")


def _refused(stage: Stage) -> bool:
    body: Any = json.dumps(pod("asks", scheduler=None)).encode()
    try:
        stage.api.post(f"{paths.pods('default')}?dryRun=All", body)
    except ApiError as error:
        return "failed calling webhook" in error.message
    return False
