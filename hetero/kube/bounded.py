"""An answer of which nobody knows how long it is: read up to a size and a time, and given up beyond."""

from __future__ import annotations

import time

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as Late

CHUNK = 1 << 16
"""Bytes read at once."""


class TooLong(HTTPError):
    """An answer is longer than it may be."""


class TooSlow(Late):
    """An answer takes longer than it may."""


def read(response: BaseHTTPResponse, limit: int, seconds: float) -> bytes:
    """The whole body. The connection is given back when it was read, and closed when it was given up.

    Args:
        response: Not read yet (``preload_content=False``).
        limit: Bytes that it may have. It was not asked to be compressed, and is not unpacked.
        seconds: That it may take. A piece that was waited for may come later by the request's own timeout.

    Raises:
        HTTPError: It is longer, takes longer, or breaks off.
    """
    until = time.monotonic() + seconds
    body = bytearray()
    try:
        for piece in response.stream(CHUNK, decode_content=False):
            body += piece
            if len(body) > limit:
                raise TooLong(f"the answer is longer than {limit} bytes")
            if time.monotonic() > until:
                raise TooSlow(f"the answer is not whole after {seconds:g} s")
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return bytes(body)
