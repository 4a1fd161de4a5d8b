"""Who talks to the API server of a test, with which right, and the files that say so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ADMIN = "admin"
SCHEDULER = "system:kube-scheduler"
CONTROLLERS = "system:kube-controller-manager"
EXTENDER = "hetero-scheduler"

GROUPS = {ADMIN: "system:masters", SCHEDULER: "", CONTROLLERS: "system:masters", EXTENDER: ""}
"""Every user, and its group; a user's token is its name."""

RULES: tuple[Mapping[str, Any], ...] = (
    {
        "apiGroups": [""],
        "resources": ["nodes", "pods", "resourcequotas", "namespaces"],
        "verbs": ["get", "list", "watch"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["pods/binding"], "verbs": ["create"]},
    {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
)
"""All that the scheduler under test may do."""


def kubelet(node: str) -> str:
    """The user as which a node's kubelet comes."""
    return f"system:node:{node}"


def tokens(nodes: Iterable[str] = ()) -> str:
    """The file of ``--token-auth-file``, with a kubelet for each node."""
    groups = {**GROUPS, **{kubelet(node): "system:nodes" for node in nodes}}
    return "".join(f"{user},{user},{user}{f',{group}' if group else ''}\n" for user, group in groups.items())


def role() -> list[tuple[str, dict[str, Any]]]:
    """The scheduler's role and who has it: paths and objects to post."""
    group = "rbac.authorization.k8s.io"
    name = f"{EXTENDER}-under-test"  # the chart has one of the plain name
    metadata = {"name": name}
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    subject = {"apiGroup": group, "kind": "User", "name": EXTENDER}
    common = {"apiVersion": f"{group}/v1", "metadata": metadata}
    return [
        (f"/apis/{group}/v1/clusterroles", {**common, "kind": "ClusterRole", "rules": list(RULES)}),
        (
            f"/apis/{group}/v1/clusterrolebindings",
            {**common, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]},
        ),
    ]


def kubeconfig(path: Path, server: str, user: str, authority: Path | None = None) -> Path:
    """Write how ``user`` reaches ``server``; JSON is YAML."""
    cluster = {"server": server, **({"certificate-authority": str(authority)} if authority else {})}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": user}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
    }
    path.write_text(json.dumps(document))
    return path
