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


def relayed(namespace: str, name: str, port: int, path: str) -> str:
    """What a pod has at a path of one of its ports, by way of the API server.

    Source: Kubernetes API reference, ``connect GET requests to proxy of Pod``.
    """
    return f"{_within(namespace, 'pods', f'{name}:{port}')}/proxy/{quote(path.lstrip('/'))}"


def binding(namespace: str, name: str) -> str:
    """Where a pod's binding is posted."""
    return f"{pod(namespace, name)}/binding"


def node(name: str) -> str:
    """One node."""
    return f"{NODES}/{quote(name, safe='')}"


def namespace(name: str) -> str:
    """One namespace."""
    return f"{NAMESPACES}/{quote(name, safe='')}"


def quotas(namespace: str) -> str:
    """The ResourceQuotas of a namespace."""
    return _within(namespace, "resourcequotas")


def events(namespace: str) -> str:
    """The events of a namespace."""
    return _within(namespace, "events")


def event(namespace: str, name: str) -> str:
    """One event."""
    return _within(namespace, "events", name)


def grouped(version: str, plural: str, name: str = "", *, namespace: str = "") -> str:
    """An object of any group, or the collection of them.

    Args:
        version: ``v1``, or group and version, such as ``apps/v1``.
        plural: The kind as paths have it.
        name: Of the object; empty for the collection.
        namespace: Empty for kinds that live in none, and for the collection of all namespaces.
    """
    parts = ["/apis" if "/" in version else "/api", version]
    parts += ["namespaces", quote(namespace, safe="")] if namespace else []
    parts += [plural, quote(name, safe="")] if name else [plural]
    return "/".join(parts)


def _within(*parts: str) -> str:
    return "/".join((NAMESPACES, *(quote(part, safe="") for part in parts)))
