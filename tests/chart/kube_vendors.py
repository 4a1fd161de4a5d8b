"""Vendors are entries of a map: which agents they make, on which nodes, with what, and what the scheduler is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hetero.cli import group
from tests.chart.helm import (
    CHART,
    SCHEDULER,
    Object,
    all_of,
    containers,
    environment,
    one,
    refusal,
    rendered,
)

ACME = {"enabled": True, "resources": {"count": "acme.com/npu", "totals": ["acme.com/npu-memory"]}}
BUNDLED = ("ascend", "cambricon", "hygon", "nvidia")
"""Those that the chart's values have."""

ZETA = {"enabled": True, "resources": {"count": "zeta.io/chip"}, "nodeSelector": {"chip": "zeta", "zone": "a"}}


def installed(**vendors: Mapping[str, Any]) -> list[Object]:
    """The objects for these vendors alone, unless others are enabled as well."""
    return rendered({**SCHEDULER, "vendors": vendors})


def agents(objects: list[Object]) -> dict[str, Object]:
    """The agents' pod specs by the name of their DaemonSet."""
    return {found["metadata"]["name"]: found["spec"]["template"]["spec"] for found in all_of(objects, "DaemonSet")}


def terms(spec: Object) -> list[list[tuple[str, list[str]]]]:
    """On which nodes: any of these, of each all."""
    needed = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return [
        [(each["key"], each["values"]) for each in term["matchExpressions"]] for term in needed["nodeSelectorTerms"]
    ]


def configured(objects: list[Object], name: str) -> Any:
    """The settings of a process."""
    return yaml.safe_load(one(objects, "ConfigMap", name)["data"]["config.yaml"])


def test_vendors_share_an_agent() -> None:
    """It runs where any of them is, knows both, and has the name of nobody."""
    objects = installed(nvidia={"enabled": True}, zeta=ZETA)
    [(name, spec)] = agents(objects).items()
    assert name == "hetero-agent"
    assert terms(spec) == [[("gpu", ["on"])], [("chip", ["zeta"]), ("zone", ["a"])]]
    assert environment(spec["containers"][0])["HETERO_AGENT_NAME"] == ""
    assert configured(objects, "hetero-agent")["vendors"]["required"] == ["nvidia", "zeta"]


def test_one_without_a_selector_is_everywhere() -> None:
    """Then the agent that it shares is, too."""
    [spec] = agents(installed(nvidia={"enabled": True}, acme=ACME)).values()
    assert "affinity" not in spec


@pytest.mark.parametrize(
    "own", [{"image": "acme/hetero:1"}, {"runtimeClassName": "acme"}, {"hostPaths": ["/opt/acme"]}], ids=str
)
def test_what_needs_something_of_its_own_has_an_agent_of_its_own(own: dict[str, Any]) -> None:
    """Each loads its own vendors alone, and they publish under names of their own: both may be on one node."""
    objects = installed(nvidia={"enabled": True}, acme={**ACME, **own})
    assert set(agents(objects)) == {"hetero-agent", "hetero-agent-acme"}
    shared, acme = agents(objects)["hetero-agent"], agents(objects)["hetero-agent-acme"]
    assert environment(acme["containers"][0])["HETERO_AGENT_NAME"] == "acme"
    assert environment(acme["containers"][0])["HETERO_DAEMONSET"] == "hetero-agent-acme"
    assert environment(shared["containers"][0])["HETERO_DAEMONSET"] == "hetero-agent"
    for name, vendors in (("hetero-agent", ["nvidia"]), ("hetero-agent-acme", ["acme"])):
        settings = configured(objects, name)["vendors"]
        assert settings["required"] == vendors
        assert environment(agents(objects)[name]["containers"][0])["HETERO_INVENTORIES"] == (
            "hetero.io/inventory hetero.io/inventory-acme"
        )
        assert set(settings["disabled"]) == {"acme", *BUNDLED} - set(vendors)
        assert environment(agents(objects)[name]["containers"][0])["HETERO_VENDORS"] == " ".join(vendors)
    named = one(objects, "Role", "hetero-agent")["rules"][0]["resourceNames"]
    assert sorted(named) == ["hetero-agent", *(f"hetero-agent-{name}" for name in sorted(["acme", *BUNDLED]))]


def test_an_image_of_a_vendors_own_serves_everywhere() -> None:
    """In its agent and in the scheduler with its jobs, for one scheduler serves all vendors."""
    objects = installed(nvidia={"enabled": True}, acme={**ACME, "image": "acme/hetero:1"})
    used = {name: spec["containers"][0]["image"] for name, spec in agents(objects).items()}
    assert used == {"hetero-agent": "hetero/agent:0.1.0", "hetero-agent-acme": "acme/hetero:1"}
    scheduler = one(objects, "Deployment", "hetero-scheduler")["spec"]["template"]
    assert containers(scheduler)[0]["image"] == "acme/hetero:1"


