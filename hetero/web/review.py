"""Asks the API server whose token it is, and whether its owner may see what the dashboard shows."""

from __future__ import annotations

from typing import Any

import msgspec

from hetero.errors import ApiError
from hetero.kube.client import Api
from hetero.web.problems import Refused
from hetero.web.sessions import Token

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

SEEN = ("pods", "nodes")
"""What a person must be allowed to list in the whole cluster."""

MOST = 16384
"""Characters of a token; those of service accounts have about a thousand."""


class _User(msgspec.Struct, frozen=True):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, list[str]] = {}


class _TokenStatus(msgspec.Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()


class _Reviewed(msgspec.Struct, frozen=True):
    status: _TokenStatus = _TokenStatus()


class _AccessStatus(msgspec.Struct, frozen=True):
    allowed: bool = False


class _Allowed(msgspec.Struct, frozen=True):
    status: _AccessStatus = _AccessStatus()


class Reviewer:
    """Reviews tokens. Blocks on the API server.

    Args:
        api: The API server, as an account that may create TokenReviews and SubjectAccessReviews.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def user(self, token: Token) -> str:
        """Whose token it is.

        Raises:
            Refused: 401, it is nobody's (any more); 403, its owner may not see pods and nodes; 503, the API server
                cannot be asked. No sentence says anything of the token.
        """
        if not token.text or len(token.text) > MOST or not token.text.isascii() or not token.text.isprintable():
            raise Refused(401, "this is no token; paste one that 'kubectl create token' writes")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token.text}}
        found = self._asked(TOKENS, body, _Reviewed).status
        if not found.authenticated or not found.user.username:
            raise Refused(401, "the token is not valid, or not any more; log in with a new one")
        for resource in SEEN:
            self._allowed(found.user, resource)
        return str(found.user.username)

    def _allowed(self, user: _User, resource: str) -> None:
        spec = {
            "user": user.username,
            "uid": user.uid,
            "groups": user.groups,
            "extra": user.extra,
            "resourceAttributes": {"verb": "list", "resource": resource},
        }
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        if not self._asked(ACCESS, body, _Allowed).status.allowed:
            raise Refused(403, f"{user.username} may not list {resource} in all namespaces, which this page shows")

    def _asked(self, path: str, body: dict[str, Any], kind: type[Any]) -> Any:
        try:
            return msgspec.json.decode(self._api.post(path, msgspec.json.encode(body)), type=kind)
        except (ApiError, msgspec.MsgspecError) as error:
            why = error.reason if isinstance(error, ApiError) else "Unreadable"
        # Raised here, so that no request with a token hangs on the exception.
        raise Refused(503, f"the API server cannot be asked who you are ({why}); try again soon", retry_after=5)
