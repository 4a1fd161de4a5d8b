"""Every field that the chart writes is one that the oldest supported Kubernetes has.

`kubernetes-1.30.json` has the fields of the kinds that the chart uses, as the Go types of k8s.io/api v0.30.14 have
them; `fields/main.go` writes it. What values a field may have is checked by the newest, the API server of
`tests/cluster/kube_chart.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import CI, OLDEST, Object, rendered

KNOWN: dict[str, Any] = json.loads((Path(__file__).parent / "kubernetes-1.30.json").read_text())
FOREIGN = {
    "cert-manager.io/v1/Certificate",
    "cert-manager.io/v1/Issuer",
    "monitoring.coreos.com/v1/ServiceMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
}
"""Kinds that are not Kubernetes' own."""


def unknown(value: Any, kind: str, path: str) -> Iterator[str]:
    """The fields of a value that its type has not; a type without a name has no fields of its own."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from unknown(each, kind, f"{path}[{index}]")
    elif isinstance(value, dict) and kind:
        for name, each in value.items():
            if name not in KNOWN["types"][kind]:
                yield f"{path}.{name}"
            else:
                yield from unknown(each, KNOWN["types"][kind][name], f"{path}.{name}")


def problems(document: Object) -> list[str]:
    """What the oldest Kubernetes would not know of an object."""
    kind = f"{document['apiVersion']}/{document['kind']}"
    if kind in FOREIGN:
        return []
    return list(unknown(document, KNOWN["kinds"][kind], kind)) if kind in KNOWN["kinds"] else [kind]


@pytest.mark.parametrize("values", CI, ids=lambda path: path.name.removesuffix("-values.yaml"))
def test_the_oldest_kubernetes_knows_every_field(values: Path) -> None:
    """Of every object, for every kind of values."""
    objects = rendered(values, version=OLDEST)
    assert [problem for each in objects for problem in problems(each)] == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"apiVersion": "apps/v2", "kind": "Deployment"}, "apps/v2/Deployment"),
        ({"apiVersion": "v1", "kind": "Service", "spec": {"port": 1}}, "v1/Service.spec.port"),
        (
            {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"volumes": [{"nam": "x"}]}}}},
            "batch/v1/Job.spec.template.spec.volumes[0].nam",
        ),
        # Since 1.31: a container's image as a volume.
        (
            {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"volumes": [{"image": {}}]}}}},
            "batch/v1/Job.spec.template.spec.volumes[0].image",
        ),
    ],
)
def test_what_it_does_not_know_is_found(document: Object, problem: str) -> None:
    """A version, a kind, a field that is misspelt, one that is newer."""
    assert problems(document) == [problem]


def test_what_it_knows_is_not() -> None:
    """Maps have any keys, and words may be written as numbers."""
    spec = {"selector": {"anything": "x"}, "ports": [{"port": 1, "targetPort": "name"}]}
    labels = {"any/thing": "x"}
    assert problems({"apiVersion": "v1", "kind": "Service", "metadata": {"labels": labels}, "spec": spec}) == []
