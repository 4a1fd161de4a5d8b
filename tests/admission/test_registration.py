"""What a cluster is told: which pods its API server sends to the webhook, and that nobody forges a placement."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hetero import plugins
from hetero.admission import registration
from hetero.admission.review import IGNORE
from hetero.model.annotations import PLACEMENT
from hetero.model.resources import ResourceName, Resources
from hetero.testing.fake import fake_vendor

VENDORS = {name: fake_vendor(name) for name in ("other", "fake")}
CLIENT = {"url": "https://10.0.0.1:9443/webhook", "caBundle": "Y2E="}
PAGE = Path(__file__).parents[2] / "docs/reference/webhook.md"


@pytest.fixture
def hook() -> dict[str, Any]:
    """The one webhook of the configuration."""
    [one] = registration.webhook(VENDORS, CLIENT)["webhooks"]
    return dict(one)


def test_new_pods_alone_are_sent(hook: dict[str, Any]) -> None:
    """A change of a pod is never held up."""
    [rule] = hook["rules"]
    assert (rule["apiGroups"], rule["resources"], rule["operations"]) == ([""], ["pods"], ["CREATE"])


def test_a_device_pod_waits_for_the_webhook(hook: dict[str, Any]) -> None:
    """Admitted unseen it would take devices that nobody charged; the wait is bounded."""
    assert hook["failurePolicy"] == "Fail"
    assert 1 <= hook["timeoutSeconds"] <= 30


def test_the_webhook_may_be_asked_again_and_dry(hook: dict[str, Any]) -> None:
    """It changes nothing outside the pod, and another webhook may add a container after it."""
    assert (hook["sideEffects"], hook["reinvocationPolicy"]) == ("None", "IfNeeded")


def test_labels_opt_out_pods_and_namespaces(hook: dict[str, Any]) -> None:
    """Those that a review knows as well, so that an opted-out pod is not even sent."""
    for selector in ("objectSelector", "namespaceSelector"):
        named = {(one["key"], one["operator"], *one["values"]) for one in hook[selector]["matchExpressions"]}
        assert named >= {(label, "NotIn", value) for label, value in IGNORE}


def test_namespaces_are_spared(hook: dict[str, Any]) -> None:
    """The system's own by default, and whichever are named."""
    assert hook["namespaceSelector"]["matchExpressions"][-1]["values"] == ["kube-system"]
    [named] = registration.webhook(VENDORS, CLIENT, spared=["z", "a"])["webhooks"]
    assert named["namespaceSelector"]["matchExpressions"][-1]["values"] == ["a", "z"]


def test_pods_are_known_by_the_domains_of_vendors(hook: dict[str, Any]) -> None:
    """Each once, in limits and requests, of containers and init containers; the order of vendors does not matter."""
    [condition] = hook["matchConditions"]
    words = condition["expression"]
    for kind in ("limits", "requests"):
        assert f"c.resources.{kind}.exists(r, r.startsWith('fake.example/') || r.startsWith('other.example/'))" in words
    assert "object.spec.initContainers" in words
    assert words == registration.condition(dict(reversed(VENDORS.items())))
    assert words.count("(") == words.count(")")


def test_a_placement_stays_what_its_binding_said() -> None:
    """Whether it is added, changed or removed: both sides of the comparison read it the same way."""
    policy, binding = registration.placement_policy()
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    [validation] = policy["spec"]["validations"]
    new, old = validation["expression"].split(" == ")
    assert new.replace("object.", "oldObject.") == old
    assert PLACEMENT in new
    [rule] = policy["spec"]["matchConstraints"]["resourceRules"]
    assert rule["operations"] == ["UPDATE"]
    assert "pods/binding" not in rule["resources"]


def test_the_page_shows_what_is_made() -> None:
    """Whoever copies the objects from the documentation gets those that are tested."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = [document for block in blocks for document in yaml.safe_load_all(block)]
    vendors = {"nvidia": plugins.load().vendors["nvidia"]}
    service = {"namespace": "hetero-system", "name": "hetero-scheduler", "path": registration.PATH, "port": 443}
    client = {"service": service, "caBundle": "…"}
    made = registration.webhook(vendors, client, spared=("kube-system", "hetero-system"))
    for expected in (made, *registration.placement_policy()):
        assert expected in shown, json.dumps(expected)


def test_every_resource_is_managed_once() -> None:
    """A name that kube-scheduler is not told of is one that it waits for in the totals of nodes, for ever."""
    managed = registration.managed_resources({name: fake_vendor(name) for name in ("fake", "other")})
    told = {one["name"]: one["ignoredByScheduler"] for one in managed}
    assert len(told) == len(managed) == 10
    assert [told[f"fake.example/npu{end}"] for end in ("", "mem", "cores")] == [False] * 3
    assert [told[f"other.example/npu{end}"] for end in ("mem-percentage", "-priority")] == [True] * 2


def test_names_beyond_the_usual_are_left_to_the_extender() -> None:
    """No node has totals of what only a subclass knows, e.g. of hardware instances by size."""

    class Sized(Resources):
        def names(self) -> tuple[ResourceName, ...]:
            return (*super().names(), ResourceName(name="fake.example/npu-1g", meaning="instances"))

    vendor = replace(fake_vendor(), resources=(Sized(vendor="fake", count="fake.example/npu"),))
    assert registration.managed_resources({"fake": vendor}) == [
        {"name": "fake.example/npu", "ignoredByScheduler": False},
        {"name": "fake.example/npu-1g", "ignoredByScheduler": True},
    ]
