"""What cannot be used is refused before anything is installed, with the value's name and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import SCHEDULER, all_of, one, refusal, rendered

ACME: dict[str, Any] = {"enabled": True, "resources": {"count": "acme.com/npu"}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "vendors: none is enabled, so there is nothing to share; enable one, e.g. --set vendors."),
        (
            {"vendors": {"acme": {"enabled": True}}},
            "vendors.acme: is enabled and has no resources; correct the name, if one of these is meant: ascend, ",
        ),
        (
            {"vendors": {"acme": {**ACME, "image": "a:1", "package": "a"}}},
            "vendors.acme: image and package are both given",
        ),
        (
            {"vendors": {"acme": ACME, "zeta": ACME}},
            "vendors.zeta.resources: a name that vendors.acme has as well",
        ),
        ({"vendors": {"acme": ACME}, "kubeScheduler": {"image": ""}}, "kubeScheduler.image: is needed"),
        ({"vendors": {"acme": ACME}, "config": {"vendors": {"required": []}}}, "config.vendors: the chart writes it"),
        (
            {"vendors": {"acme": ACME}, "config": {"admission": {"scheduler_name": "x"}}},
            "config.admission.scheduler_name: the chart writes it from `schedulerName`",
        ),
        (
            {"vendors": {"acme": ACME}, "config": {"scheduler": {"public": ""}}},
            "config.scheduler.public: the chart's Service, probes and volumes are made for its own value",
        ),
        (
            {"vendors": {"acme": ACME}, "config": {"agent": {"run_dir": "/x"}}},
            "config.agent.run_dir: the agent's probes and mounts are made for the chart's own value",
        ),
        (
            {"vendors": {"acme": ACME}, "config": {"dashboard": {"listen": ":80"}}},
            "config.dashboard.listen: the dashboard's probes, Service and volumes are made for the chart's own value",
        ),
        (
            {"vendors": {"acme": ACME}, "config": {"dashboard": {"auth": "none"}}},
            "config.dashboard.auth: none would show the cluster to every pod that reaches it",
        ),
        (
            {"vendors": {"acme": ACME}, "dashboard": {"service": {"enabled": True}}},
            "dashboard.service.enabled: tokens would go over the network in the clear",
        ),
        (
            {"vendors": {"acme": ACME}, "fullnameOverride": "My_Devices"},
            "fullnameOverride: objects would be named My_Devices-..., which a Service may not be",
        ),
        (
            {"vendors": {"acme": ACME}, "commonLabels": {"app.kubernetes.io/name": "x"}},
            "commonLabels: has app.kubernetes.io/name, which the objects have already; remove it",
        ),
        (
            {"vendors": {"acme": ACME}, "commonLabels": {"team": "a"}, "serviceMonitor": {"labels": {"team": "b"}}},
            "serviceMonitor.labels: has team, which the objects have already; remove it",
        ),
        (
            {"vendors": {"acme": ACME}, "agent": {"podAnnotations": {"checksum/config": "x"}}},
            "agent.podAnnotations: has checksum/config, which the chart writes itself; remove it",
        ),
        (
            {"vendors": {"acme": {**ACME, "env": {"HETERO_DAEMONSET": "x"}}}},
            "vendors.acme.env: has HETERO_DAEMONSET, by which the chart tells the agent where it is; remove it",
        ),
    ],
)
def test_rules_across_values_are_sentences(values: dict[str, Any], sentence: str) -> None:
    """Those that no schema can say; the template's own words, and nothing is rendered."""
    assert sentence in refusal({**SCHEDULER, **values})


