"""Creating, reading, changing and deleting single objects.

Source: Kubernetes, apiserver ``pkg/registry/generic/registry/store.go`` and "API Concepts".
"""

from __future__ import annotations

import datetime
import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hetero.testing.apiserver import patches, pods
from hetero.testing.apiserver.refusals import already_exists, conflict, invalid, not_found, refused
from hetero.testing.apiserver.resources import RESOURCES, Resource, Target
from hetero.testing.apiserver.store import Store, Stored

Item = dict[str, Any]

LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of which generated names are made."""

PATCHES: dict[str, Callable[[Item, Any], Any]] = {
    "application/merge-patch+json": patches.merged,
    "application/json-patch+json": patches.patched,
}
"""By content type. Strategic merge and server-side apply are not here: hetero uses neither."""

NAMESPACES = RESOURCES["v1", "namespaces"]


def decoded(body: bytes) -> Any:
    """The JSON of a request.

    Raises:
        Refused: It is none (400).
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise refused(400, f"the body is not JSON: {error}") from None


def get(store: Store, target: Target) -> Stored:
    """One object."""
    found = store.get(target.resource, target.key)
    if found is None:
        raise not_found(target.resource.plural, target.name)
    return found


def create(store: Store, target: Target, item: Item) -> Stored:
    """A new object, completed as the API server does."""
    resource = target.resource
    made = _completed(resource, target.namespace, item)
    metadata = made["metadata"]
    key = (metadata.get("namespace", ""), metadata["name"])
    if resource.namespaced and store.get(NAMESPACES, ("", key[0])) is None:
        raise not_found("namespaces", key[0])
    if resource.kind == "Pod":
        pods.check(made)

    def change(before: Stored | None) -> Item:
        if before is not None:
            raise already_exists(resource.plural, key[1])
        return made

    return store.write(resource, key, change)


