"""What clients ask before anything else: the version, and which kinds there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from hetero.testing.apiserver.resources import RESOURCES, Resource

VERSION = {"major": "1", "minor": "35", "gitVersion": "v1.35.0+hetero-in-memory", "platform": "linux/amd64"}
HEALTH = ("/healthz", "/livez", "/readyz")


def answer(path: str) -> bytes | None:
    """The answer to a path that is about the server itself; ``None`` for all others."""
    if path in HEALTH:
        return b"ok"
    found = _documents().get(path)
    return None if found is None else msgspec.json.encode(found)


def _documents() -> dict[str, Any]:
    versions = sorted({version for version, _ in RESOURCES})
    return {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(one) for one in versions if "/" in one],
        },
        **{_path(version): _resources(version) for version in versions},
    }


def _path(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _group(version: str) -> dict[str, Any]:
    named = {"groupVersion": version, "version": version.partition("/")[2]}
    return {"name": version.partition("/")[0], "versions": [named], "preferredVersion": named}


def _resources(version: str) -> dict[str, Any]:
    of_it = [one for one in RESOURCES.values() if one.api_version == version]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": list(_listed(of_it))}


def _listed(resources: Iterable[Resource]) -> Iterable[dict[str, Any]]:
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    for one in resources:
        entry = {"singularName": one.kind.lower(), "namespaced": one.namespaced, "kind": one.kind}
        yield {"name": one.plural, **entry, "verbs": verbs}
        for sub in one.subresources:
            yield {"name": f"{one.plural}/{sub}", **entry, "verbs": ["create" if sub == "binding" else "update"]}
