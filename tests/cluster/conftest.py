"""What the scenarios play on: a real Kubernetes in `make test-cluster`, one in this process in `make test`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import machine
from tests.cluster.namespace import INSIDE
from tests.cluster.node.cluster import Cluster, why_not
from tests.cluster.node.machines import NODES, SPARE
from tests.cluster.playing import MemoryStage, RealStage
from tests.cluster.release import Release
from tests.cluster.stage import Stage

REAL = INSIDE in os.environ


@pytest.fixture(scope="session")
def planes() -> list[ControlPlane]:
    """Those without nodes that are up; one that idles takes a third of a processor from real nodes, which come last."""
    return []


@pytest.fixture(scope="session")
def plane(planes: list[ControlPlane]) -> Iterator[ControlPlane]:
    """A Kubernetes without nodes and without a scheduler, for all tests of the run."""
    assert REAL, "a control plane is started in namespaces of its own alone: make test-cluster"
    made = ControlPlane(Path(os.environ["HETERO_KUBE_BIN"]), Path(os.environ["HETERO_CLUSTER_STATE"], "plane"))
    planes.append(made)
    try:
        made.up()
        yield made
    except BaseException:
        print(made.tails())
        raise
    finally:
        made.down()


@pytest.fixture(scope="session")
def cluster(planes: list[ControlPlane]) -> Iterator[Cluster]:
    """A whole Kubernetes with real nodes, for all tests of the run; what one puts there it takes away."""
    assert REAL, "nodes are started in namespaces of their own alone: make test-cluster"
    if reason := why_not():
        pytest.skip(reason)
    for other in planes:
        other.down()
    programs = Path(os.environ["HETERO_KUBE_BIN"])
    images = {name: Path(file) for name, file in json.loads(os.environ["HETERO_CLUSTER_IMAGES"]).items()}
    made = Cluster(programs, Path(os.environ["HETERO_CLUSTER_STATE"], "cluster"), names=[*NODES, *SPARE], images=images)
    try:
        made.up()
        made.add(NODES)
        yield made
    except BaseException:
        print(made.tails())
        raise
    finally:
        made.down()


@pytest.fixture(scope="session")
def release(cluster: Cluster) -> Release:
    """The chart on that cluster, which is installed by whoever needs it."""
    return Release(cluster)


@pytest.fixture
def slices(release: Release) -> Iterator[Release]:
    """The chart is installed, and there are no pods but its own; nor are there when the test ends."""
    release.install()
    yield release
    release.cluster.kubectl("delete", "pods", "--all", "--namespace", "default", "--grace-period=1")


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real nodes come last: they take their share of the processors from whatever is played while they are there.

    The very last are those with agents on them, beside which nobody else makes CDI devices of that kind.
    """
    items.sort(
        key=lambda item: REAL and sum(name in getattr(item, "fixturenames", ()) for name in ("cluster", "release"))
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A scenario that failed shows the ends of the logs."""
    report: Any = yield
    given = getattr(item, "funcargs", {})
    for played in (given.get("stage"), given.get("cluster"), given.get("release")):
        if report.failed and isinstance(played, Stage | Cluster | Release):
            report.sections.append(("ends of the logs", played.tails()))
    return report
