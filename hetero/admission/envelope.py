"""The AdmissionReview in which the API server asks, and the one in which it is answered.

Source: Kubernetes API reference, admission.k8s.io/v1; v1beta1 has the same fields and is answered in kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from hetero.admission.fields import Described
from hetero.errors import InvalidValue
from hetero.kube.objects import Container, Object, Pod, PodSpec

VERSIONS = ("admission.k8s.io/v1", "admission.k8s.io/v1beta1")
"""The versions of AdmissionReview that are answered, the one to use first."""

T = TypeVar("T")

Operation = dict[str, Any]
"""One operation of a JSON patch (RFC 6902)."""


class Resource(Object, frozen=True):
    """What kind of object a request is about, as the API's paths name it."""

    group: str = ""
    resource: str = ""


class Request(Object, frozen=True, kw_only=True):
    """What the API server is about to do.

    Attributes:
        uid: Of the request; the answer repeats it.
        resource: The kind of object.
        sub_resource: A part of the object (``status``); empty for the whole.
        operation: ``CREATE``, ``UPDATE``, ``DELETE`` or ``CONNECT``.
        namespace: Of the object; its own metadata may leave it out.
        name: Of the object; empty while the API server is still to make it up.
        object: The object as it would be stored, undecoded.
    """

    uid: str
    resource: Resource = Resource()
    sub_resource: str = ""
    operation: str = ""
    namespace: str = ""
    name: str = ""
    object: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def creates_pod(self) -> bool:
        """True for a new pod; changes of one, and anything about other kinds, are nobody's business here."""
        return self.operation == "CREATE" and self.resource == _PODS and not self.sub_resource


class Review(Object, frozen=True, kw_only=True):
    """An AdmissionReview that asks."""

    api_version: str
    kind: str
    request: Request


class Cause(Object, frozen=True, kw_only=True):
    """One of several things that are wrong, with where it stands."""

    reason: str
    message: str
    field: str


class Details(Object, frozen=True, kw_only=True):
    """What a :class:`Status` is about."""

    name: str = ""
    kind: str = ""
    causes: tuple[Cause, ...] = ()


class Status(Object, frozen=True, kw_only=True):
    """Why a request is refused, as clients of the API read it."""

    status: str
    message: str
    reason: str
    code: int
    details: Details | None = None


class Response(Object, frozen=True, kw_only=True):
    """The verdict. A patch is JSON, which this encoding carries in base64 as the API wants it."""

    uid: str
    allowed: bool
    status: Status | None = None
    patch_type: str | None = None
    patch: bytes | None = None
    warnings: tuple[str, ...] = ()


class Answer(Object, frozen=True, kw_only=True):
    """An AdmissionReview that answers."""

    api_version: str
    kind: str
    response: Response


class SecurityContext(Object, frozen=True):
    """``securityContext`` of a container."""

    privileged: bool | None = None


class ReviewedContainer(Container, frozen=True):
    """A container with what only a review looks at."""

    security_context: SecurityContext | None = None


class ReviewedSpec(PodSpec, frozen=True, kw_only=True):
    """``spec`` of a pod under review."""

    containers: tuple[ReviewedContainer, ...] = ()
    init_containers: tuple[ReviewedContainer, ...] | None = None


class ReviewedPod(Pod, frozen=True, kw_only=True):
    """A pod under review."""

    spec: ReviewedSpec = ReviewedSpec()


_PODS = Resource(resource="pods")
_reviews = msgspec.json.Decoder(Review)
_pods = msgspec.json.Decoder(ReviewedPod)
_encoder = msgspec.json.Encoder()


def read(body: bytes) -> Review:
    """The question.

    Raises:
        InvalidValue: It is no AdmissionReview, or of a version that is not known here.
    """
    review = _decoded(_reviews, body, "AdmissionReview", "is no AdmissionReview")
    if review.kind != "AdmissionReview":
        raise InvalidValue("kind", review.kind, "is not understood here; send an AdmissionReview")
    if review.api_version not in VERSIONS:
        raise InvalidValue("apiVersion", review.api_version, f"is not understood here; send {' or '.join(VERSIONS)}")
    if not review.request.uid:
        raise InvalidValue("request.uid", review.request.uid, "is empty, so that no answer could be told from others")
    return review


def pod_of(request: Request) -> ReviewedPod:
    """The pod under review.

    Raises:
        InvalidValue: The object is no pod that an API server would send.
    """
    return _decoded(_pods, bytes(request.object), "request.object", "is no Pod")


def write(review: Review, response: Response, patch: Sequence[Operation]) -> bytes:
    """The answer to a review; without operations the object stays as it is."""
    if patch:
        response = msgspec.structs.replace(response, patch_type="JSONPatch", patch=_encoder.encode(patch))
    return _encoder.encode(Answer(api_version=review.api_version, kind=review.kind, response=response))


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes, field: str, otherwise: str) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise InvalidValue(field, Described(f"a text of {len(body)} bytes"), f"{otherwise}: {error}") from error
