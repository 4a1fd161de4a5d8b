"""How the API server says no: an HTTP status, a word, a sentence.

Source: Kubernetes, apimachinery ``pkg/api/errors``; the sentences are spelled as there where clients read them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Refused(Exception):
    """A request that is answered with a Status.

    Args:
        code: HTTP status.
        reason: Kubernetes' word.
        message: The sentence.
        retry_after: Seconds for the ``Retry-After`` header; ``None`` sends none.
    """

    def __init__(self, code: int, reason: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    def status(self) -> dict[str, Any]:
        """The Status object."""
        details = {"details": {"retryAfterSeconds": self.retry_after}} if self.retry_after is not None else {}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
            **details,
        }

    def body(self) -> bytes:
        """The Status as it is sent."""
        return msgspec.json.encode(self.status())


REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
"""The word that goes with a status."""


def refused(code: int, message: str) -> Refused:
    """A refusal with the word that goes with its status."""
    return Refused(code, REASONS.get(code, "Unknown"), message)


def not_found(resource: str, name: str) -> Refused:
    """There is no such object."""
    return refused(404, f'{resource} "{name}" not found')


def already_exists(resource: str, name: str) -> Refused:
    """There is one already."""
    return Refused(409, "AlreadyExists", f'{resource} "{name}" already exists')


def conflict(resource: str, name: str, why: str) -> Refused:
    """The object is not as the request supposes."""
    return refused(409, f'Operation cannot be fulfilled on {resource} "{name}": {why}')


def invalid(kind: str, name: str, why: str) -> Refused:
    """The object may not be like this."""
    return refused(422, f'{kind} "{name}" is invalid: {why}')


SUCCESS = msgspec.json.encode({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
"""What a binding is answered with."""
