"""Kubernetes manifests from files: YAML documents to pods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetero.cli.context import read_with

if TYPE_CHECKING:
    from hetero.admission.workloads import Pod


def read_pods(*files: Path) -> list[Pod]:
    """The pods of all documents of all files, in order; ``-`` is standard input.

    Raises:
        InvalidConfiguration: A file cannot be read, or is no YAML.
        InvalidRequest: With every problem of a workload.
    """
    from hetero.admission.workloads import all_pods

    return all_pods(pair for file in files for pair in _with_sources(file))


def _with_sources(file: Path) -> Iterator[tuple[Any, str]]:
    """The documents of a file, each with what errors call it."""
    documents = read_documents(file)
    for number, document in enumerate(documents, start=1):
        yield document, f"{file.name}, document {number}" if len(documents) > 1 else file.name


def read_documents(file: Path) -> Sequence[Any]:
    """The YAML documents of one file.

    Raises:
        InvalidConfiguration: It cannot be read, or is no YAML.
    """
    import yaml

    source = Path("/dev/stdin") if str(file) == "-" else file
    return read_with(lambda text: list(yaml.safe_load_all(text)), source)
