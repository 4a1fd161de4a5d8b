"""The objects of the chart, for every kind of values that it is used with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest
import yaml

from hetero import config, plugins
from hetero.admission import registration
from hetero.cli import group
from hetero.scheduler import server
from tests.chart.helm import CHART, CI, OLDEST, Object, all_of, containers, helm, one, pod_templates, rendered
from tests.cluster import users

CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
CERTIFICATE = ("hetero-certificate", "hetero-certificate-hook")


OURS = {path.parent.name for path in CHART.parents[1].glob("vendors/*/pyproject.toml")}
INSTALLED = [path for path in CI if not path.name.startswith("third-party")]
"""Those files whose vendors are installed here; what the others make is looked at in `kube_vendors.py`."""


@pytest.fixture(params=CI, ids=lambda path: path.name.removesuffix("-values.yaml"), scope="module")
def values(request: pytest.FixtureRequest) -> Path:
    """The files of `ci`."""
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def objects(values: Path) -> list[Object]:
    """What is made of them."""
    return rendered(values)


def enabled(values: Path) -> dict[str, Object]:
    """The vendors that they enable."""
    vendors: dict[str, Object] = yaml.safe_load(values.read_text())["vendors"]
    return {name: one for name, one in vendors.items() if one.get("enabled")}


def test_there_are_values_for_every_vendor() -> None:
    """Each of this house alone, all of them, and everything that can be switched."""
    named = {path.name.removesuffix("-values.yaml") for path in CI}
    assert named >= {
        *OURS,
        "all",
        "third-party",
        "third-party-image",
        "cert-manager",
        "ha",
        "foreign",
        "simulated",
        "dashboard",
    }


def test_lint_finds_nothing(values: Path) -> None:
    """Not even a warning."""
    done = helm("lint", "--strict", CHART, "-f", values, "--kube-version", OLDEST)
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


def test_every_object_is_labelled_and_placed(objects: list[Object]) -> None:
    """By name, release, component; in the release's namespace where its kind lives in one. No two are the same."""
    named = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects]
    assert len(set(named)) == len(named)
    for found in objects:
        labels = found["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "hetero"
        assert labels["app.kubernetes.io/instance"] == "hetero"
        assert labels["app.kubernetes.io/component"]
        assert ("namespace" in found["metadata"]) == (found["kind"] not in CLUSTER_WIDE), found["metadata"]["name"]


def test_containers_have_no_right_that_they_do_not_need(objects: list[Object]) -> None:
    """All write nothing but their mounts; all but agents are nobody, with no capability and the runtime's profile."""
    for where, template in pod_templates(objects):
        for container in containers(template):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, where
            if container["name"] == "agent":
                assert where.startswith("DaemonSet/hetero-agent")
                continue
            assert "privileged" not in context
            assert context["allowPrivilegeEscalation"] is False
            assert context["runAsNonRoot"] is True
            assert context["runAsUser"] > 0
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), where


def test_containers_say_what_they_use(objects: list[Object]) -> None:
    """Requests on each that stays, an image with a tag, and probes on what serves."""
    for where, template in pod_templates(objects):
        for container in template["spec"]["containers"]:
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), where
            assert re.search(r":[\w.-]+$", container["image"]), container["image"]
            if where.startswith(("Deployment", "DaemonSet")):
                assert {"startupProbe", "livenessProbe"} <= set(container), where


def test_host_paths_are_of_agents_alone(objects: list[Object]) -> None:
    """Nobody else sees a file of the machine."""
    for where, template in pod_templates(objects):
        paths = [volume["hostPath"]["path"] for volume in template["spec"]["volumes"] if "hostPath" in volume]
        assert bool(paths) == where.startswith("DaemonSet/hetero-agent"), where


def test_every_account_is_there(objects: list[Object]) -> None:
    """Workloads and bindings name accounts and roles that the chart makes, or Kubernetes' own."""
    accounts = {found["metadata"]["name"] for found in all_of(objects, "ServiceAccount")}
    for where, template in pod_templates(objects):
        assert template["spec"]["serviceAccountName"] in accounts, where
    roles = {(found["kind"], found["metadata"]["name"]) for found in objects}
    own = {"system:kube-scheduler", "system:volume-scheduler", "extension-apiserver-authentication-reader"}
    for found in [*all_of(objects, "RoleBinding"), *all_of(objects, "ClusterRoleBinding")]:
        reference = found["roleRef"]
        assert (reference["kind"], reference["name"]) in roles or reference["name"] in own
        assert {subject["name"] for subject in found["subjects"]} <= accounts


