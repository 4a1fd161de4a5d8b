"""Keeps the webhook's certificate: made, renewed, and trusted by the API server before it is served.

Safe to run at any time, as often as wanted and by several at once: each step leaves something that works.

* The first: Secret, then ``caBundle``. Nobody serves it yet, and the pod waits for the Secret.
* A renewal: ``caBundle`` with the old authority and the new one, then the Secret. Kubelets need a minute until a pod
  sees the new files, and the API server trusts whichever is served meanwhile.
* Whoever is overtaken by another (409) reads again and finds that there is nothing to do.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hetero import log
from hetero.errors import ApiError, HeteroError
from hetero.install import certificates
from hetero.install.certificates import Files
from hetero.kube import paths
from hetero.kube.client import JSON_PATCH, Api

_log = log.logger("certificate")

ATTEMPTS = 5
"""Times that one is overtaken before it gives up: each means that another has just done the work."""

SECRET_TYPE = "kubernetes.io/tls"  # noqa: S105  the name of a kind of Secret


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything is.

    Attributes:
        namespace: Of the Secret and of the Service.
        secret: Name of the Secret that the scheduler's pod mounts.
        service: Name of the Service that the API server calls.
        webhook: Name of the MutatingWebhookConfiguration.
        labels: What a Secret that is made here is labelled with.
    """

    namespace: str
    secret: str
    service: str
    webhook: str
    labels: Mapping[str, str] = {}


class Outcome(msgspec.Struct, frozen=True):
    """What was done.

    Attributes:
        made: Why a new certificate was made; empty when the one that was there stays.
        trusted: ``patched``, ``unchanged``, or ``absent`` where there is no such webhook configuration (yet).
        expiry: When the certificate ends.
        renewal: When it is to be replaced.
    """

    made: str
    trusted: str
    expiry: datetime
    renewal: datetime


class Keeper:
    """Makes what is missing and renews what is old.

    Args:
        api: The API server.
        names: Where everything is.
        clock: The time, with a zone.
        lifetime: How long a new certificate is valid.
    """

    def __init__(
        self,
        api: Api,
        names: Names,
        clock: Callable[[], datetime],
        lifetime: timedelta = certificates.LIFETIME,
    ) -> None:
        self._api = api
        self._names = names
        self._clock = clock
        self._lifetime = lifetime
        self._hosts = certificates.hosts(names.service, names.namespace)
        self._place = paths.grouped("v1", "secrets", names.secret, namespace=names.namespace)

    def keep(self) -> Outcome:
        """See that there is a certificate, that it is not old, and that the API server trusts it.

        Raises:
            ApiError: The API server refused, or did not answer; what was done so far holds.
            HeteroError: Others changed the Secret all the time.
        """
        for _ in range(ATTEMPTS):
            try:
                return self._kept()
            except ApiError as error:
                if error.status != 409:
                    raise
                _log.info("another changed it meanwhile; reading again", secret=self._names.secret)
        raise HeteroError(f"Secret {self._names.namespace}/{self._names.secret} is changed by others all the time")

    def _kept(self) -> Outcome:
        now = self._clock()
        secret = _found(self._api, self._place)
        files = _files(secret)
        reason = certificates.due(files, self._hosts, now)
        if reason:
            files = certificates.issue(self._hosts, now, self._lifetime, files.authorities)
            if secret is not None:  # one may be served, and soon the other
                self._trust(files.authorities)
            self._write(secret, files)
        return Outcome(
            made=reason,
            trusted=self._trust(files.authorities),
            expiry=certificates.expiry(files),
            renewal=certificates.renewal(files),
        )

    def _write(self, secret: Mapping[str, Any] | None, files: Files) -> None:
        data = {key: base64.b64encode(value).decode() for key, value in files.data().items()}
        if secret is None:
            metadata = {"name": self._names.secret, "labels": dict(self._names.labels)}
            document = {"metadata": metadata, "type": SECRET_TYPE, "data": data}
            place = paths.grouped("v1", "secrets", namespace=self._names.namespace)
            self._api.post(place, msgspec.json.encode(document))
            return
        version = {"metadata": {"resourceVersion": secret["metadata"]["resourceVersion"]}}
        self._api.patch(self._place, msgspec.json.encode({**version, "data": data}))

    def _trust(self, authorities: bytes) -> str:
        """Write the bundle into every webhook of the configuration that has another."""
        wanted = base64.b64encode(authorities).decode()
        path = paths.grouped("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", self._names.webhook)
        found = _found(self._api, path)
        if found is None:
            return "absent"
        changes = [
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": wanted}
            for index, hook in enumerate(found.get("webhooks") or ())
            if hook["clientConfig"].get("caBundle") != wanted
        ]
        if not changes:
            return "unchanged"
        # The numbers of the webhooks are those of this version alone.
        seen = {"op": "test", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]}
        self._patched(path, [seen, *changes])
        return "patched"

    def _patched(self, path: str, changes: list[dict[str, str]]) -> None:
        try:
            self._api.patch(path, msgspec.json.encode(changes), JSON_PATCH)
        except ApiError as error:
            if error.status != 422:  # the test failed: it was changed meanwhile
                raise
            raise ApiError(409, "Conflict", error.message) from error


def _files(secret: Mapping[str, Any] | None) -> Files:
    """What a Secret holds; of one that is damaged as much as can be read."""
    data = (secret or {}).get("data") or {}
    return Files.of({key: base64.b64decode(value) for key, value in data.items()})


def _found(api: Api, path: str) -> Any:
    try:
        return msgspec.json.decode(api.get(path))
    except ApiError as error:
        if error.status == 404:
            return None
        raise
