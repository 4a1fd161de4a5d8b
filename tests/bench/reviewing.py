"""The webhook over HTTPS: the scheduler's review of a device pod beside a server that allows what it is asked."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import msgspec

from hetero.model.resources import Resources
from tests.bench import objects
from tests.bench.client import Client
from tests.bench.figures import Figure, quantile
from tests.bench.workloads import WORKLOADS, drawn

REVIEWS = 600
WARMING = 100


def review(pod: objects.Json, number: int) -> bytes:
    """What the API server posts when a pod is created."""
    metadata = {name: value for name, value in pod["metadata"].items() if name not in ("uid", "creationTimestamp")}
    spec = {**pod["spec"], "schedulerName": "default-scheduler"}
    group = {"group": "", "version": "v1"}
    request = {
        "uid": f"705ab4f5-6393-11e8-b7cc-{number:012x}",
        "kind": {**group, "kind": "Pod"},
        "resource": {**group, "resource": "pods"},
        "requestKind": {**group, "kind": "Pod"},
        "requestResource": {**group, "resource": "pods"},
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller", "groups": ["a"]},
        "object": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {}},
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return msgspec.json.encode({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})


def compared(clients: Mapping[str, Client], resources: Resources) -> list[Figure]:
    """Pods of the mix, each reviewed by all in a row; the first is the scheduler, the second the floor."""
    random_ = random.Random(5)
    times: dict[str, list[float]] = {name: [] for name in clients}
    for number, workload in enumerate(drawn(random_, WARMING + REVIEWS, WORKLOADS)):
        body = review(objects.pending(workload, f"{workload.name}-{number}", resources), number)
        for name in random_.sample(list(clients), len(clients)):
            times[name].append(_reviewed(clients[name], body))
    return _figures({name: spent[WARMING:] for name, spent in times.items()})


def _reviewed(client: Client, body: bytes) -> float:
    answer = client.post("/webhook", body)
    if answer.status != 200 or not msgspec.json.decode(answer.body)["response"]["allowed"]:
        raise RuntimeError(f"webhook: {answer.status} {answer.body[:300]!r}")
    return answer.ms


def _figures(times: Mapping[str, Sequence[float]]) -> list[Figure]:
    ours, floor = times.values()
    told = [
        Figure(f"review of a device pod: {name}, p{percent}", quantile(spent, percent), "ms")
        for name, spent in times.items()
        for percent in (50, 99)
    ]
    ratios = {percent: quantile(ours, percent) / quantile(floor, percent) for percent in (50, 99)}
    of_floor = [
        Figure(f"review of a device pod: of floor, p{percent}", ratio, "times", "<= 3")
        for percent, ratio in ratios.items()
    ]
    return [*told, *of_floor]
