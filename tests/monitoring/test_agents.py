"""What agents answer is read or refused as a sentence, and the reports of one node are one report."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.errors import AgentError
from hetero.monitoring.agents import AgentPod, decoded, merged
from hetero.monitoring.report import VERSION, DeviceReport, NodeReport, SliceReport

POD = {
    "metadata": {"name": "agent-a", "namespace": "hetero-system", "labels": {"hetero.io/part": "agent"}},
    "spec": {"nodeName": "a", "containers": [{"name": "agent"}]},
    "status": {"phase": "Running", "podIP": "10.0.0.7", "hostIP": "192.0.2.1"},
}

words = st.text("abc", min_size=1, max_size=2)
devices = st.builds(DeviceReport, uuid=words, vendor=st.sampled_from("vw"), model=words, index=st.integers(0, 3))
slices = st.builds(SliceReport, id=words, vendor=st.sampled_from("vw"), device=words, position=st.integers(0, 1))
reports = st.builds(
    NodeReport,
    node=st.just("a"),
    time=st.floats(0, 1e9),
    devices=st.lists(devices, max_size=3, unique_by=lambda one: one.uuid).map(tuple),
    slices=st.lists(slices, max_size=3, unique_by=lambda one: (one.id, one.device, one.position)).map(tuple),
)


def _pod(**status: object) -> AgentPod:
    return msgspec.convert({**POD, "status": {**POD["status"], **status}}, AgentPod)  # type: ignore[dict-item]


def test_a_pod_says_where_its_agent_is() -> None:
    """Node and address as the API has them."""
    pod = _pod()
    assert (pod.node, pod.address, pod.problem, pod.shown) == ("a", "10.0.0.7", "", "-n hetero-system agent-a")


@pytest.mark.parametrize(
    ("status", "said"),
    [({"phase": "Pending"}, "does not run (Pending)"), ({"podIP": None}, "does not run"), ({"phase": None}, "Pending")],
)
def test_an_agent_that_does_not_run_is_not_asked(status: dict[str, object], said: str) -> None:
    """And whoever wonders is told where to look."""
    problem = _pod(**status).problem
    assert said in problem
    assert "kubectl describe pod -n hetero-system agent-a" in problem


def test_an_agent_that_ends_is_not_asked() -> None:
    """Its successor is about to come."""
    ending = {**POD, "metadata": {**POD["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}  # type: ignore[dict-item]
    assert msgspec.convert(ending, AgentPod).problem == "its agent ends"
    assert AgentPod(msgspec.convert({}, type(_pod().metadata))).node == ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is no report"),
        (b"<html>", "is no report"),
        (b"[]", "is no report"),
        (b"\xff{", "is no report"),
        (b"[" * 100_000, "is no report"),
        (b'{"version":1}', "is no report"),
        (b'{"node":"a","time":1.0}', "reports in version 0 and this program reads 1; bring both to one release"),
        (b'{"version":2,"node":7}', "reports in version 2"),
        (b'{"version":1,"node":"b","time":1.0}', "its agent reports node 'b'"),
    ],
)
def test_what_is_no_report_is_refused(body: bytes, said: str) -> None:
    """With the node and why, whatever a program that listens there may send."""
    with pytest.raises(AgentError) as caught:
        decoded(body, "a")
    assert caught.value.node == "a"
    assert said in caught.value.reason


@pytest.mark.parametrize("amount", ["-1", "9007199254740994", "1" + "0" * 400])
@pytest.mark.parametrize("name", ["memory_used", "power", "slots_allocated"])
def test_a_node_cannot_spoil_the_sums_of_a_cluster(name: str, amount: str) -> None:
    """An amount that cannot be makes its report none: what others add to it stays exact."""
    device = f'{{"uuid":"u","vendor":"v","model":"m","{name}":{amount}}}'
    with pytest.raises(AgentError, match="is no report"):
        decoded(f'{{"version":1,"node":"a","time":1,"devices":[{device}]}}'.encode(), "a")


@settings(max_examples=25)
@given(reports)
def test_a_report_comes_as_it_was_sent(report: NodeReport) -> None:
    """All of it; what a later release adds is skipped."""
    later = {**msgspec.to_builtins(report), "more": {"x": 1}}
    assert later["version"] == VERSION
    assert decoded(msgspec.json.encode(later), "a") == report


@settings(max_examples=25)
@given(st.lists(reports, min_size=1, max_size=3))
def test_merging_keeps_each_thing_once(parts: list[NodeReport]) -> None:
    """Everything that any of them tells is there, once, as the first one tells it; the time is the oldest."""
    found = merged(parts)
    assert found.time == min(part.time for part in parts)
    told = {one.uuid for part in parts for one in part.devices}
    assert sorted(one.uuid for one in found.devices) == sorted(told)
    for device in found.devices:
        first = next(part for part in parts if device.uuid in {one.uuid for one in part.devices})
        assert device in first.devices
    keys = [(one.id, one.device, one.position) for one in found.slices]
    assert set(keys) == {(one.id, one.device, one.position) for part in parts for one in part.slices}
    assert len(keys) == len(set(keys))


@settings(max_examples=25)
@given(reports)
def test_one_report_is_its_own_merger(report: NodeReport) -> None:
    """As it came, its order too."""
    assert merged([report]) is report