def test_two_images_need_one_with_both() -> None:
    """The sentence says so, and the value is used."""
    vendors = {"acme": {**ACME, "image": "a:1"}, "zeta": {**ZETA, "image": "z:1"}}
    told = refusal({**SCHEDULER, "vendors": vendors})
    assert "scheduler.image: is needed, for vendors have different images (a:1, z:1)" in told
    objects = rendered({**SCHEDULER, "vendors": vendors, "scheduler": {"image": "both:1"}})
    scheduler = one(objects, "Deployment", "hetero-scheduler")["spec"]["template"]
    assert containers(scheduler)[0]["image"] == "both:1"


def test_a_package_is_installed_before_the_process() -> None:
    """By the same image, where Python looks by itself, in the vendor's agent and in the scheduler."""
    packages = {"env": {"PIP_INDEX_URL": "https://index.example"}}
    acme = {**ACME, "package": "hetero-acme==1 acme-sdk==2"}
    objects = rendered({**SCHEDULER, "vendors": {"acme": acme, "nvidia": {"enabled": True}}, "packages": packages})
    scheduler = one(objects, "Deployment", "hetero-scheduler")["spec"]["template"]["spec"]
    for spec in (agents(objects)["hetero-agent-acme"], scheduler):
        [installer] = spec["initContainers"]
        assert installer["image"] == spec["containers"][0]["image"]
        assert installer["args"] == ["hetero-acme==1", "acme-sdk==2"]
        assert environment(installer)["PIP_INDEX_URL"] == "https://index.example"
        process = spec["containers"][0]
        assert environment(installer)["PYTHONUSERBASE"] == environment(process)["PYTHONUSERBASE"] == "/packages"
        assert {"name": "packages", "mountPath": "/packages", "readOnly": True} in process["volumeMounts"]
    assert "initContainers" not in agents(objects)["hetero-agent"]


def test_files_of_the_machine() -> None:
    """Under the same path; to be read unless they are said to be written; nothing is made that is not there."""
    paths = ["/opt/acme", {"path": "/usr/bin/tool", "type": "File"}, {"path": "/etc/acme", "writable": True}]
    spec = agents(installed(acme={**ACME, "hostPaths": paths}))["hetero-agent-acme"]
    volumes = {one["name"]: one["hostPath"] for one in spec["volumes"] if one["name"].startswith("host-")}
    assert volumes == {
        "host-0": {"path": "/opt/acme", "type": "Directory"},
        "host-1": {"path": "/usr/bin/tool", "type": "File"},
        "host-2": {"path": "/etc/acme", "type": "Directory"},
    }
    mounts = {one["name"]: (one["mountPath"], one.get("readOnly")) for one in spec["containers"][0]["volumeMounts"]}
    assert [mounts[f"host-{index}"] for index in range(3)] == [
        ("/opt/acme", True),
        ("/usr/bin/tool", True),
        ("/etc/acme", False),
    ]


