"""Pods and nodes as an API server hands them out: with all that admission, defaulting and field managers add.

What nobody reads has to be read past, so it is part of what is measured: a pod here is as long as those of a plain
Deployment in Kubernetes 1.36, a node as long as one with the usual labels and conditions.
"""

from __future__ import annotations

import zlib
from typing import Any

from hetero.model import wire
from hetero.model.annotations import INVENTORY, PLACEMENT
from hetero.model.device import Node
from hetero.model.placement import Placement
from hetero.model.resources import Resources
from tests.bench.workloads import Workload

Json = dict[str, Any]

CREATED = "2026-11-20T08:15:30Z"
SCHEDULER = "hetero-scheduler"

_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_CONDITIONS = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")


def node(described: Node) -> Json:
    """A node with its inventory in an annotation."""
    amounts = {"cpu": "128", "memory": "1056446124Ki", "ephemeral-storage": "1843269236Ki", "pods": "250"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": described.name,
            "uid": f"9a1b2c3d-0000-4000-8000-{zlib.crc32(described.name.encode()):012x}",
            "creationTimestamp": CREATED,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": described.name,
                "node.kubernetes.io/instance-type": "accelerated.24xlarge",
                "topology.kubernetes.io/region": "region-1",
                "topology.kubernetes.io/zone": "region-1a",
            },
            "annotations": {INVENTORY: wire.encode(described), "volumes.kubernetes.io/controller-managed": "true"},
        },
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"], "providerID": f"cloud:///{described.name}"},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [_condition(kind) for kind in _CONDITIONS],
            "addresses": [{"type": "Hostname", "address": described.name}],
            "nodeInfo": {"kubeletVersion": "v1.36.3", "osImage": "Linux", "architecture": "amd64"},
        },
    }


def _condition(kind: str) -> Json:
    return {
        "type": kind,
        "status": "True" if kind == "Ready" else "False",
        "lastHeartbeatTime": CREATED,
        "lastTransitionTime": CREATED,
        "reason": f"Kubelet{kind}",
        "message": "kubelet is posting this status",
    }


def pending(workload: Workload, name: str, resources: Resources) -> Json:
    """A pod that waits for a node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "generateName": f"{workload.name}-7f9c6d5b8-",
            "namespace": "default",
            "creationTimestamp": CREATED,
            "labels": {"app": workload.name, "pod-template-hash": "7f9c6d5b8", "team": "research"},
            "annotations": {"prometheus.io/scrape": "true", **workload.annotations(resources)},
            "ownerReferences": [_owner(workload)],
            "managedFields": [_manager("kube-controller-manager")],
        },
        "spec": {
            "schedulerName": SCHEDULER,
            "containers": [_container(f"main-{index}", workload, resources) for index in range(workload.containers)],
            "volumes": [_token(), {"name": "cache", "emptyDir": {}}],
            "tolerations": [
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                for key in _TOLERATED
            ],
            "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
            "serviceAccountName": "default",
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            "terminationGracePeriodSeconds": 30,
            "securityContext": {},
        },
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


def running(workload: Workload, placement: Placement, resources: Resources) -> Json:
    """A pod that runs where it was placed."""
    pod = pending(workload, placement.pod, resources)
    pod["metadata"]["uid"] = placement.uid
    pod["metadata"]["annotations"][PLACEMENT] = wire.encode(placement)
    pod["spec"]["nodeName"] = placement.node
    pod["status"] = {"phase": "Running", "qosClass": "BestEffort", "podIP": "10.244.0.7", "startTime": CREATED}
    return pod


def _owner(workload: Workload) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{workload.name}-7f9c6d5b8",
        "uid": "1c2d3e4f-0000-4000-8000-000000000001",
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _manager(name: str) -> Json:
    container = {
        "f:image": {},
        "f:imagePullPolicy": {},
        "f:name": {},
        "f:resources": {"f:limits": {}, "f:requests": {}},
    }
    return {
        "manager": name,
        "operation": "Update",
        "apiVersion": "v1",
        "time": CREATED,
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {"f:annotations": {}, "f:generateName": {}, "f:labels": {}, "f:ownerReferences": {}},
            "f:spec": {"f:containers": {'k:{"name":"main-0"}': container}, "f:dnsPolicy": {}, "f:restartPolicy": {}},
        },
    }


def _container(name: str, workload: Workload, resources: Resources) -> Json:
    limits = workload.limits(resources)
    return {
        "name": name,
        "image": "registry.example/team/server:1.27.3",
        "args": ["--port=8080", "--model=/models/current", "--log-level=info"],
        "env": [{"name": f"SETTING_{index}", "value": "some value of a setting"} for index in range(6)],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": {"limits": limits, "requests": limits},
        "volumeMounts": [
            {"name": "cache", "mountPath": "/cache"},
            {"name": "token", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def _token() -> Json:
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    return {"name": "token", "projected": {"defaultMode": 420, "sources": sources}}
