"""The server as tests see it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from hetero.kube.client import Api
from hetero.testing.apiserver import verbs
from hetero.testing.apiserver.faults import Call, Fault, Faults, failure
from hetero.testing.apiserver.proxies import Serve
from hetero.testing.apiserver.resources import target
from hetero.testing.apiserver.routes import Routes
from hetero.testing.apiserver.store import Store
from hetero.testing.apiserver.webhooks import Webhook
from hetero.testing.apiserver.wire import Listener
from hetero.testing.places import Port

NAMESPACES = ("default", "kube-system")


class ApiServer:
    """An API server in this process, on loopback: a real socket, a store in memory.

    A context manager: it serves within ``with``. Pods, nodes, namespaces, quotas, events, leases and a few other kinds
    are kept as the API server keeps them; nothing schedules, runs or collects them.

    Args:
        bookmark_every: Seconds of silence after which a watch is sent a bookmark.
        token: Requests without this bearer token are answered 401; empty for no check. May be changed while it runs.
        certificate: Files of a certificate for 127.0.0.1 and its key, to speak TLS.
    """

    def __init__(
        self, *, bookmark_every: float = 60.0, token: str = "", certificate: tuple[Path, Path] | None = None
    ) -> None:
        self.store = Store()
        self.token = token
        self._faults = Faults()
        self._routes = Routes(self.store, self._faults, bookmark_every, lambda: self.token)
        self._certificate = certificate
        self._listener: Listener | None = None
        self._port: Port | None = None
        for name in NAMESPACES:
            self.put("/api/v1/namespaces", {"metadata": {"name": name}})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        if self._port is not None:
            self._port.release()

    # Serving

    def start(self) -> None:
        """Listen; after :meth:`stop` on the same port, with the same objects."""
        context = None
        if self._certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*self._certificate)
        self._port = self._port or Port()
        self._listener = Listener(self._routes.respond, self._port.number, context)

    def stop(self) -> None:
        """Cut everybody off and stop listening; the objects stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._faults.clear()
        self.drop_watches()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._certificate else 'http'}://{self._port}"

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for it."""
        user = {"token": self.token} if self.token else {}
        trust = {"certificate-authority": str(self._certificate[0])} if self._certificate else {}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, **trust}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def api(self, *, timeout: float = 10.0) -> Api:
        """A client of it, whatever the environment says about kubeconfigs and proxies."""
        from kubernetes.client import Configuration  # noqa: PLC0415  slow: only where a client is wanted

        settings = Configuration(host=self.url)
        settings.proxy = None
        if self._certificate:
            settings.ssl_ca_cert = str(self._certificate[0])
        if self.token:
            settings.api_key["BearerToken"] = f"Bearer {self.token}"
        return Api(settings, timeout=timeout)

    # Objects

    def put(self, collection: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, or replace the one of its name, past all checks; its namespace is made if need be.

        Args:
            collection: Its path, ``/api/v1/pods`` or ``/api/v1/namespaces/x/pods``; see :mod:`hetero.kube.paths`.
            item: The object; the server adds what is missing, a pod's or node's status is kept as it is given.

        Returns:
            The object as it is kept.
        """
        return verbs.put(self.store, target(collection), dict(item))

    def objects(self, collection: str) -> list[dict[str, Any]]:
        """All objects of a collection, by namespace and name."""
        wanted = target(collection)
        with self.store.changed:
            there = dict(self.store.collection(wanted.resource).objects)
        return [there[key].item for key in sorted(there) if wanted.namespace in ("", key[0])]

    def remove(self, path: str) -> None:
        """Delete an object at once, past all checks."""
        verbs.remove(self.store, target(path))

    # What happens to requests

    def calls(self, method: str = "", path_contains: str = "") -> list[Call]:
        """The requests that came so far, oldest first, those that were answered with a fault too."""
        return self._faults.calls(method, path_contains)

    def fail(  # noqa: PLR0913  by name alone
        self,
        status: int,
        *,
        method: str = "",
        path_contains: str = "",
        times: int = 1,
        after: bool = False,
        retry_after: int | None = None,
    ) -> None:
        """Answer the next requests that match with an error.

        Args:
            status: HTTP status; 0 closes the connection without an answer.
            method: Only requests of this method.
            path_contains: Only requests whose path, with its query, contains this.
            times: How many.
            after: True to carry the request out first, so that only the answer is lost.
            retry_after: Seconds, for the header of that name.
        """
        error = failure(status, retry_after)
        self._faults.add(Fault(method=method, path_contains=path_contains, times=times, after=after, error=error))

    def stall(
        self, seconds: float, *, method: str = "", path_contains: str = "", times: int = 1, after: bool = False
    ) -> None:
        """Let the next requests that match wait before they are carried out, or (``after``) answered."""
        self._faults.add(Fault(method=method, path_contains=path_contains, times=times, after=after, seconds=seconds))

    def heal(self) -> None:
        """Forget all faults that are due; who is stalled goes on at once."""
        self._faults.clear()

    def drop_watches(self, *, midline: bool = False) -> None:
        """End all watches.

        Args:
            midline: True to break the connections within a line instead of ending the streams.
        """
        self._routes.drop_watches(midline=midline)

    def compact(self) -> None:
        """Forget all history: who watches or lists on from an earlier version is told 410."""
        self.store.compact()

    def webhook(
        self, url: str, *, context: ssl.SSLContext | None = None, ignorable: bool = False, timeout: float = 10.0
    ) -> None:
        """Have all pods that are created from now on reviewed; an empty URL ends that."""
        self._routes.webhook = Webhook(url, context, ignorable=ignorable, timeout=timeout) if url else None

    def let_in(self, token: str, name: str, *, may: Iterable[str] = (), groups: Iterable[str] = ()) -> None:
        """Know a person by a token, when a service asks by TokenReview, and what they may by SubjectAccessReview.

        Args:
            token: Anything but empty.
            name: Of the user.
            may: Permissions: ``list pods`` in all namespaces, ``list pods team`` in one, ``*`` for everything.
            groups: That the person is in.
        """
        self._routes.reviews.let_in(token, name, may, groups)

    def revoke(self, token: str) -> None:
        """Know a token no more."""
        self._routes.reviews.revoke(token)

    def proxy(self, serve: Serve | None) -> None:
        """Answer what is sent to pods by way of ``pods/NAME:PORT/proxy`` with a function; None: no pod can be reached.

        It is called by many threads at once. See :mod:`hetero.testing.apiserver.proxies`.
        """
        self._routes.serve = serve

    def wait(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until a condition of the objects or the calls holds; it is looked at a hundred times a second.

        Args:
            condition: A function without arguments.
            timeout: Seconds.

        Returns:
            Whether it came to hold.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True
