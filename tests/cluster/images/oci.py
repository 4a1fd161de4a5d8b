"""Image archives, written by hand: the OCI image's configuration and layers, in the archive that `docker save` writes.

That archive (``manifest.json`` beside the blobs, https://github.com/moby/docker-image-spec, v1.2) names an image as
people do, ``hetero/agent:1``, and every engine reads it: ``ctr images import``, ``podman load``, ``docker load``.
An OCI layout would have to name it in full, with the host of a registry that it never was in.

Layers are not compressed: nothing of them travels, and importing them is faster so.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.images.tree import Tree

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's name of an architecture to Go's, which images use."""


@dataclass(frozen=True)
class Image:
    """An image before it is written.

    Attributes:
        name: With its tag.
        layers: From the lowest up.
        entrypoint: The program and its first arguments; what a pod gives as ``command`` replaces it.
        command: The arguments when a pod gives none.
        env: Variables.
        user: Who runs it, by number (``65532:65532``); "" for root.
        folder: Where it starts.
        labels: Whatever else there is to say.
    """

    name: str
    layers: Sequence[Tree]
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    folder: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict)

    def key(self) -> str:
        """What the archive depends on, as 16 hexadecimal digits."""
        told = json.dumps([self.name, self.settings(), [layer.digest() for layer in self.layers]], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def settings(self) -> dict[str, Any]:
        """The part of the configuration that a runtime starts a container by."""
        return {
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "Env": [f"{key}={value}" for key, value in sorted(self.env.items())],
            "User": self.user,
            "WorkingDir": self.folder,
            "Labels": dict(self.labels),
        }

    def configuration(self, layers: Sequence[str]) -> dict[str, Any]:
        """The OCI image configuration (image-spec v1.1, config.md), given the layers' digests.

        The history says nothing, but an engine that builds on the image counts its entries.
        """
        return {
            "architecture": ARCHITECTURES[platform.machine()],
            "os": "linux",
            "config": self.settings(),
            "rootfs": {"type": "layers", "diff_ids": list(layers)},
            "history": [{"created_by": "hetero"} for _ in layers],
        }


def write(image: Image, place: Path) -> None:
    """Write an image's archive; the file appears when all of it is there, and not before."""
    with tempfile.TemporaryDirectory(prefix=".image-", dir=place.parent) as directory:
        layers = [_layer(layer, Path(directory)) for layer in image.layers]
        half = Path(directory) / "image.tar"
        with tarfile.open(half, "w", format=tarfile.PAX_FORMAT) as archive:
            digests = [_put_layer(archive, layer) for layer in layers]
            configuration = _put(archive, _json(image.configuration(digests)))
            manifest = {"Config": configuration, "RepoTags": [image.name], "Layers": [_blob(one) for one in digests]}
            _add(archive, "manifest.json", _json([manifest]))
        half.replace(place)


def _layer(layer: Tree, directory: Path) -> Path:
    handle, made = tempfile.mkstemp(dir=directory)
    with os.fdopen(handle, "wb") as output:
        layer.write(output)
    return Path(made)


def _put_layer(archive: tarfile.TarFile, layer: Path) -> str:
    """Store a layer under its digest; two equal ones are one."""
    with layer.open("rb") as content:
        digest = f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
        content.seek(0)
        if _blob(digest) not in archive.getnames():
            header = tarfile.TarInfo(_blob(digest))
            header.size = layer.stat().st_size
            archive.addfile(header, content)
    layer.unlink()
    return digest


def _put(archive: tarfile.TarFile, content: bytes) -> str:
    name = _blob(f"sha256:{hashlib.sha256(content).hexdigest()}")
    _add(archive, name, content)
    return name


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    archive.addfile(header, io.BytesIO(content))


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True).encode()
