"""The webhook as a real API server calls it: registered as documented, in dry runs too, and guarded against forgery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from hetero.admission import registration
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.model.annotations import PLACEMENT
from tests.cluster.manifests import limits, machine, pod
from tests.cluster.processes import until
from tests.cluster.stage import Stage

GROUP = "/apis/admissionregistration.k8s.io/v1"
PODS = paths.pods("default")


@pytest.fixture
def guarded(hooked: Stage) -> Iterator[Stage]:
    """A cluster with the policy that keeps placements from being changed."""
    kinds = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    documents = registration.placement_policy()
    for kind, document in zip(kinds, documents, strict=True):
        hooked.api.post(f"{GROUP}/{kind}", msgspec.json.encode(document))
    yield hooked
    for kind, document in zip(kinds, documents, strict=True):
        hooked.api.delete(f"{GROUP}/{kind}/{document['metadata']['name']}")


def _create(stage: Stage, document: Any, query: str = "") -> Any:
    return msgspec.json.decode(stage.api.post(PODS + query, msgspec.json.encode(document)))


def _annotate(stage: Stage, name: str, value: str | None, query: str = "") -> int:
    """The code of an attempt to write a placement into a pod that exists."""
    body = {"metadata": {"annotations": {PLACEMENT: value}}}
    try:
        stage.api.patch(paths.pod("default", name) + query, msgspec.json.encode(body))
    except ApiError as error:
        return error.status
    return 200


def test_a_dry_run_has_no_effect(hooked: Stage) -> None:
    """The answer is the whole pod as it would be; afterwards there is neither a pod nor anything in the books."""
    made = _create(hooked, pod("dry", scheduler=None), "?dryRun=All")
    assert made["spec"]["schedulerName"] == "hetero-scheduler"
    assert made["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpucores"] == "100"
    assert hooked.pods() == []
    assert hooked.check() == {}


def test_nobody_writes_a_placement(guarded: Stage) -> None:
    """Neither into a pod that is created nor into one that is there; the Binding alone does, and once."""
    forged = pod("forged", annotations={PLACEMENT: "{}"})
    with pytest.raises(ApiError, match=PLACEMENT):
        _create(guarded, forged)
    guarded.until_bound(guarded.submit(pod("placed", limits(memory=1024), scheduler=None)))
    dry = "?dryRun=All"
    until(lambda: _annotate(guarded, "placed", "mine", dry) == 403, "the policy is in force", seconds=60, every=0.3)
    assert _annotate(guarded, "placed", None, dry) == 403
    before = guarded.raw("placed")["metadata"]["annotations"][PLACEMENT]
    guarded.api.patch(paths.pod("default", "placed"), b'{"metadata":{"annotations":{"note":"mine"}}}')
    assert guarded.raw("placed")["metadata"]["annotations"][PLACEMENT] == before
    guarded.until_bound(guarded.submit(pod("next", limits(memory=1024), scheduler=None)))
    guarded.check()


def test_a_webhook_that_is_away_holds_up_only_pods_with_devices(hooked: Stage) -> None:
    """Those would take devices that nobody charged; all others come in as ever."""
    [scheduler] = hooked.schedulers
    scheduler.kill()
    _create(hooked, pod("plain", {"cpu": "1"}, scheduler=None))
    with pytest.raises(ApiError, match="failed calling webhook"):
        _create(hooked, pod("device", scheduler=None))
    scheduler.start()
    _create(hooked, pod("device", scheduler=None))
    hooked.until_bound(["device"])


def test_a_new_certificate_is_served_without_a_restart(hooked: Stage) -> None:
    """The files are replaced under the running scheduler, as a volume with a Secret does it."""
    [scheduler] = hooked.schedulers
    before = scheduler.certificate()
    hooked.authority.issue("webhook")
    until(lambda: scheduler.certificate() != before, "the new certificate is served", seconds=30, every=0.3)
    hooked.until_bound(hooked.submit(pod("after", scheduler=None)))


def test_init_containers_count_as_kubernetes_counts_them(hooked: Stage) -> None:
    """One that asks for a device brings the pod to the webhook, and its share is not added to that of the others."""
    hooked.add(machine("small", 1, memory=4096))
    init = [{"name": "i", "image": "none", "resources": {"limits": limits(memory=4096)}}]
    asked = pod(
        "init",
        limits(memory=4096),
        scheduler=None,
        initContainers=init,
        nodeSelector={"kubernetes.io/hostname": "small"},
    )
    hooked.until_bound(hooked.submit(asked))
    assert hooked.check() == {"small": {"nvidia-small-0": {"slots": 1, "memory": 4096}}}
