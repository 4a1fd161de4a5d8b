"""What went wrong with a request, as one error.

Source: Kubernetes, apimachinery ``metav1.Status``; RFC 9110 section 10.2.3 for ``Retry-After``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from urllib3 import exceptions as http

from hetero.errors import ApiError
from hetero.kube.objects import Object

UNREACHABLE = (
    http.ConnectTimeoutError,
    http.NewConnectionError,
    http.SSLError,
    http.ProxyError,
    http.LocationValueError,
)
"""Failures before anything was sent."""

LONGEST_WAIT = 60.0
"""Seconds; a server that asks for more is asked again after these."""

SHOWN = 300
"""Characters of an answer that is no Status."""


class StatusDetails(Object, frozen=True):
    """``details`` of a Status, as far as they matter here."""

    retry_after_seconds: int = 0


class Status(Object, frozen=True):
    """How the API server says that it refuses."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails | None = None


_STATUS = msgspec.json.Decoder(Status)


def word(error: http.HTTPError) -> str:
    """``Unreachable``, ``Timeout`` or ``Disconnected``."""
    if isinstance(error, UNREACHABLE):
        return "Unreachable"
    return "Timeout" if isinstance(error, http.TimeoutError) else "Disconnected"


def unanswered(request: str, error: http.HTTPError) -> ApiError:
    """The error for a request without an answer."""
    return ApiError(0, word(error), f"{request}: {error}")


def refused(request: str, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The error for an answer that is not a success; a proxy's answer need not be a Status."""
    try:
        said = _STATUS.decode(body)
    except msgspec.MsgspecError:
        said = Status(message=body[:SHOWN].decode(errors="replace").strip())
    return ApiError(
        status,
        said.reason or _phrase(status),
        f"{request}: {said.message or 'it gave no reason'}",
        retry_after(headers.get("Retry-After")) or _asked(said),
    )


def told(status: Status) -> ApiError:
    """The error for a Status that came within a watch."""
    return ApiError(status.code, status.reason or _phrase(status.code), status.message, _asked(status))


def retry_after(text: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header, between 0 and a minute; ``None`` for dates, which Kubernetes never sends."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None


def _asked(status: Status) -> float | None:
    seconds = status.details.retry_after_seconds if status.details else 0
    return retry_after(str(seconds)) if seconds else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.replace(" ", "")
    except ValueError:
        return "Unknown"
