"""Calls over a unix socket, with types: the one module that knows gRPC."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NoReturn

import grpc

from hetero.allocation.api.methods import A, Method, Q
from hetero.errors import KubeletError

TEXT = 1024
"""Characters of an error's sentence that are sent; a header of gRPC has no room for much more."""

_SERVER = (
    # A second server on the same socket would take half of the calls.
    ("grpc.so_reuseport", 0),
)
_CLIENT = (
    # Without it the name of the server is the socket's path, which servers in other languages refuse (grpc #38142).
    ("grpc.default_authority", "localhost"),
    # A socket that was refused a moment ago is tried again at once, not after the last connection's back-off.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


class Refusal(Exception):
    """Raised by a handler: the call ends with UNAVAILABLE and these words."""


class Call:
    """A call that is being served.

    Args:
        context: gRPC's own.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def when_over(self, act: Callable[[], None]) -> bool:
        """Call ``act`` when the caller is gone or the server stops; False, and no call, when that is so already."""
        return bool(self._context.add_callback(act))


class Server:
    """Serves methods on a unix socket that only this user can connect to.

    Args:
        socket: Its path, at most 107 bytes long; a socket that is left there is replaced.
        pool: Runs the handlers; a handler of a stream keeps one thread as long as the stream lasts.
    """

    def __init__(self, socket: Path, pool: Executor) -> None:
        self.socket = socket
        self._server = grpc.server(pool, options=_SERVER)

    def add(self, method: Method[Q, A], handler: Callable[[Q], A]) -> None:
        """Answer one call with one answer. Before :meth:`start`."""

        def handle(request: Q, context: Any) -> A:
            with _refusing(context):
                return handler(request)

        self._add(method, grpc.unary_unary_rpc_method_handler, handle)

    def add_stream(self, method: Method[Q, A], handler: Callable[[Q, Call], Iterator[A]]) -> None:
        """Answer one call again and again, until the handler is done. Before :meth:`start`."""

        def handle(request: Q, context: Any) -> Iterator[A]:
            with _refusing(context):
                yield from handler(request, Call(context))

        self._add(method, grpc.unary_stream_rpc_method_handler, handle)

    def _add(self, method: Method[Q, A], kind: Any, handle: Callable[..., Any]) -> None:
        handler = kind(
            handle, request_deserializer=method.request.FromString, response_serializer=method.answer.SerializeToString
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(method.service, {method.name: handler}),)
        )

    def start(self) -> None:
        """Listen.

        Raises:
            KubeletError: The socket cannot be made.
        """
        try:
            self.socket.unlink(missing_ok=True)
            self._server.add_insecure_port(f"unix:{self.socket}")
            self.socket.chmod(0o600)
        except (OSError, RuntimeError) as error:
            raise KubeletError(str(self.socket), f"cannot be listened on: {error}") from error
        self._server.start()

    def stop(self, seconds: float = 0.0) -> None:
        """Close the socket, and end the calls that are not done in ``seconds``; returns when that is done."""
        self._server.stop(seconds).wait()


class Client:
    """Calls methods on a unix socket.

    Args:
        socket: Its path.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=_CLIENT)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all calls."""
        self._channel.close()

    def call(self, method: Method[Q, A], request: Q, seconds: float) -> A:
        """Ask once.

        Raises:
            KubeletError: Nobody listens there, no answer within ``seconds``, or a refusal.
        """
        send = self._channel.unary_unary(_path(method), **_coding(method))
        with self._naming():
            answer: A = send(request, timeout=seconds)
            return answer

    def stream(self, method: Method[Q, A], request: Q) -> Iterator[A]:
        """Ask once and yield the answers, until the other side ends or :meth:`close` is called.

        Raises:
            KubeletError: It ended with an error.
        """
        send = self._channel.unary_stream(_path(method), **_coding(method))
        with self._naming():
            yield from send(request)

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            raise KubeletError(str(self.socket), details or code.name, code.name) from error
        except ValueError as error:  # a channel that was closed meanwhile
            raise KubeletError(str(self.socket), str(error), "CANCELLED") from error


def _path(method: Method[Q, A]) -> str:
    return f"/{method.service}/{method.name}"


def _coding(method: Method[Q, A]) -> dict[str, Any]:
    return {
        "request_serializer": method.request.SerializeToString,
        "response_deserializer": method.answer.FromString,
    }


@contextlib.contextmanager
def _refusing(context: Any) -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        _abort(context, str(refusal))


def _abort(context: Any, text: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNAVAILABLE, text[:TEXT])
    raise AssertionError("abort does not return")


def sockets(folder: Path) -> Sequence[Path]:
    """The sockets in a folder."""
    return [path for path in sorted(folder.iterdir()) if path.is_socket()]
