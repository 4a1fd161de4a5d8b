"""Requests to the API server: bytes out, bytes in.

``kubernetes`` reads the configuration, keeps the credentials fresh and sets up TLS and proxies; its pool of connections
carries the requests. Its models are left alone: they take seconds to import and decode 70 times slower than structs.

Nothing is ever sent twice here. A request that fails raises, and its sender knows whether to send it again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import urllib3
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from hetero import metrics
from hetero.errors import ApiError
from hetero.kube import bounded, configuration, failures
from hetero.kube.watch import Watch

if TYPE_CHECKING:
    from kubernetes.client import Configuration

CONNECTIONS = 48
"""Connections kept open: 32 threads that bind, and some for watches and events. More are opened when needed."""

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Api:
    """An API server, as one account. Thread-safe.

    Args:
        settings: Where the server is and how to log in; :meth:`connect` finds it.
        timeout: Seconds to wait for a connection, and for each piece of an answer.
    """

    def __init__(self, settings: Configuration, *, timeout: float = 10.0) -> None:
        from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415  a second and 40 MiB: not for --help

        settings.connection_pool_maxsize = CONNECTIONS
        settings.keep_alive = True
        self.timeout = timeout
        self._settings = settings
        self._pool: Any = RESTClientObject(settings).pool_manager
        # The hook that renews a token is not made for threads.
        self._credentials = threading.Lock()

    @classmethod
    def connect(cls, kubeconfig: str | None = None, context: str | None = None, *, timeout: float = 10.0) -> Self:
        """The server that a kubeconfig names, or the one of the cluster that this process runs in.

        Args:
            kubeconfig: A file; without it ``$KUBECONFIG``, then ``~/.kube/config``, then the pod's service account.
            context: One of the file's contexts; without it the current one.
            timeout: Seconds to wait for a connection, and for each piece of an answer.

        Raises:
            InvalidConfiguration: There is no such file, it cannot be used, or there is none and this is no pod.
        """
        return cls(configuration.load(kubeconfig, context), timeout=timeout)

    def get(self, path: str, query: Mapping[str, str] | None = None, *, timeout: float | None = None) -> bytes:
        """What is at a path.

        Args:
            path: Of an object or a collection.
            query: Selectors, pages.
            timeout: Seconds for each piece of the answer, where that is more than usual.

        Raises:
            ApiError: The server refused, or did not answer. So do all requests.
        """
        patience = urllib3.Timeout(connect=self.timeout, read=timeout or self.timeout)
        target = _target(path, query)
        return self._read("GET", target, self._send("GET", target, timeout=patience))

    def relayed(self, path: str, *, limit: int, seconds: float) -> bytes:
        """What a pod answers, by way of the server: see :func:`hetero.kube.paths.relayed`.

        A pod that cannot be reached is no failure of the server, and is not counted as one.

        Args:
            path: Of the pod's port.
            limit: Bytes of the answer.
            seconds: For all of it.

        Raises:
            ApiError: The server refused, or it did not reach the pod; the answer is too long or took too long.
        """
        timeout = urllib3.Timeout(connect=min(self.timeout, seconds), read=seconds)
        try:
            response = self._open("GET", path, timeout=timeout, preload_content=False)
            body = bounded.read(response, limit, seconds)
        except HTTPError as error:
            raise failures.unanswered(f"GET {path}", error) from error
        if response.status >= 300:
            raise failures.refused(f"GET {path}", response.status, response.headers, body)
        return body

    def post(self, path: str, body: bytes) -> bytes:
        """Create what the body, JSON, says."""
        return self._request("POST", path, body, "application/json")

    def patch(self, path: str, body: bytes, content_type: str = MERGE_PATCH) -> bytes:
        """Change what is at a path."""
        return self._request("PATCH", path, body, content_type)

    def delete(self, path: str, body: bytes = b"") -> bytes:
        """Delete what is at a path; the body may hold ``DeleteOptions``."""
        return self._request("DELETE", path, body or None, "application/json")

    def watch(self, path: str, query: Mapping[str, str] | None = None, *, silence: float = 90.0) -> Watch:
        """Follow the changes of a collection.

        Args:
            path: The collection.
            query: Where to begin (``resourceVersion``), selectors, bookmarks.
            silence: Seconds without a byte after which the stream is taken for dead.
        """
        target = _target(path, {**(query or {}), "watch": "true"})
        timeout = urllib3.Timeout(connect=self.timeout, read=silence)
        response = self._send("GET", target, preload_content=False, timeout=timeout)
        if response.status != 200:
            try:
                raise self._refused("GET", target, response.status, response.headers, response.read())
            finally:
                response.close()
        return Watch(response)

    def close(self) -> None:
        """Give up the idle connections."""
        self._pool.clear()

    def _request(self, method: str, target: str, body: bytes | None = None, content_type: str = "") -> bytes:
        return self._read(method, target, self._send(method, target, body, content_type))

    def _read(self, method: str, target: str, answer: BaseHTTPResponse) -> bytes:
        data: bytes = answer.data
        if answer.status >= 300:
            raise self._refused(method, target, answer.status, answer.headers, data)
        return data

    def _send(self, method: str, target: str, body: bytes | None = None, content_type: str = "", **options: Any) -> Any:
        try:
            return self._open(method, target, body, content_type, **options)
        except HTTPError as error:
            metrics.api_failures.add(failures.word(error))
            raise failures.unanswered(f"{method} {target}", error) from error

    def _open(self, method: str, target: str, body: bytes | None = None, content_type: str = "", **options: Any) -> Any:
        headers = {"Accept": "application/json", "User-Agent": "hetero", **self._authorization()}
        if body is not None:
            headers["Content-Type"] = content_type
        options = {"timeout": urllib3.Timeout(connect=self.timeout, read=self.timeout), **options}
        url = f"{self._settings.host}{target}"
        return self._pool.urlopen(method, url, body=body, headers=headers, retries=False, redirect=False, **options)

    @staticmethod
    def _refused(method: str, target: str, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
        error = failures.refused(f"{method} {target}", status, headers, body)
        metrics.api_failures.add(error.reason)
        return error

    def _authorization(self) -> dict[str, str]:
        """The header with the token, renewed where it has run out (a file that rotates, a program that is run)."""
        try:
            with self._credentials:
                found = self._settings.auth_settings().get("BearerToken")
        # A file that is gone, a program that fails, whatever it writes: nothing was sent.
        except Exception as error:
            metrics.api_failures.add("Unreachable")
            raise ApiError(0, "Unreachable", f"the credentials cannot be renewed: {error}") from error
        return {"Authorization": found["value"]} if found and found["value"] else {}


def _target(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path
