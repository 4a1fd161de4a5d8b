"""The control plane of a run on a real Kubernetes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.namespace import INSIDE


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """A Kubernetes without nodes and without a scheduler, for all tests of the run."""
    assert INSIDE in os.environ, "a control plane is started in namespaces of its own alone: make test-cluster"
    made = ControlPlane(Path(os.environ["HETERO_KUBE_BIN"]), Path(os.environ["HETERO_CLUSTER_STATE"], "plane"))
    try:
        made.up()
        yield made
    except BaseException:
        print(made.tails())
        raise
    finally:
        made.down()
