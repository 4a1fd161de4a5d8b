"""Container edits as a specification of the Container Device Interface, and the names that it goes by. Pure.

Each allocation has a name of its own, so that a specification is of one container and old content can never be
injected under a name that is used again. Source of the format: CDI specification 0.6.0, ``SPEC.md``; of what a runtime
refuses: its library 1.1.0, ``pkg/cdi/container-edits.go``.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from hetero.allocation.environment import environment
from hetero.allocation.held import Held
from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits, DeviceNode, Mount

VENDOR, CLASS = "hetero.io", "slice"
KIND = f"{VENDOR}/{CLASS}"
"""Of all our devices. Neither part may be one letter long: the library 1.1.0 panics at that."""

VERSION = "0.6.0"
"""The oldest that has all that is used; containerd 1.7 reads it."""

LIBRARIES = "/usr/local/lib/hetero"
"""Where a container finds the libraries that its loader loads first."""

PRELOAD_FILE = "/etc/ld.so.preload"
"""Where the loader reads of them. Source: ld.so(8)."""

_DEVICE = re.compile(r"[0-9a-f]{20}-[0-9a-f]{8}")
_FILE = re.compile(rf"{re.escape(VENDOR)}-{CLASS}-({_DEVICE.pattern})\.json")
_Placed = TypeVar("_Placed", Mount, DeviceNode)
_SEPARATES = re.compile(r"[\s:;]")


def device(ids: Iterable[str], nonce: str = "") -> str:
    """A name for one allocation of these slots, in any order; another one at each call unless ``nonce`` is given.

    Args:
        ids: The slots.
        nonce: Eight hexadecimal digits.
    """
    digest = hashlib.sha256("\0".join(sorted(ids)).encode()).hexdigest()
    return f"{digest[:20]}-{nonce or secrets.token_hex(4)}"


def qualified(name: str) -> str:
    """The name by which the kubelet and the runtime ask for a device."""
    return f"{KIND}={name}"


def devices(held: Held) -> tuple[str, ...]:
    """Our devices among those that a container was promised; none when another plugin allocated."""
    found = (one.removeprefix(f"{KIND}=") for one in held.cdi_names if one.startswith(f"{KIND}="))
    # It becomes the name of a file, and comes from one: nothing else is taken for a device.
    return tuple(name for name in found if _DEVICE.fullmatch(name))


def file_name(name: str) -> str:
    """The file of a device's specification."""
    return f"{VENDOR}-{CLASS}-{name}.json"


def device_of(file: str) -> str:
    """The device of a file's name; empty when it is not ours."""
    found = _FILE.fullmatch(file)
    return found[1] if found else ""


def contained(edits: ContainerEdits, copies: Mapping[str, str], preload_file: str) -> ContainerEdits:
    """Edits with mounts and variables alone: what the loader is to load and to search, as a container is told it.

    ``LD_LIBRARY_PATH`` takes the place of what the image has, which nobody knows here.

    Args:
        edits: As a vendor gives them.
        copies: For each of ``edits.preload``, the file of the host to mount.
        preload_file: A file of the host with :func:`preload_text`; needed where something is preloaded.

    Raises:
        EnforcementError: Two libraries have one name, or a path cannot be told to the loader.
    """
    names = _preloaded(edits)
    mounts = [Mount(host_path=copies[library], container_path=names[library]) for library in names]
    if mounts:
        mounts.append(Mount(host_path=preload_file, container_path=PRELOAD_FILE))
    env = environment(msgspec.structs.replace(edits, preload=()), {})
    return ContainerEdits(env=env, mounts=(*edits.mounts, *mounts), device_nodes=edits.device_nodes)


def preload_text(edits: ContainerEdits) -> str:
    """What ``/etc/ld.so.preload`` says in the container; empty where nothing is preloaded.

    Raises:
        EnforcementError: As :func:`contained`.
    """
    return "".join(f"{path}\n" for path in _preloaded(edits).values())


def _preloaded(edits: ContainerEdits) -> dict[str, str]:
    """Library of the host to its path in the container."""
    names = {library: f"{LIBRARIES}/{posixpath.basename(library)}" for library in edits.preload}
    if len(set(names.values())) < len(names):
        raise EnforcementError(f"two libraries to preload have the same name: {', '.join(names)}")
    for path in names.values():
        # The loader would take the parts for libraries of their own, miss them, and go on without any.
        if _SEPARATES.search(path):
            raise EnforcementError(f"{path!r} has a blank or a colon, which {PRELOAD_FILE} cannot hold; rename it")
    return names


def spec(name: str, edits: ContainerEdits) -> bytes:
    """The specification of one device, as it stands in its file: the same bytes for the same edits.

    Args:
        name: From :func:`device`.
        edits: From :func:`contained`.

    Raises:
        EnforcementError: A runtime would refuse it, or let one edit undo another.
    """
    if edits.preload or edits.library_path:
        raise EnforcementError("a specification has no place for what the loader loads first or searches")
    changed = {
        "env": _variables(edits.env),
        "mounts": [_mount(mount) for mount in _distinct("mount", edits.mounts)],
        "deviceNodes": [_node(node) for node in _distinct("device", map(_renamed, edits.device_nodes))],
    }
    # A device without any edit is invalid for the runtime; a share that needs none is not.
    made = {part: value for part, value in changed.items() if value} or {"env": [f"HETERO_SLICE={name}"]}
    file = {"cdiVersion": VERSION, "kind": KIND, "devices": [{"name": name, "containerEdits": made}]}
    try:
        return msgspec.json.encode(file)
    except UnicodeEncodeError as error:
        raise EnforcementError(f"{error.object!r} is no text, and a specification holds nothing else") from error


def _variables(env: Mapping[str, str]) -> list[str]:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            raise EnforcementError(f"{name!r}={value!r} cannot be a variable of a program")
    return [f"{name}={value}" for name, value in sorted(env.items())]


def _mount(mount: Mount) -> dict[str, object]:
    options = ["rbind", "nosuid", "ro" if mount.read_only else "rw"]
    return {"hostPath": mount.host_path, "containerPath": mount.container_path, "options": options}


def _node(node: DeviceNode) -> dict[str, object]:
    # Not "m": a container has no reason to make device files.
    return {"path": node.container_path, "hostPath": node.host_path, "permissions": "rw"}


def _renamed(node: str | DeviceNode) -> DeviceNode:
    return DeviceNode(host_path=node, container_path=node) if isinstance(node, str) else node


def _distinct(what: str, given: Iterable[_Placed]) -> list[_Placed]:
    """Each once. Of two at the same place in the container a runtime would keep the later one, without a word."""
    found: dict[str, _Placed] = {}
    for one in given:
        _check(what, one)
        place = posixpath.normpath(one.container_path)
        if found.setdefault(place, one) != one:
            raise EnforcementError(
                f"{what}s of {found[place].host_path} and of {one.host_path} would both be {place} in the container"
            )
    return list(found.values())


def _check(what: str, one: Mount | DeviceNode) -> None:
    for path in (one.host_path, one.container_path):
        if not path.startswith("/") or "\0" in path:
            raise EnforcementError(f"{path!r} is no absolute path for a {what}")
