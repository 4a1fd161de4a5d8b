"""Where the objects of the API are. Names are quoted, so that no name can lead to another path."""

from __future__ import annotations

from urllib.parse import quote

PODS = "/api/v1/pods"
NODES = "/api/v1/nodes"
NAMESPACES = "/api/v1/namespaces"
QUOTAS = "/api/v1/resourcequotas"
VERSION = "/version"


def pods(namespace: str) -> str:
    """The pods of a namespace."""
    return _within(namespace, "pods")


def pod(namespace: str, name: str) -> str:
    """One pod."""
    return _within(namespace, "pods", name)


def binding(namespace: str, name: str) -> str:
    """Where a pod's binding is posted."""
    return f"{pod(namespace, name)}/binding"


def node(name: str) -> str:
    """One node."""
    return f"{NODES}/{quote(name, safe='')}"


def quotas(namespace: str) -> str:
    """The ResourceQuotas of a namespace."""
    return _within(namespace, "resourcequotas")


def events(namespace: str) -> str:
    """The events of a namespace."""
    return _within(namespace, "events")


def event(namespace: str, name: str) -> str:
    """One event."""
    return _within(namespace, "events", name)


def _within(*parts: str) -> str:
    return "/".join((NAMESPACES, *(quote(part, safe="") for part in parts)))