def test_an_agents_own_paths_are_the_same_inside() -> None:
    """What it writes down is true for the machine: nothing is translated."""
    [spec] = agents(installed(acme=ACME)).values()
    inside = {one["name"]: one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
    host = {one["name"]: one["hostPath"]["path"] for one in spec["volumes"] if "hostPath" in one}
    assert {name: inside[name] for name in host} == host
    assert set(host.values()) == {
        "/dev",
        "/run/hetero",
        "/var/lib/hetero",
        "/var/lib/kubelet/device-plugins",
        "/var/run/cdi",
    }


def test_another_kubelets_directory() -> None:
    """Is mounted and told to the agent."""
    objects = rendered({**SCHEDULER, "vendors": {"acme": ACME}, "agent": {"kubeletDir": "/data/kubelet"}})
    [spec] = agents(objects).values()
    assert "/data/kubelet/device-plugins" in [one["mountPath"] for one in spec["containers"][0]["volumeMounts"]]
    assert configured(objects, "hetero-agent")["agent"]["kubelet_dir"] == "/data/kubelet/device-plugins"


def test_no_vendors_value_reaches_an_agents_rights() -> None:
    """Nothing that the schema lets a vendor write is a security context, a mount elsewhere or a host namespace."""
    for key in ("securityContext", "hostPID", "volumes", "serviceAccountName", "args"):
        assert f"additional properties '{key}' not allowed" in refusal({"vendors": {"acme": {**ACME, key: {}}}})


def test_environments_of_vendors_meet() -> None:
    """Search paths are joined; of two other values neither wins unseen."""
    objects = installed(
        acme={**ACME, "env": {"HETERO_DRIVER_PATH": "/a", "DEBUG": True}},
        zeta={**ZETA, "env": {"HETERO_DRIVER_PATH": "/z", "DEBUG": True}},
    )
    [spec] = agents(objects).values()
    told = environment(spec["containers"][0])
    assert (told["HETERO_DRIVER_PATH"], told["DEBUG"]) == ("/a:/z", "true")
    clash = {"acme": {**ACME, "env": {"DEBUG": "1"}}, "zeta": {**ZETA, "env": {"DEBUG": "2"}}}
    assert 'vendors.zeta.env.DEBUG: "2" differs from "1"' in refusal({**SCHEDULER, "vendors": clash})


def test_a_foreign_vendor_has_no_agent() -> None:
    """Its own plugin serves; without another vendor there is no agent, and nothing that belongs to agents."""
    objects = installed(acme={**ACME, "foreign": True})
    assert agents(objects) == {}
    assert [found["metadata"]["name"] for found in objects if "agent" in found["metadata"]["name"]] == []
    assert configured(objects, "hetero-scheduler")["vendors"]["foreign"] == ["acme"]
    both = installed(acme={**ACME, "foreign": True}, nvidia={"enabled": True})
    assert configured(both, "hetero-agent")["vendors"]["required"] == ["nvidia"]
    assert "acme" in configured(both, "hetero-agent")["vendors"]["disabled"]


def test_one_that_may_be_missing_is_not_required() -> None:
    """Then a broken package takes no other vendor with it."""
    objects = installed(acme={**ACME, "required": False}, nvidia={"enabled": True})
    assert configured(objects, "hetero-scheduler")["vendors"]["required"] == ["nvidia"]
    assert "acme" not in configured(objects, "hetero-scheduler")["vendors"]["disabled"]


def test_domains_and_resources_of_anybody() -> None:
    """The webhook is asked for each domain once; kube-scheduler leaves to the extender what no node's status has."""
    acme = {"count": ["acme.com/npu", "acme.com/npu2"], "totals": ["acme.com/memory"], "others": ["x.acme.io/percent"]}
    objects = installed(acme={"enabled": True, "resources": acme})
    [condition] = one(objects, "MutatingWebhookConfiguration", "pods.hetero.io")["webhooks"][0]["matchConditions"]
    assert condition["expression"].count("r.startsWith('acme.com/') || r.startsWith('x.acme.io/')") == 2
    told = yaml.safe_load(one(objects, "ConfigMap", "hetero-scheduler")["data"]["kube-scheduler.yaml"])
    assert told["extenders"][0]["managedResources"] == [
        {"name": "acme.com/npu", "ignoredByScheduler": False},
        {"name": "acme.com/npu2", "ignoredByScheduler": False},
        {"name": "acme.com/memory", "ignoredByScheduler": False},
        {"name": "x.acme.io/percent", "ignoredByScheduler": True},
    ]


def test_an_uninstall_knows_every_vendors_totals() -> None:
    """The job runs hetero's own image, which need not have the package of each."""
    [job] = [found for found in all_of(installed(acme=ACME), "Job") if found["metadata"]["name"] == "hetero-uninstall"]
    words = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [word for word in words if word.startswith("--total")] == ["--total=acme.com/npu-memory"]


def test_what_new_vendor_writes_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's values, as they come out of the template, beside a vendor of ours."""
    monkeypatch.chdir(tmp_path)
    assert group.run(["new-vendor", "acme"]) == 0
    [values] = tmp_path.glob("**/values-*.yaml")
    objects = rendered(values, {**SCHEDULER, "vendors": {"nvidia": {"enabled": True}}})
    assert set(agents(objects)) == {"hetero-agent", "hetero-agent-acme"}
    assert configured(objects, "hetero-agent-acme")["vendors"]["required"] == ["acme"]


def test_the_third_partys_files_say_the_same() -> None:
    """What is tested as a third party's values is what the template writes: the same keys."""
    mine = yaml.safe_load((CHART / "ci/third-party-values.yaml").read_text())["vendors"]["acme"]
    template = (CHART.parents[1] / "hetero/cli/vendor_template/values.yaml.template").read_text()
    theirs = yaml.safe_load(template.replace("@name@", "acme").replace("@domain@", "acme.com"))["vendors"]["acme"]
    assert set(mine) <= set(theirs)
    assert mine["resources"] == theirs["resources"]
