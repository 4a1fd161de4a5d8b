"""The dashboard as the chart runs it: who reaches it, what it may, and how people are known."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, SCHEDULER, Object, all_of, containers, environment, one, rendered

CI = CHART / "ci"
ACME = {**SCHEDULER, "vendors": {"acme": {"enabled": True, "resources": {"count": "acme.com/npu"}}}}
NAME = "hetero-dashboard"


def settings(objects: list[Object]) -> dict[str, Any]:
    """What it is told."""
    found: dict[str, Any] = yaml.safe_load(one(objects, "ConfigMap", NAME)["data"]["config.yaml"])
    return found


def container(objects: list[Object]) -> Object:
    """The one of its pod."""
    [found] = containers(one(objects, "Deployment", NAME)["spec"]["template"])
    return found


def rights(objects: list[Object]) -> set[tuple[str, str]]:
    """Resources and verbs of its role."""
    rules = one(objects, "ClusterRole", NAME)["rules"]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def services(objects: list[Object]) -> list[str]:
    """Those that lead to it."""
    return [found["metadata"]["name"] for found in all_of(objects, "Service") if NAME in found["metadata"]["name"]]


def test_by_default_only_port_forward_reaches_it() -> None:
    """It listens on the pod's loopback, no Service leads there, and people log in; probes have a port of their own."""
    objects = rendered(ACME)
    own = settings(objects)["dashboard"]
    assert (own["listen"], own["health"], own["auth"]) == ("127.0.0.1:9446", "0.0.0.0:9447", "token")
    assert services(objects) == []
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(objects)[probe]["httpGet"]["port"] == "health"
    assert "--insecure" not in container(objects)["args"]


def test_it_can_be_left_out() -> None:
    """Nothing of it is there then."""
    objects = rendered({**ACME, "dashboard": {"enabled": False}, "serviceMonitor": {"enabled": True}})
    assert [found["kind"] for found in objects if NAME in found["metadata"]["name"]] == []


def test_it_reads_and_asks_and_writes_nothing() -> None:
    """Behind a proxy that knows people it asks about nobody, either."""
    reads = {(kind, verb) for kind in ("nodes", "pods", "resourcequotas") for verb in ("list", "watch")}
    asks = {("tokenreviews", "create"), ("subjectaccessreviews", "create")}
    assert rights(rendered(ACME)) == reads | asks
    assert rights(rendered(CI / "dashboard-proxy-values.yaml")) == reads