def test_no_role_is_wider_than_it_says(objects: list[Object]) -> None:
    """Nothing with a star; a rule for names has names, for one without any is for all; nobody reads other Secrets."""
    for found in [*all_of(objects, "Role"), *all_of(objects, "ClusterRole")]:
        for rule in found["rules"]:
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
            assert rule.get("resourceNames", ["one"])
            if "secrets" in rule["resources"]:
                assert rule["verbs"] == ["create"] or rule["resourceNames"] == ["hetero-webhook"]
                assert found["kind"] == "Role"


def test_every_verb_has_its_reason() -> None:
    """A comment stands right above each list of verbs."""
    told = 0
    for file in sorted((CHART / "templates").glob("*")):
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.strip().startswith("verbs:"):
                assert lines[number - 1].strip().startswith("# "), f"{file.name}:{number + 1}"
                told += 1
    assert told >= 20


def test_the_scheduler_has_the_rights_of_the_documentation(objects: list[Object]) -> None:
    """Those with which it is tested on a real API server, and no others."""
    role = one(objects, "ClusterRole", "hetero-scheduler")

    def rights(rules: list[Object]) -> set[tuple[str, str, str]]:
        return {
            (group, resource, verb)
            for rule in rules
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    assert rights(role["rules"]) <= rights([dict(rule) for rule in users.RULES])


@pytest.mark.parametrize("values", INSTALLED, ids=lambda path: path.name, indirect=True)
def test_the_webhook_is_the_registrations(values: Path, objects: list[Object]) -> None:
    """Condition, selectors, policies and times are those of `hetero.admission.registration`, for the same vendors."""
    known = plugins.load().vendors
    vendors = {name: known[name] for name in enabled(values)}
    spared = {"kube-system", *yaml.safe_load(values.read_text()).get("webhook", {}).get("sparedNamespaces", ())}
    service = {"namespace": "kube-system", "name": "hetero-scheduler", "path": registration.PATH, "port": 443}
    expected = registration.webhook(vendors, {"service": service}, spared=spared)
    found = one(objects, "MutatingWebhookConfiguration", registration.NAME)
    assert found["webhooks"] == expected["webhooks"]
    for policy in registration.placement_policy():
        made = one(objects, policy["kind"], policy["metadata"]["name"])
        assert (made["apiVersion"], made["spec"]) == (policy["apiVersion"], policy["spec"])
    configuration = yaml.safe_load(one(objects, "ConfigMap", "hetero-scheduler")["data"]["kube-scheduler.yaml"])
    [extender] = configuration["extenders"]

    def by_name(resources: list[Object]) -> list[Object]:
        return sorted(resources, key=lambda resource: str(resource["name"]))

    assert by_name(extender["managedResources"]) == by_name(registration.managed_resources(vendors))


def test_kube_schedulers_configuration_is_the_documented_one(objects: list[Object]) -> None:
    """As docs/reference/scheduler.md has it, resources apart, with a lock that the role is for."""
    made = yaml.safe_load(one(objects, "ConfigMap", "hetero-scheduler")["data"]["kube-scheduler.yaml"])
    page = (CHART.parents[1] / "docs/reference/scheduler.md").read_text()
    told = yaml.safe_load(page.rpartition("```yaml\n")[2].partition("```")[0])
    lock = made.pop("leaderElection")
    for document in (made, told):
        document["extenders"][0].pop("managedResources")
    assert made == told
    assert lock == {"leaderElect": True, "resourceName": "hetero-scheduler", "resourceNamespace": "kube-system"}
    [named] = [
        rule["resourceNames"] for rule in one(objects, "Role", "hetero-scheduler")["rules"] if "update" in rule["verbs"]
    ]
    assert named == ["hetero-scheduler"]


def test_a_scheduler_that_ends_answers_until_nobody_asks_it(objects: list[Object]) -> None:
    """Longer than whoever leads the API server to it takes to hear of its end, and there is time left to end in."""
    spec = one(objects, "Deployment", "hetero-scheduler")["spec"]["template"]["spec"]
    waits = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert waits >= 5
    assert spec["terminationGracePeriodSeconds"] >= waits + server.GRACE


def settings_of(objects: list[Object]) -> list[Object]:
    """The ConfigMaps that processes of ours read; the others are for Grafana."""
    found = [each for each in all_of(objects, "ConfigMap") if "config.yaml" in each["data"]]
    assert found
    return found


def test_every_process_understands_its_configuration(values: Path, objects: list[Object]) -> None:
    """No key is unknown; what is enabled is required, or the scheduler would take pods that it cannot place."""
    for found in settings_of(objects):
        settings = config.settings(yaml.safe_load(found["data"]["config.yaml"]), found["metadata"]["name"])
        assert set(settings.vendors.required) | set(settings.vendors.disabled) >= set(enabled(values))
        assert not set(settings.vendors.required) & set(settings.vendors.disabled)
        if found["metadata"]["name"] == "hetero-scheduler":
            assert set(settings.vendors.required) == set(enabled(values))
            foreign = {name for name, one in enabled(values).items() if one.get("foreign")}
            assert set(settings.vendors.foreign) == foreign
            assert settings.scheduler.tls_cert
            assert settings.scheduler.tls_key


def test_every_command_takes_its_arguments(objects: list[Object]) -> None:
    """The command line of each container of ours is one that hetero has."""
    seen = set()
    for where, template in pod_templates(objects):
        for container in containers(template):
            if container["command"] == ["hetero"]:
                words = container["args"][2 * (container["args"][0] == "--config") :]
                command = group.group.get_command(click.Context(group.group), words[0])
                assert command is not None, where
                command.make_context(words[0], list(words[1:]))
                seen.add(words[0])
    assert seen >= {"scheduler", "uninstall"}


def test_hooks_clean_up_after_themselves(objects: list[Object]) -> None:
    """Accounts of hooks go in any case; a job that failed stays with its log, and the next try replaces it."""
    for found in objects:
        notes = found["metadata"].get("annotations", {})
        if "helm.sh/hook" not in notes:
            continue
        policy = notes["helm.sh/hook-delete-policy"].split(",")
        assert {"before-hook-creation", "hook-succeeded"} <= set(policy)
        assert ("hook-failed" in policy) == (found["kind"] != "Job")
        assert int(notes["helm.sh/hook-weight"]) == (0 if found["kind"] == "Job" else -10)


def test_the_certificate_is_there_before_the_pod_and_trusted_after_it(values: Path, objects: list[Object]) -> None:
    """One job, before the objects and after them; cert-manager does both where it is asked to."""
    jobs = {found["metadata"]["name"]: found for found in all_of(objects, "Job")}
    managed = "cert-manager" in values.name
    assert ("hetero-certificate-hook" in jobs) is not managed
    assert bool(all_of(objects, "CronJob")) is not managed
    assert bool(all_of(objects, "Certificate")) is managed
    if not managed:
        hook = jobs["hetero-certificate-hook"]["metadata"]["annotations"]["helm.sh/hook"]
        assert set(hook.split(",")) == {"pre-install", "post-install", "pre-upgrade", "post-upgrade"}
    webhook = one(objects, "MutatingWebhookConfiguration", "pods.hetero.io")
    assert ("cert-manager.io/inject-ca-from" in webhook["metadata"].get("annotations", {})) is managed


def test_what_prometheus_and_grafana_are_given_is_what_the_files_say() -> None:
    """Prometheus' own braces are left alone by Helm, and each dashboard is found by its label; by value alone."""
    objects = rendered(CHART / "ci/all-values.yaml")
    rule = one(objects, "PrometheusRule", "hetero")
    assert rule["spec"] == yaml.safe_load((CHART / "rules/hetero.yaml").read_text())
    for path in sorted((CHART / "dashboards").glob("*.json")):
        name = f"hetero-{path.stem.removeprefix('hetero-')}-dashboard"
        found = one(objects, "ConfigMap", name)
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert json.loads(found["data"][path.name]) == json.loads(path.read_text())
    bare = rendered(CHART / "ci/nvidia-values.yaml")
    assert not all_of(bare, "PrometheusRule")
    assert not [each for each in all_of(bare, "ConfigMap") if "grafana_dashboard" in each["metadata"]["labels"]]


def test_other_names_of_metrics_are_for_scheduler_and_agents() -> None:
    """Where they are switched on; else the configuration does not speak of them, so that `config` may."""
    objects = rendered(CHART / "ci/all-values.yaml")
    told = {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: yaml.safe_load(each["data"]["config.yaml"])
        for each in settings_of(objects)
    }
    own = told.pop("dashboard")
    assert "metrics" not in own
    assert told
    assert all(document["metrics"] == {"peer_names": True} for document in told.values())
    bare = settings_of(rendered(CHART / "ci/nvidia-values.yaml"))
    assert not any("metrics" in yaml.safe_load(each["data"]["config.yaml"]) for each in bare)
