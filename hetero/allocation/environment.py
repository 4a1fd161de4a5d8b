"""Container edits as the environment of a process on this machine. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits

PRELOAD = "LD_PRELOAD"
LIBRARY_PATH = "LD_LIBRARY_PATH"


def environment(edits: ContainerEdits, base: Mapping[str, str]) -> dict[str, str]:
    """The environment ``base`` with the edits made.

    What the loader already preloads or searches stays, behind what the edits add: a user's own preload library keeps
    working. Mounts and device nodes need nothing here, since the process sees the machine as it is.

    Raises:
        EnforcementError: A path cannot be told to the loader.
    """
    result = {**base, **edits.env}
    _prepend(result, PRELOAD, edits.preload)
    _prepend(result, LIBRARY_PATH, edits.library_path)
    return result


def merged(edits: Iterable[ContainerEdits]) -> ContainerEdits:
    """Several edits as one; of two that set the same variable, the later one wins."""
    parts = tuple(edits)
    return ContainerEdits(
        env={name: value for part in parts for name, value in part.env.items()},
        mounts=tuple(mount for part in parts for mount in part.mounts),
        device_nodes=tuple(dict.fromkeys(node for part in parts for node in part.device_nodes)),
        preload=tuple(dict.fromkeys(library for part in parts for library in part.preload)),
        library_path=tuple(dict.fromkeys(path for part in parts for path in part.library_path)),
    )


def _prepend(variables: dict[str, str], name: str, paths: tuple[str, ...]) -> None:
    for path in paths:
        # The loader would take the parts for files of their own, skip them, and run the program without its limits.
        if any(character.isspace() or character in ":;" for character in path):
            raise EnforcementError(
                f"{path!r} has a blank or a colon, which {name} cannot hold; install hetero in another directory"
            )
    if paths:
        present = [path for path in variables.get(name, "").split(":") if path and path not in paths]
        variables[name] = ":".join([*paths, *present])
