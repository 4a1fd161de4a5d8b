"""What the scenarios play on: a real Kubernetes in `make test-cluster`, one in this process in `make test`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import machine
from tests.cluster.namespace import INSIDE
from tests.cluster.playing import MemoryStage, RealStage
from tests.cluster.stage import Stage

REAL = INSIDE in os.environ


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """A Kubernetes without nodes and without a scheduler, for all tests of the run."""
    assert REAL, "a control plane is started in namespaces of its own alone: make test-cluster"
    made = ControlPlane(Path(os.environ["HETERO_KUBE_BIN"]), Path(os.environ["HETERO_CLUSTER_STATE"], "plane"))
    try:
        made.up()
        yield made
    except BaseException:
        print(made.tails())
        raise
    finally:
        made.down()


@pytest.fixture
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """An empty cluster for one scenario, which starts the scheduler that it tests."""
    made: Stage = RealStage(request.getfixturevalue("plane"), tmp_path) if REAL else MemoryStage(tmp_path)
    with made:
        yield made


@pytest.fixture
def hooked(stage: Stage) -> Stage:
    """A cluster whose API server asks the scheduler about new pods, and a node with two devices."""
    pair = stage.authority.issue("webhook")
    scheduler = stage.scheduler(options=["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)])
    stage.kube_scheduler(scheduler)
    stage.add(machine("node", 2))
    stage.register_webhook(scheduler)
    return stage


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A scenario that failed shows the ends of the logs."""
    report: Any = yield
    stage = getattr(item, "funcargs", {}).get("stage")
    if report.failed and isinstance(stage, Stage):
        report.sections.append(("ends of the logs", stage.tails()))
    return report