def test_it_knows_the_namespace_of_its_agents() -> None:
    """Pods elsewhere that are labelled like agents are none."""
    told = environment(container(rendered(ACME)))
    assert told["POD_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


def test_it_plans_as_the_scheduler_does() -> None:
    """The same vendors, policies and name; `what if` would be worth nothing otherwise."""
    objects = rendered({**ACME, "config": {"placement": {"node_policy": "spread"}}, "schedulerName": "mine"})
    scheduler = yaml.safe_load(one(objects, "ConfigMap", "hetero-scheduler")["data"]["config.yaml"])
    for topic in ("vendors", "placement", "admission"):
        assert settings(objects)[topic] == scheduler[topic]
    deployments = [one(objects, "Deployment", name) for name in (NAME, "hetero-scheduler")]
    images = [containers(found["spec"]["template"])[0]["image"] for found in deployments]
    assert images[0] == images[1]


def test_the_network_reaches_it_by_a_certificate() -> None:
    """The Secret is mounted and named, the Service leads to the pages, and browsers may use its name."""
    objects = rendered(CI / "dashboard-values.yaml")
    own = settings(objects)["dashboard"]
    assert own["listen"] == "0.0.0.0:9446"
    assert (own["tls_cert"], own["tls_key"]) == ("/etc/hetero-tls/tls.crt", "/etc/hetero-tls/tls.key")
    assert own["hosts"] == ["chips.example.org", NAME, f"{NAME}.kube-system", f"{NAME}.kube-system.svc"]
    volumes = one(objects, "Deployment", NAME)["spec"]["template"]["spec"]["volumes"]
    assert {"name": "certificate", "secret": {"secretName": "dashboard-tls", "defaultMode": 0o440}} in volumes
    assert "--insecure" not in container(objects)["args"]
    [port] = one(objects, "Service", NAME)["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, "pages")
    assert one(objects, "Service", NAME)["spec"].get("type", "ClusterIP") == "ClusterIP"


def test_a_proxy_is_told_from_others() -> None:
    """By its addresses and by a secret that it sends; it speaks TLS, the dashboard behind it does not."""
    objects = rendered(CI / "dashboard-proxy-values.yaml")
    own = settings(objects)["dashboard"]
    assert (own["auth"], own["trusted_proxies"]) == ("proxy", ["10.0.0.0/8"])
    assert own["proxy_secret"] == "/etc/hetero-proxy/secret"
    assert "--insecure" in container(objects)["args"]
    assert {"name": "proxy", "mountPath": "/etc/hetero-proxy", "readOnly": True} in container(objects)["volumeMounts"]


@pytest.mark.parametrize("file", ["dashboard-values.yaml"])
def test_prometheus_reads_it(file: str) -> None:
    """By a Service without an address, at the port of its metrics."""
    objects = rendered(CI / file)
    selector = one(objects, "ServiceMonitor", NAME)["spec"]["selector"]["matchLabels"]
    found = one(objects, "Service", f"{NAME}-metrics")
    assert selector.items() <= found["metadata"]["labels"].items()
    assert not selector.items() <= one(objects, "Service", NAME)["metadata"]["labels"].items()
    assert found["spec"]["clusterIP"] == "None"
    assert found["spec"]["ports"][0]["targetPort"] == "health"


def test_agents_keep_their_series_when_their_pods_are_replaced() -> None:
    """What tells two agents of a node apart is which they are, and nothing that a new pod changes."""
    objects = rendered(CI / "dashboard-values.yaml")
    [endpoint] = one(objects, "ServiceMonitor", "hetero-agents")["spec"]["endpoints"]
    assert endpoint["honorLabels"]
    node = ["__meta_kubernetes_pod_node_name"]
    made = {rule["targetLabel"]: rule["sourceLabels"] for rule in endpoint["relabelings"] if "targetLabel" in rule}
    component = ["__meta_kubernetes_pod_label_app_kubernetes_io_component"]
    assert made == {"node": node, "instance": node, "agent": component}
    assert [rule["regex"] for rule in endpoint["relabelings"] if rule.get("action") == "labeldrop"] == ["pod"]


def test_the_page_for_other_prometheis_finds_what_the_chart_makes() -> None:
    """Its ports and labels are those of the pods, and agents have the labels that the ServiceMonitor gives them."""
    objects = rendered(CI / "dashboard-values.yaml")
    page = (CHART.parents[1] / "docs/how-to/alerts.md").read_text()
    jobs = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])["scrape_configs"]
    kept = {job["job_name"]: [rule["regex"] for rule in job["relabel_configs"] if "regex" in rule] for job in jobs}
    assert kept == {"hetero-agents": ["agent", "metrics"], "hetero-scheduler": ["scheduler", "webhook"]}
    for kind, key, word, port in (
        ("DaemonSet", "hetero.io/part", "agent", "metrics"),
        ("Deployment", "app.kubernetes.io/component", "scheduler", "webhook"),
    ):
        templates = [found["spec"]["template"] for found in all_of(objects, kind)]
        [template] = [found for found in templates if found["metadata"]["labels"].get(key) == word]
        ports = [one["name"] for part in template["spec"]["containers"] for one in part.get("ports", ())]
        assert ports.count(port) == 1
    [endpoint] = one(objects, "ServiceMonitor", "hetero-agents")["spec"]["endpoints"]
    [agents] = [job for job in jobs if job["job_name"] == "hetero-agents"]
    wanted = {rule["targetLabel"]: rule["sourceLabels"] for rule in endpoint["relabelings"] if "targetLabel" in rule}
    given = {
        rule["target_label"]: rule["source_labels"] for rule in agents["relabel_configs"] if "target_label" in rule
    }
    assert given == wanted
    scheduler = one(objects, "ServiceMonitor", "hetero-scheduler")["spec"]["endpoints"][0]["tlsConfig"]
    [tls] = [job["tls_config"] for job in jobs if job["job_name"] == "hetero-scheduler"]
    assert tls["server_name"] == scheduler["serverName"]


def test_other_settings_are_another_pod() -> None:
    """And those that it does not read leave it alone."""

    def checksum(values: dict[str, Any]) -> str:
        template = one(rendered({**ACME, **values}), "Deployment", NAME)["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    assert checksum({}) != checksum({"config": {"dashboard": {"prometheus": "http://p"}}})
    assert checksum({}) == checksum({"config": {"agent": {"sample_seconds": 7}}})


@pytest.mark.parametrize("enabled", [True, False])
def test_uninstalling_may_end_it(enabled: bool) -> None:
    """The job ends every Deployment of the release, and may end none that the release has not."""
    objects = rendered({**ACME, "dashboard": {"enabled": enabled}})
    rules = [rule for rule in one(objects, "Role", "hetero-uninstall")["rules"] if "deployments" in rule["resources"]]
    [named] = [rule["resourceNames"] for rule in rules if "delete" in rule["verbs"]]
    deployments = {found["metadata"]["name"] for found in all_of(objects, "Deployment")}
    assert {name for name in named if "agent" not in name} == deployments
