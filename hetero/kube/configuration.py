"""Where the API server is and how to log in, as ``kubernetes`` reads it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hetero.errors import InvalidConfiguration

if TYPE_CHECKING:
    from kubernetes.client import Configuration

DEFAULT = "~/.kube/config"

NAMED = 10
"""Contexts that are named where the one that was asked for is none of them."""


def load(kubeconfig: str | None, context: str | None) -> Configuration:
    """The named kubeconfig, the one of the environment or the home directory, or the pod's service account.

    Raises:
        InvalidConfiguration: There is no such file, it cannot be used, or there is none and this is no pod.
    """
    from kubernetes.client import Configuration  # noqa: PLC0415  a second and 40 MiB: not for --help

    settings = Configuration()
    named = kubeconfig or found()
    if named is None:
        _in_cluster(settings)
    else:
        _from_file(settings, named, context)
    return settings


def found() -> str | None:
    """The kubeconfig that a person's other tools would use: ``$KUBECONFIG`` (it may name several), or the default."""
    named = os.environ.get("KUBECONFIG", "")
    if named:
        return named
    default = Path(DEFAULT).expanduser()
    return str(default) if _is_file(default) else None


def _from_file(settings: Configuration, path: str, context: str | None) -> None:
    from kubernetes.config import load_kube_config  # noqa: PLC0415

    if not any(_is_file(Path(one).expanduser()) for one in path.split(os.pathsep)):
        raise InvalidConfiguration(path, "is no file; name a kubeconfig, or set KUBECONFIG")
    try:
        load_kube_config(path, context, settings, persist_config=False)  # type: ignore[no-untyped-call]
    except (AttributeError, LookupError, TypeError) as error:  # the loader's own words are of Python's types
        reason = "cannot be used as a kubeconfig: its parts are not those of one; name another, or set KUBECONFIG"
        raise InvalidConfiguration(path, reason) from error
    # Whatever else a person may have written into the file; the loader lets most of it through as it is.
    except Exception as error:
        _refuse_context(path, context)
        raise InvalidConfiguration(path, f"cannot be used as a kubeconfig: {_sentence(error)}") from error


def _refuse_context(path: str, context: str | None) -> None:
    """Of a context that there is none of, those that there are; the loader tells no more than that it looked for it.

    Raises:
        InvalidConfiguration: The file can be read and has no context of that name.
    """
    from kubernetes.config.kube_config import KubeConfigMerger  # noqa: PLC0415

    if not context:
        return
    try:
        merged = KubeConfigMerger(path)  # type: ignore[no-untyped-call]
        names = sorted(str(one["name"]) for one in merged.config["contexts"].value)
    except Exception:  # the file is wrong in another way, too, and that is told
        return
    if context not in names:
        raise InvalidConfiguration(path, f"has no context {context!r}; it has {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "") if names else "none"


def _is_file(path: Path) -> bool:
    """True for a file that is there; after ``sudo -u`` the home directory may still be another user's."""
    try:
        return path.is_file()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}; name a kubeconfig, or set KUBECONFIG"
        raise InvalidConfiguration(str(path), reason) from error


def _in_cluster(settings: Configuration) -> None:
    from kubernetes.config import ConfigException, load_incluster_config  # noqa: PLC0415

    try:
        load_incluster_config(settings)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        inside = f" with a service account ({_sentence(error)})" if "KUBERNETES_SERVICE_HOST" in os.environ else ""
        raise InvalidConfiguration(
            DEFAULT, f"is not there, and this is no pod{inside}; name a kubeconfig, or set KUBECONFIG"
        ) from error


def _sentence(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.rstrip(".")
