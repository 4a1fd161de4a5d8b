"""The server's side of a mutating webhook for pods.

Source: Kubernetes, "Dynamic Admission Control"; apiserver ``pkg/admission/plugin/webhook/mutating``.
"""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from hetero.testing.apiserver import patches, pods
from hetero.testing.apiserver.refusals import REASONS, Refused, refused

Item = dict[str, Any]


class Webhook:
    """One webhook, called when a pod is created.

    Args:
        url: Where reviews are posted.
        context: TLS of the connection.
        ignorable: ``failurePolicy: Ignore`` instead of ``Fail``.
        timeout: Seconds.
    """

    def __init__(self, url: str, context: ssl.SSLContext | None, *, ignorable: bool, timeout: float) -> None:
        self.url = url
        self._context = context
        self._ignorable = ignorable
        self._timeout = timeout

    def reviewed(self, item: Item, namespace: str) -> Item:
        """The pod as the webhook wants it.

        Raises:
            Refused: The webhook denies the pod (its code, or 403); it does not answer as it must, or its patch does not
                apply or makes a pod that the server would not take (500).
        """
        review = _review(item, namespace)
        try:
            response = self._asked(review)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            if self._ignorable:
                return item
            raise refused(500, f'failed calling webhook "{self.url}": {error}') from None
        if not response.get("allowed"):
            raise self._denied(response.get("status") or {})
        return self._applied(item, response)

    def _asked(self, review: Mapping[str, Any]) -> Item:
        request = urllib.request.Request(  # noqa: S310  the test says where
            self.url, msgspec.json.encode(review), {"Content-Type": "application/json"}, method="POST"
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        with opener.open(request, timeout=self._timeout) as answer:
            said = msgspec.json.decode(answer.read())
        response = said.get("response") if isinstance(said, dict) else None
        if not isinstance(response, dict) or said.get("kind") != "AdmissionReview":
            raise ValueError("the answer is no AdmissionReview")
        if said.get("apiVersion") != "admission.k8s.io/v1" or response.get("uid") != review["request"]["uid"]:
            raise ValueError("the answer has another version or UID than the request")
        return response

    def _denied(self, status: Mapping[str, Any]) -> Refused:
        code = int(status.get("code") or 403)
        told = status.get("message") or status.get("reason") or "denied"
        reason = status.get("reason") or REASONS.get(code, "Forbidden")
        return Refused(code, reason, f'admission webhook "{self.url}" denied the request: {told}')

    def _applied(self, item: Item, response: Mapping[str, Any]) -> Item:
        if not response.get("patch"):
            return item
        try:
            if response.get("patchType") != "JSONPatch":
                raise ValueError(f"patchType {response.get('patchType')!r} is not JSONPatch")
            operations = msgspec.json.decode(base64.b64decode(response["patch"], validate=True))
            made = patches.patched(item, operations)
            pods.check(pods.defaulted(made))
        except (ValueError, KeyError, TypeError, AttributeError, msgspec.MsgspecError, Refused) as error:
            raise refused(500, f'the patch of webhook "{self.url}" does not apply: {error}') from None
        return made  # type: ignore[no-any-return]


def _review(item: Item, namespace: str) -> Item:
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            # The pod has no name yet where one is to be generated.
            "name": item["metadata"].get("name", ""),
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "tester", "groups": ["system:authenticated"]},
            "object": item,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }
