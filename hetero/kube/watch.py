"""One watch: a stream of lines that never comes back once it has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from hetero.kube import failures

CHUNK = 1 << 16
"""Bytes read at once."""


class Watch:
    """The lines of a watch, each one JSON object, in the order of the changes. One thread reads; any may close.

    Iterating ends when the server ends the stream or after :meth:`close`.

    Raises:
        ApiError: While iterating: the connection broke (a line that was cut off is not given), or nothing came for too
            long.
    """

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for line in whole_lines(self._response.stream(CHUNK)):
                if self._closed:
                    break
                yield line
        # What a socket that another thread has shut down says differs from one TLS library to the next.
        except (HTTPError, OSError, ValueError) as error:
            if not self._closed:
                raise failures.unanswered("watch", _named(error)) from error
        finally:
            self._response.close()

    def close(self) -> None:
        """End the stream, also for a thread that waits for its next line."""
        self._closed = True
        # It may have ended by itself.
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            self._response.shutdown()


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The complete lines in a stream that is cut anywhere; what follows the last line end is dropped."""
    parts: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        parts.append(first)
        if others:
            *whole, last = (b"".join(parts), *others)
            yield from filter(None, whole)
            parts = [last]


def _named(error: Exception) -> HTTPError:
    return error if isinstance(error, HTTPError) else HTTPError(str(error))