def _completed(resource: Resource, namespace: str, item: Item) -> Item:
    metadata = dict(item.get("metadata") or {})
    if metadata.pop("resourceVersion", None):
        raise refused(400, "resourceVersion should not be set on objects to be created")
    if not metadata.get("name"):
        metadata["name"] = _generated(resource, metadata.get("generateName", ""))
    if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
        raise refused(400, "the namespace of the provided object does not match the namespace sent on the request")
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
    made = {**item, "kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return pods.defaulted(made) if resource.kind == "Pod" else made


def _generated(resource: Resource, prefix: str) -> str:
    if not prefix:
        raise invalid(resource.kind, "", "metadata.name: Required value: name or generateName is required")
    return prefix + "".join(secrets.choice(LETTERS) for _ in range(5))


def update(store: Store, target: Target, item: Item) -> Stored:
    """An object as a whole, or its status."""
    return _change(store, target, lambda _: item)


def patch(store: Store, target: Target, content_type: str, document: Any) -> Stored:
    """Part of an object, or of its status."""
    apply = PATCHES.get(content_type)
    if apply is None:
        raise refused(415, f"the body of the request was in an unknown format: {content_type}")
    return _change(store, target, lambda before: apply(before, document))


def _change(store: Store, target: Target, made_of: Callable[[Item], Any]) -> Stored:
    resource = target.resource

    def change(before: Stored | None) -> Item | None:
        if before is None:
            raise not_found(resource.plural, target.name)
        item = made_of(before.item)
        if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
            raise refused(400, f"the object is no {resource.kind}")
        after = _kept(target, before.item, item)
        if _finished(after):
            return None
        return after

    return store.write(resource, target.key, change)


def _kept(target: Target, before: Item, after: Item) -> Item:
    """The new object with what a change may not touch as it was."""
    old, new = before["metadata"], after["metadata"]
    if new.get("name", target.name) != target.name or new.get("namespace", target.namespace) != target.namespace:
        raise refused(400, "the name of the object does not match the name on the URL")
    _unchanged(target, old, new, "uid")
    _unchanged(target, old, new, "resourceVersion")
    fixed = ("name", "namespace", "uid", "creationTimestamp", "resourceVersion", "deletionTimestamp")
    metadata = {**new, **{key: old[key] for key in fixed if key in old}}
    after = {**after, "kind": before["kind"], "apiVersion": before["apiVersion"], "metadata": metadata}
    if target.subresource == "status":
        return _with(after, before, "spec")
    if target.resource.kind == "Pod":
        pods.check_update(before, after)
    return _with(after, before, "status") if target.resource.has_status else after


def _unchanged(target: Target, old: Item, new: Item, field: str) -> None:
    if new.get(field) not in (None, "", old[field]):
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise conflict(target.resource.plural, target.name, why)


def _with(after: Item, before: Item, part: str) -> Item:
    """One part as it was before."""
    rest = {key: value for key, value in after.items() if key != part}
    return {**rest, part: before[part]} if part in before else rest


def _finished(item: Item) -> bool:
    """True when the last finalizer of a deleted object has gone."""
    metadata = item["metadata"]
    return bool(
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
    )


def delete(store: Store, target: Target, options: Mapping[str, Any]) -> Stored:
    """Delete an object; a pod on a node, and an object with finalizers, is marked and goes later."""

    def change(before: Stored | None) -> Item | None:
        if before is None:
            raise not_found(target.resource.plural, target.name)
        _preconditions(target, before.item, options.get("preconditions") or {})
        grace = pods.grace(before.item, options.get("gracePeriodSeconds")) if target.resource.kind == "Pod" else 0
        if not grace and not before.item["metadata"].get("finalizers"):
            return None
        marks = {"deletionTimestamp": now(), "deletionGracePeriodSeconds": grace}
        return {**before.item, "metadata": {**marks, **before.item["metadata"]}}

    return store.write(target.resource, target.key, change)


def _preconditions(target: Target, item: Item, wanted: Mapping[str, Any]) -> None:
    for field in ("uid", "resourceVersion"):
        given, there = wanted.get(field), item["metadata"][field]
        if given not in (None, there):
            word = "UID" if field == "uid" else "ResourceVersion"
            why = f"Precondition failed: {word} in precondition: {given}, {word} in object meta: {there}"
            raise conflict(target.resource.plural, target.name, why)


def now() -> str:
    """The time as the API writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def put(store: Store, target: Target, item: Item) -> Item:
    """Create or replace an object as a test wants it, unchecked; its namespace is made if need be."""
    resource = target.resource
    metadata = dict(item.get("metadata") or {})
    if resource.namespaced:
        metadata.setdefault("namespace", target.namespace or "default")
        if store.get(NAMESPACES, ("", metadata["namespace"])) is None:
            put(store, Target(NAMESPACES), {"metadata": {"name": metadata["namespace"]}})
    if not metadata.get("name"):
        metadata["name"] = _generated(resource, metadata.get("generateName", ""))
    metadata.setdefault("creationTimestamp", now())
    key = (metadata.get("namespace", ""), metadata["name"])

    def change(before: Stored | None) -> Item:
        old = before.item["metadata"] if before else {"uid": str(uuid.uuid4()), "resourceVersion": ""}
        kept = {"uid": metadata.get("uid", old["uid"]), "resourceVersion": old["resourceVersion"]}
        made = {"kind": resource.kind, "apiVersion": resource.api_version, **item, "metadata": {**metadata, **kept}}
        # A status that the test gives wins over the one of a new pod.
        status = {"status": item["status"]} if "status" in item else {}
        return {**pods.defaulted(made), **status} if resource.kind == "Pod" else made

    return store.write(resource, key, change).item


def remove(store: Store, target: Target) -> None:
    """Delete an object at once, unchecked."""

    def change(before: Stored | None) -> None:
        if before is None:
            raise not_found(target.resource.plural, target.name)

    store.write(target.resource, target.key, change)
