"""What the rates of a real kube-scheduler are measured with, as far as it needs none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from hetero import plugins
from hetero.testing.apiserver import ApiServer
from tests.bench.binding import figures, programs
from tests.bench.clusters import VENDOR, Size, described
from tests.bench.hollow import PLAIN, Seen, asking, configuration, counted, hollow
from tests.bench.objects import Json
from tests.bench.rounds import PODS, Bound, Round, Rounds, cpu_seconds
from tests.bench.workloads import WORKLOADS

METRICS = """
# HELP scheduler_schedule_attempts_total Number of attempts to schedule pods
scheduler_schedule_attempts_total{profile="a",result="error"} 2
scheduler_schedule_attempts_total{profile="a",result="scheduled"} 1998
scheduler_schedule_attempts_total{profile="b",result="scheduled"} 10
scheduler_pending_pods{queue="active"} 7
"""


def test_a_hollow_node_has_room_for_every_kind() -> None:
    """The totals of its devices are in its capacity, where kube-scheduler sees them."""
    vendor = plugins.load().vendors[VENDOR]
    [node] = described(Size(1, 8, 0), vendor).nodes
    capacity = hollow(node, vendor)["status"]["allocatable"]
    resources = vendor.resources[0]
    assert capacity[resources.count] == "80"
    assert capacity[resources.memory] == str(8 * 81559)
    assert capacity[resources.cores] == "800"
    assert capacity[PLAIN] == "100"


def test_kinds_differ_in_what_they_ask_alone() -> None:
    """So their rates can be compared."""
    resources = plugins.load().vendors[VENDOR].resources[0]
    plain = asking(WORKLOADS[0], "a", resources, {PLAIN: "1"})
    device = asking(WORKLOADS[0], "a", resources, WORKLOADS[0].limits(resources))
    assert plain["spec"]["containers"][0].pop("resources") == {"limits": {PLAIN: "1"}, "requests": {PLAIN: "1"}}
    assert resources.count in device["spec"]["containers"][0].pop("resources")["limits"]
    assert plain == device


def test_extenders_manage_their_own_resources() -> None:
    """Plain pods are sent to none of them, and only the scheduler under test binds."""
    ours, floored = configuration("http://a", "http://b", plugins.load().vendors[VENDOR])["extenders"]
    assert PLAIN not in msgspec.json.encode([ours, floored]).decode()
    assert ours["bindVerb"] == "bind"
    assert "bindVerb" not in floored


def test_attempts_are_counted_over_profiles() -> None:
    """By what came out of them."""
    assert counted(METRICS) == {"error": 2, "scheduled": 2008}


def test_figures_are_of_medians() -> None:
    """One disturbed round changes nothing; the retries are of the last round's pods."""

    def round_(kind: str, rate: float, pods: int = 100) -> Round:
        return Round(kind=kind, pods=pods, bound=pods, seconds=pods / rate, cpu_ms={"hetero": 2.0})

    rates = {"plain": 50, "floored": 47, "device": 45}
    turns = [round_(kind, rate * quick) for quick in (1.0, 1.0, 0.1) for kind, rate in rates.items()]
    seen = Seen(rounds=[*turns, round_("device", 40, 2000)], attempts={"scheduled": 2000, "error": 10})
    found = {figure.figure.strip(): figure for figure in figures(seen)}
    assert found["device pods of the plain rate"].value == pytest.approx(0.9)
    assert found["device pods of the plain rate"].holds
    assert found["binds that kube-scheduler must retry"].value == 0.5
    assert found["2,000 device pods at once"].value == 40
    assert found["pods that were not bound, of all rounds"].value == 0


def test_programs_that_are_not_there_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bench builds no Kubernetes, and does not fail where there is none."""
    monkeypatch.setenv("HETERO_KUBE_BIN", str(tmp_path))
    assert "has no" in str(programs())
    monkeypatch.delenv("HETERO_KUBE_BIN")
    monkeypatch.setenv("HETERO_CACHE", str(tmp_path))
    assert isinstance(programs(), str)


@contextmanager
def _binder(url: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", _BINDER, url]) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_round_waits_for_the_last_pod() -> None:
    """Pods are created while the scheduler stands still, bound pods are counted, and none is left."""
    with ApiServer() as server, _binder(server.url) as binder:
        api = server.api()
        resources = plugins.load().vendors[VENDOR].resources[0]

        def make(name: str) -> Json:
            return asking(WORKLOADS[0], name, resources, {PLAIN: "1"})

        seen = Rounds(api, binder.pid, {"binder": binder.pid}).run("plain", make, 20, seconds=60)
        assert (seen.pods, seen.bound) == (20, 20)
        assert seen.rate > 0
        assert seen.cpu_ms["binder"] >= 0
        assert server.wait(lambda: not server.objects(PODS))
        api.close()


def test_who_was_bound_before_the_watch_counts() -> None:
    """A watch that begins again shows all pods as they are."""
    resources = plugins.load().vendors[VENDOR].resources[0]
    with ApiServer() as server:
        pod = asking(WORKLOADS[0], "a", resources, {PLAIN: "1"})
        pod["metadata"]["labels"]["bench"] = "round-1"
        pod["spec"]["nodeName"] = "node"
        server.put(PODS, pod)
        api = server.api()
        bound = Bound(api, "bench=round-1")
        try:
            assert bound.wait(1, 30) == 1
        finally:
            bound.close()
            api.close()


def test_processor_time_is_of_one_process() -> None:
    """This one has had some, and more by and by."""
    before = cpu_seconds(os.getpid())
    sum(range(3_000_000))
    assert 0 < before <= cpu_seconds(os.getpid())


_BINDER = """
import json, sys, time, urllib.request
url, pods = sys.argv[1], "/api/v1/namespaces/default/pods"
while True:
    with urllib.request.urlopen(url + pods) as answer:
        items = json.load(answer)["items"]
    for name in [pod["metadata"]["name"] for pod in items if "nodeName" not in pod["spec"]]:
        body = json.dumps({"metadata": {"name": name}, "target": {"kind": "Node", "name": "node"}}).encode()
        head = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{url}{pods}/{name}/binding", body, head)).close()
    time.sleep(0.05)
"""
