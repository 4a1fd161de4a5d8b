"""The certificate in a cluster: made once, trusted before it is served, kept by any number of jobs at once."""

from __future__ import annotations

import base64
import threading
from datetime import datetime, timedelta

import msgspec
import pytest
from cryptography import x509

from hetero.errors import ApiError, HeteroError
from hetero.install import certificates
from hetero.install.webhook import Keeper, Names
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer

NAMES = Names(namespace="kube-system", secret="cert", service="svc", webhook="pods.hetero.io", labels={"a": "b"})
SECRET = paths.grouped("v1", "secrets", "cert", namespace="kube-system")
SECRETS = paths.grouped("v1", "secrets", namespace="kube-system")
HOOKS = paths.grouped("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations")
HOOK = f"{HOOKS}/pods.hetero.io"


@pytest.fixture
def hooks(api: Api) -> str:
    """A configuration with two webhooks that trust nobody."""
    client = {"service": {"name": "svc", "namespace": "kube-system"}}
    hooks = [{"name": name, "clientConfig": client} for name in ("one.hetero.io", "two.hetero.io")]
    api.post(HOOKS, msgspec.json.encode({"metadata": {"name": "pods.hetero.io"}, "webhooks": hooks}))
    return HOOK


def keeper(api: Api, now: datetime) -> Keeper:
    """One who lives at that time."""
    return Keeper(api, NAMES, lambda: now)


def secret(api: Api) -> dict[str, bytes]:
    """What is in the Secret."""
    found = msgspec.json.decode(api.get(SECRET))
    return {key: base64.b64decode(value) for key, value in found["data"].items()}


def trusted(api: Api) -> set[bytes]:
    """The bundles of all webhooks."""
    found = msgspec.json.decode(api.get(HOOK))["webhooks"]
    return {base64.b64decode(one["clientConfig"].get("caBundle", "")) for one in found}


def count(pem: bytes) -> int:
    """How many certificates a bundle has."""
    return len(x509.load_pem_x509_certificates(pem))


def test_the_first_certificate(api: Api, hooks: str, now: datetime) -> None:
    """A labelled Secret of the kind that volumes of pods take, and every webhook trusts its authority."""
    outcome = keeper(api, now).keep()
    assert (outcome.made, outcome.trusted) == ("there is none that can be read", "patched")
    found = msgspec.json.decode(api.get(SECRET))
    assert (found["type"], found["metadata"]["labels"]) == ("kubernetes.io/tls", {"a": "b"})
    assert trusted(api) == {secret(api)["ca.crt"]}
    assert outcome.expiry == now + timedelta(days=365)


def test_before_the_webhook_is_there(api: Api, now: datetime) -> None:
    """The Secret is made all the same: the pod waits for it. The second time finds the webhook."""
    assert keeper(api, now).keep().trusted == "absent"
    before = secret(api)
    api.post(HOOKS, msgspec.json.encode({"metadata": {"name": "pods.hetero.io"},
                                         "webhooks": [{"name": "x", "clientConfig": {}}]}))  # fmt: skip
    outcome = keeper(api, now).keep()
    assert (outcome.made, outcome.trusted) == ("", "patched")
    assert secret(api) == before
    assert trusted(api) == {before["ca.crt"]}


def test_nothing_is_written_twice(api: Api, server: ApiServer, hooks: str, now: datetime) -> None:
    """A second run reads and leaves everything as it is."""
    keeper(api, now).keep()
    before = api.get(SECRET), api.get(HOOK)
    outcome = keeper(api, now + timedelta(days=200)).keep()
    assert (outcome.made, outcome.trusted) == ("", "unchanged")
    assert (api.get(SECRET), api.get(HOOK)) == before


def test_a_renewal_is_trusted_before_it_is_served(api: Api, server: ApiServer, hooks: str, now: datetime) -> None:
    """When the Secret changes, the API server trusts both authorities already; it does so until the old one ends."""
    keeper(api, now).keep()
    old = secret(api)
    begun = len(server.calls())
    outcome = keeper(api, now + timedelta(days=300)).keep()
    assert outcome.made.startswith("it has been valid since 2026-11-29")
    new = secret(api)
    assert new["tls.crt"] != old["tls.crt"]
    written = [call for call in server.calls()[begun:] if call.method == "PATCH"]
    assert [call.path for call in written] == [HOOK, SECRET]
    assert base64.b64encode(new["ca.crt"]) in written[0].body
    assert trusted(api) == {new["ca.crt"]}
    assert count(new["ca.crt"]) == 2
    assert new["ca.crt"].endswith(old["ca.crt"])


def test_a_renewal_that_breaks_off_is_made_good(api: Api, server: ApiServer, hooks: str, now: datetime) -> None:
    """Trust was written, the Secret was not: the old certificate is still trusted, and the next run renews."""
    keeper(api, now).keep()
    later = now + timedelta(days=300)
    server.fail(method="PATCH", path_contains="/secrets", status=500)
    with pytest.raises(ApiError):
        keeper(api, later).keep()
    [bundle] = trusted(api)
    assert count(bundle) == 2
    assert secret(api)["ca.crt"] in bundle
    assert keeper(api, later).keep().made
    assert trusted(api) == {secret(api)["ca.crt"]}


def test_many_at_once_end_with_one(api: Api, server: ApiServer, hooks: str, now: datetime) -> None:
    """Hooks and the daily job may meet: all end well, and what is served is trusted."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            Keeper(server.api(), NAMES, lambda: now).keep()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert trusted(api) == {secret(api)["ca.crt"]}
    assert count(secret(api)["ca.crt"]) == 1


def test_somebody_elses_trust_is_replaced(api: Api, hooks: str, now: datetime) -> None:
    """An upgrade or a person wrote another bundle: the next run writes the right one."""
    keeper(api, now).keep()
    change = [{"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "AAAA"}]
    api.patch(HOOK, msgspec.json.encode(change), "application/json-patch+json")
    assert keeper(api, now).keep().trusted == "patched"
    assert trusted(api) == {secret(api)["ca.crt"]}


def test_a_damaged_secret_is_made_good(api: Api, hooks: str, now: datetime) -> None:
    """A Secret that somebody made by hand, or emptied."""
    api.post(SECRETS, msgspec.json.encode({"metadata": {"name": "cert"}}))
    assert keeper(api, now).keep().made == "there is none that can be read"
    assert certificates.due(certificates.Files.of(secret(api)), certificates.hosts("svc", "kube-system"), now) == ""


def test_without_end_is_not_tried(api: Api, server: ApiServer, now: datetime) -> None:
    """A Secret that never stays the same is told, by its name."""
    server.fail(method="POST", path_contains="/secrets", status=409, times=100)
    with pytest.raises(HeteroError, match="kube-system/cert is changed by others"):
        keeper(api, now).keep()


def test_a_refusal_is_told(api: Api, server: ApiServer, now: datetime) -> None:
    """Without the right to read the Secret nothing is made."""
    server.fail(path_contains="/secrets", status=403)
    with pytest.raises(ApiError) as caught:
        keeper(api, now).keep()
    assert caught.value.status == 403
