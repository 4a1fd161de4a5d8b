"""Kubernetes manifests from files: YAML documents to pods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetero.cli.context import yaml_problem
from hetero.errors import InvalidConfiguration

if TYPE_CHECKING:
    from hetero.admission.workloads import Pod


def read_pods(*files: Path) -> list[Pod]:
    """The pods of all documents of all files, in order; ``-`` is standard input.

    Raises:
        InvalidConfiguration: A file cannot be read, or is no YAML.
        InvalidRequest: With every problem of a workload.
    """
    from hetero.admission.workloads import all_pods

    return all_pods(
        (document, file.name) for file in files for document in read_documents(file) if document is not None
    )


def read_documents(file: Path) -> Sequence[Any]:
    """The YAML documents of one file.

    Raises:
        InvalidConfiguration: It cannot be read, or is no YAML.
    """
    import yaml

    try:
        text = Path("/dev/stdin").read_text() if str(file) == "-" else file.read_text()
        return list(yaml.safe_load_all(text))
    except OSError as error:
        raise InvalidConfiguration(str(file), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidConfiguration(str(file), "is no text") from error
    except yaml.YAMLError as error:
        raise InvalidConfiguration(str(file), yaml_problem(error)) from error