@pytest.mark.parametrize(
    ("values", "where", "what"),
    [
        ({"vendor": {}}, "at ''", "additional properties 'vendor' not allowed"),
        ({"vendors": {"nvidia": {"enabeld": True}}}, "/vendors/nvidia", "additional properties 'enabeld' not allowed"),
        ({"vendors": {"nvidia": {"enabled": "yes"}}}, "/vendors/nvidia/enabled", "got string, want boolean"),
        ({"vendors": {"Acme": ACME}}, "invalid propertyName 'Acme'", "does not match pattern"),
        ({"vendors": {"a" * 31: ACME}}, "invalid propertyName 'aaa", "does not match pattern"),
        ({"vendors": {"acme": {"resources": {"count": "npu"}}}}, "/vendors/acme/resources/count", "pattern"),
        ({"vendors": {"acme": {"resources": {"count": []}}}}, "/vendors/acme/resources/count", "minItems"),
        ({"vendors": {"acme": {"resources": {}}}}, "/vendors/acme/resources", "missing property 'count'"),
        ({"vendors": {"acme": {**ACME, "hostPaths": ["opt"]}}}, "/vendors/acme/hostPaths/0", "does not match pattern"),
        ({"scheduler": {"replicas": 0}}, "/scheduler/replicas", "minimum: got 0, want 1"),
        ({"scheduler": {"resources": {"request": {}}}}, "/scheduler/resources", "'request' not allowed"),
        ({"agent": {"maxUnavailable": "all"}}, "/agent/maxUnavailable", "does not match pattern"),
        ({"dashboard": {"service": {"port": 0}}}, "/dashboard/service/port", "minimum: got 0, want 1"),
        ({"dashboard": {"replicas": 2}}, "/dashboard", "additional properties 'replicas' not allowed"),
        ({"config": {"dashboard": {"prometheus": "prom:9090"}}}, "/config/dashboard/prometheus", "pattern"),
        ({"agent": {"privileged": False}}, "/agent", "additional properties 'privileged' not allowed"),
        ({"webhook": {"certificate": {"days": 0}}}, "/webhook/certificate/days", "minimum"),
        ({"config": {"placement": {"node_policy": "sprad"}}}, "/config/placement/node_policy", "'binpack', 'spread'"),
        ({"config": {"log": {"levle": "info"}}}, "/config/log", "additional properties 'levle' not allowed"),
        ({"config": {"schedulers": {}}}, "/config", "additional properties 'schedulers' not allowed"),
        ({"imagePullPolicy": "never"}, "/imagePullPolicy", "must be one of 'Always', 'IfNotPresent', 'Never'"),
        ({"imagePullSecrets": ["mine"]}, "/imagePullSecrets/0", "got string, want object"),
    ],
)
def test_the_schema_names_the_value(values: dict[str, Any], where: str, what: str) -> None:
    """A key that there is none of, a value of another kind: where it stands, and what is wanted."""
    told = refusal({**SCHEDULER, **values})
    assert where in told
    assert what in told


def test_null_is_nothing() -> None:
    """`--set vendors.NAME.hostPaths=null` takes a default away; `--reuse-values` hands the null itself to the chart."""
    nothing = {"nodeSelector": None, "hostPaths": None, "env": None, "runtimeClassName": None, "package": None}
    without = {"tolerations": None, "resources": None, "priorityClassName": None, "podAnnotations": None}
    acme = {**ACME, **nothing, "image": None, "resources": {**ACME["resources"], "totals": None, "others": None}}
    objects = rendered(
        {
            **SCHEDULER,
            "vendors": {"acme": acme, "nvidia": None},
            "scheduler": {**without, "nodeSelector": None, "affinity": None, "image": None},
            "agent": without,
            "webhook": {"sparedNamespaces": None},
            "packages": {"env": None},
            "jobs": {"resources": None},
            "commonLabels": None,
        }
    )
    spec = one(objects, "DaemonSet", "hetero-agent")["spec"]["template"]["spec"]
    assert not {"tolerations", "affinity", "priorityClassName", "runtimeClassName"} & set(spec)
    assert "resources" not in spec["containers"][0]


def test_an_older_kubernetes_is_refused() -> None:
    """Before 1.30 the API server knows no policy that keeps placements from being forged."""
    assert "chart requires kubeVersion: >=1.30.0-0" in refusal({"vendors": {"acme": ACME}}, version="1.29.9")
    assert rendered({**SCHEDULER, "vendors": {"acme": ACME}}, version="1.30.0-gke.1")


@pytest.mark.parametrize(
    ("image", "version", "expected"),
    [
        ("mirror/kube-scheduler", "1.31.4", "mirror/kube-scheduler:v1.31.4"),
        ("mirror:5000/kube-scheduler", "1.31.4-eks-1", "mirror:5000/kube-scheduler:v1.31.4"),
        ("mirror/kube-scheduler:v1.32.0", "1.31.4", "mirror/kube-scheduler:v1.32.0"),
        ("mirror/kube-scheduler@sha256:00", "1.31.4", "mirror/kube-scheduler@sha256:00"),
    ],
)
def test_kube_schedulers_version_is_the_clusters(image: str, version: str, expected: str) -> None:
    """Where the image has no tag; a provider's own words after the version are not part of it."""
    objects = rendered({"vendors": {"acme": ACME}, "kubeScheduler": {"image": image}}, version=version)
    [_, scheduler] = one(objects, "Deployment", "hetero-scheduler")["spec"]["template"]["spec"]["containers"]
    assert scheduler["image"] == expected


