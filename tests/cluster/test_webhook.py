"""The webhook in the path of pods: what it writes, what it refuses, and what it leaves alone."""

from __future__ import annotations

import pytest

from hetero.errors import ApiError
from hetero.model.quantity import parse_count
from tests.cluster.manifests import limits, pod
from tests.cluster.stage import Stage


def test_a_pod_gets_what_it_did_not_say(hooked: Stage) -> None:
    """The scheduler's name, one device where only memory is asked, all compute of a device that is taken whole."""
    hooked.submit(pod("memory", {"nvidia.com/gpumem": "2000"}, scheduler=None), pod("whole", scheduler=None))
    hooked.until_bound(["memory", "whole"])
    memory, whole = (hooked.raw(name)["spec"] for name in ("memory", "whole"))
    assert memory["schedulerName"] == whole["schedulerName"] == "hetero-scheduler"
    asked = memory["containers"][0]["resources"]
    assert asked["limits"] == asked["requests"]
    # An API server may write 2000 as 2k.
    amounts = {name: parse_count(value, name) for name, value in asked["limits"].items()}
    assert amounts == {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 2000}
    assert whole["containers"][0]["resources"]["limits"]["nvidia.com/gpucores"] == "100"
    hooked.check()


def test_a_wrong_pod_is_refused_with_every_reason(hooked: Stage) -> None:
    """At once, by the API server, with the fields and what is wrong with them."""
    wrong = pod("wrong", {"nvidia.com/gpu": "1", "nvidia.com/gpucores": "101"}, {"nvidia.com/gpumem-percentage": "200"})
    with pytest.raises(ApiError) as refused:
        hooked.submit(wrong)
    told = str(refused.value)
    assert "spec.containers[0].resources.limits[nvidia.com/gpucores]" in told
    assert "spec.containers[1].resources.limits[nvidia.com/gpumem-percentage]" in told
    assert "101" in told
    assert hooked.pods() == []


def test_a_pod_without_devices_is_left_alone(hooked: Stage) -> None:
    """And so is one of another scheduler's."""
    hooked.submit(pod("plain", {"cpu": "1"}, scheduler=None), pod("other", limits(), scheduler="other-scheduler"))
    assert hooked.raw("plain")["spec"].get("schedulerName", "default-scheduler") == "default-scheduler"
    assert hooked.raw("other")["spec"]["schedulerName"] == "other-scheduler"
    assert "nvidia.com/gpucores" not in hooked.raw("other")["spec"]["containers"][0]["resources"]["limits"]
