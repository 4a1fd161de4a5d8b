"""The files of the pages, read once: what is not in the table is not there, so no path leads out of it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from hetero.web.guard import problem

STATIC = Path(__file__).parent / "static"

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
"""Suffix to type; files of others are not served."""

_DENSE = (".png", ".ico", ".woff2")  # compressed already


@dataclass(frozen=True)
class File:
    """One file.

    Attributes:
        body: As it is.
        packed: The same by gzip; empty where that is no smaller.
        kind: Its type.
        etag: Known to browsers that have it.
    """

    body: bytes
    packed: bytes
    kind: str
    etag: str


class Files:
    """All files below a directory.

    Args:
        root: The directory.
    """

    def __init__(self, root: Path = STATIC) -> None:
        self._files = dict(_found(root))
        if "/index.html" in self._files:
            self._files["/"] = self._files["/index.html"]

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def answer(self, request: Request) -> Response:
        """The file at the request's path; browsers ask each time, and are told when they have it."""
        file = self._files.get(request.url.path)
        if file is None:
            return problem(404, f"there is nothing at {request.url.path[:200]}; the pages are at /")
        headers = {"etag": file.etag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if file.etag in _tags(request):
            return Response(status_code=304, headers=headers)
        packed = file.packed and "gzip" in request.headers.get("accept-encoding", "")
        if packed:
            headers["content-encoding"] = "gzip"
        return Response(file.packed if packed else file.body, headers=headers, media_type=file.kind)


def _found(root: Path) -> Iterator[tuple[str, File]]:
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        kind = KINDS.get(path.suffix)
        if kind is not None and path.is_file():
            yield f"/{path.relative_to(root).as_posix()}", _read(path, kind)


def _read(path: Path, kind: str) -> File:
    body = path.read_bytes()
    packed = b"" if path.suffix in _DENSE else gzip.compress(body, mtime=0)
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    return File(body, packed if len(packed) < len(body) else b"", kind, f'W/"{digest}"')


def _tags(request: Request) -> list[str]:
    return [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