def test_a_tag_may_be_a_digest() -> None:
    """Then it is written as one."""
    images = {"scheduler": {"repository": "r/s", "tag": "sha256:00"}, "agent": {"repository": "r/a", "tag": "1"}}
    objects = rendered({**SCHEDULER, "vendors": {"acme": ACME}, "images": images})
    [extender, _] = one(objects, "Deployment", "hetero-scheduler")["spec"]["template"]["spec"]["containers"]
    [agent] = one(objects, "DaemonSet", "hetero-agent")["spec"]["template"]["spec"]["containers"]
    assert (extender["image"], agent["image"]) == ("r/s@sha256:00", "r/a:1")


def test_one_scheduler_has_no_budget_and_two_have() -> None:
    """A budget for one would keep its node from ever being emptied."""
    assert all_of(rendered({**SCHEDULER, "vendors": {"acme": ACME}}), "PodDisruptionBudget") == []
    objects = rendered({**SCHEDULER, "vendors": {"acme": ACME}, "scheduler": {"replicas": 2}})
    budget = one(objects, "PodDisruptionBudget", "hetero-scheduler")["spec"]
    deployment = one(objects, "Deployment", "hetero-scheduler")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    assert deployment["replicas"] == 2


def test_names_and_namespaces_of_a_releases_own() -> None:
    """Everything follows: certificate, webhook, lock, uninstall; nothing is longer than a name may be."""
    release = "a-very-long-name-of-a-release-that-goes-on-and-on"
    objects = rendered({**SCHEDULER, "vendors": {"acme": ACME}}, release=release, namespace="devices")
    names = [found["metadata"]["name"] for found in objects]
    assert max(map(len, names)) <= 63
    [hook] = one(objects, "MutatingWebhookConfiguration", "pods.hetero.io")["webhooks"]
    service = hook["clientConfig"]["service"]
    assert one(objects, "Service", service["name"])["metadata"]["namespace"] == service["namespace"] == "devices"
    spared = hook["namespaceSelector"]["matchExpressions"][-1]
    assert spared["values"] == ["devices", "kube-system"]
    [job] = [found for found in all_of(objects, "Job") if found["metadata"]["name"].endswith("uninstall")]
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert f"--release={release}" in container["args"]
    mounted = one(objects, "Deployment", service["name"])["spec"]["template"]["spec"]["volumes"]
    [secret] = [volume["secret"]["secretName"] for volume in mounted if "secret" in volume]
    assert f"--secret={secret}" in container["args"]


def test_what_looks_like_a_number_or_a_truth_is_a_text() -> None:
    """Names that Kubernetes and Helm allow, and paths with what YAML takes for its own: none is read otherwise."""
    path = "/opt/a #1, b}/c"
    acme = {**ACME, "hostPaths": [path], "runtimeClassName": "13"}
    named = {"fullnameOverride": "devices", "nameOverride": "on", "schedulerName": "2"}
    classes = {"scheduler": {"priorityClassName": "1"}, "dashboard": {"tlsSecret": "0x1", "proxySecret": "7"}}
    values = {**SCHEDULER, **named, **classes, "vendors": {"acme": acme}, "agent": {"kubeletDir": "/var/#1 kubelet"}}
    objects = rendered(values, namespace="123", release="2026")
    assert {type(found["metadata"].get("namespace", "")) for found in objects} == {str}
    labels = [label for found in objects for label in found["metadata"]["labels"].values()]
    assert {type(label) for label in labels} == {str}
    spec = one(objects, "DaemonSet", "devices-agent-acme")["spec"]["template"]["spec"]
    assert spec["runtimeClassName"] == "13"
    given = [volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume]
    mounted = [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]]
    for where in (path, "/var/#1 kubelet/device-plugins"):
        assert where in given
        assert where in mounted
    template = one(objects, "Deployment", "devices-dashboard")["spec"]["template"]["spec"]
    secrets = {volume["secret"]["secretName"] for volume in template["volumes"] if "secret" in volume}
    assert secrets == {"0x1", "7"}


def test_other_settings_are_other_pods() -> None:
    """A checksum of the configuration is in the pods' template, so that an upgrade replaces them; else they stay."""

    def sums(**config: Any) -> list[str]:
        objects = rendered({**SCHEDULER, "vendors": {"acme": ACME}, "config": config})
        return [
            one(objects, kind, name)["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
            for kind, name in (("Deployment", "hetero-scheduler"), ("DaemonSet", "hetero-agent"))
        ]

    before = sums()
    assert sums() == before
    scheduler, agent = sums(placement={"node_policy": "spread"})
    assert scheduler != before[0]
    assert agent == before[1]
    assert sums(drivers={"deadline_s": 20})[1] != before[1]
