"""A kubelet's configuration on a node."""

from __future__ import annotations

import json

from tests.cluster.node import runtime

SOCKETS = "/var/lib/kubelet/device-plugins"


def configuration(cgroup: str) -> str:
    """``/etc/kubernetes/kubelet.yaml`` (kubelet.config.k8s.io/v1beta1); JSON is YAML.

    Args:
        cgroup: The node's group; kubelets that shared one would clean up each other's pods.
    """
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{runtime.SOCKET}",
        "staticPodPath": "/etc/kubernetes/manifests",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        # Who reaches the node's network is the test, which is alone in there.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "readOnlyPort": 0,
        "cgroupRoot": f"/{cgroup}",
        "cgroupDriver": "cgroupfs",
        "enforceNodeAllocatable": ["pods"],
        "failSwapOn": False,
        "failCgroupV1": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        # There is no name service in the cluster; without an address here every pod has a warning that says so.
        "clusterDNS": ["10.96.0.10"],
        "resolvConf": "",
        "serializeImagePulls": False,
        # A test must not wait for what a person would not notice.
        "nodeStatusUpdateFrequency": "1s",
        "syncFrequency": "10s",
        "evictionHard": {"memory.available": "16Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }
    return json.dumps(document, indent=1)


def command(name: str, address: str) -> list[str]:
    """Its command line."""
    return [
        "kubelet", "--config=/etc/kubernetes/kubelet.yaml", "--kubeconfig=/etc/kubernetes/kubelet.conf",
        f"--hostname-override={name}", f"--node-ip={address}", "--cert-dir=/var/lib/kubelet/pki", "--v=2",
    ]  # fmt: skip
