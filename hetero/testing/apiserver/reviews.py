"""Who a token belongs to, and what that account may do: asked by services that let people in.

Source: Kubernetes, ``pkg/registry/authentication/tokenreview`` and ``pkg/registry/authorization/subjectaccessreview``,
with their validation; "Authenticating" and "Authorization" of its documentation.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hetero.testing.apiserver.refusals import invalid, refused

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

EVERYTHING = "*"
"""Instead of a permission: may do whatever is asked."""

AUTHENTICATED = "system:authenticated"
"""The group that everybody is in whose token was read."""


class Person(msgspec.Struct, frozen=True):
    """An account.

    Args:
        name: Of the user, or ``system:serviceaccount:<namespace>:<name>``.
        may: ``verb resource``, such as ``list pods`` or ``get pods/log``, in all namespaces, or ``verb resource
            namespace`` in one.
        groups: Beside the one of everybody.
    """

    name: str
    may: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()

    def allows(self, verb: str, resource: str, namespace: str) -> bool:
        """Whether it may; an empty namespace asks for all of them."""
        wanted = {EVERYTHING, f"{verb} {resource}", f"{verb} {resource} {namespace}"}
        return not wanted.isdisjoint(self.may)


class Reviews:
    """The accounts that the server knows, by token. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._people: dict[str, Person] = {}

    def let_in(self, token: str, name: str, may: Iterable[str], groups: Iterable[str]) -> None:
        """Know a token from now on, instead of what was known of it."""
        with self._lock:
            self._people[token] = Person(name, frozenset(may), tuple(groups))

    def revoke(self, token: str) -> None:
        """Know a token no more."""
        with self._lock:
            self._people.pop(token, None)

    def answer(self, path: str, item: Mapping[str, Any]) -> dict[str, Any] | None:
        """The object with its ``status``; None of a path that is none of these two.

        Raises:
            Refused: The object lacks what the real one demands (400, 422).
        """
        review = {TOKENS: self._token, ACCESS: self._access}.get(path)
        return None if review is None else {**item, "metadata": {}, "status": review(_mapping(item.get("spec")))}

    def _token(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        token = spec.get("token")
        if not token:
            raise refused(400, "token is required for TokenReview in authentication")
        with self._lock:
            person = self._people.get(str(token))
        if person is None:
            return {"authenticated": False, "error": "[invalid bearer token]"}
        user = {"username": person.name, "uid": person.name, "groups": [*person.groups, AUTHENTICATED]}
        return {"authenticated": True, "user": user}

    def _access(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        of_objects, of_paths = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if (of_objects is None) is (of_paths is None):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            raise invalid("SubjectAccessReview", "", f"spec.resourceAttributes: Invalid value: {why}")
        if not spec.get("user") and not spec.get("groups"):
            raise invalid("SubjectAccessReview", "", "spec.user: Invalid value: at least one of user or group")
        asked = _mapping(of_objects if of_objects is not None else of_paths)
        allowed = self._allows(spec, asked)
        return {"allowed": allowed, "reason": "" if allowed else "no rule of the test allows it"}

    def _allows(self, spec: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
        parts = (asked.get("resource") or asked.get("path"), asked.get("subresource"))
        verb, resource = str(asked.get("verb", "")), "/".join(str(part) for part in parts if part)
        with self._lock:
            known = list(self._people.values())
        namespace = str(asked.get("namespace") or "")
        return any(one.name == spec.get("user") and one.allows(verb, resource, namespace) for one in known)


def _mapping(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise refused(400, f"{found!r} is no object")
    return found
