"""A cluster that stays for a person: it comes up once, is used from outside, and goes without a trace."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import down, up
from tests.cluster.node import cgroups
from tests.cluster.node.cluster import why_not
from tests.cluster.node.machines import MACHINES
from tests.cluster.processes import until
from tests.cluster.standing import Standing

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there can be nodes")

MACHINE = MACHINES / "nvidia-12g.yaml"
FEW = {
    name: Path(file)
    for name, file in json.loads(os.environ["HETERO_CLUSTER_IMAGES"]).items()
    if name.startswith(("hetero/pause:", "hetero/kube-scheduler:", "hetero/workload:1"))
}
"""Images that these tests need; a person's cluster has all."""


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    """A place for a cluster of this test alone."""
    monkeypatch.setattr(up, "images", lambda programs: FEW)
    made = Standing(tmp_path / "cluster")
    yield made
    made.end()


def _command(standing: Standing, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([standing.place / name, *words], capture_output=True, text=True, check=False)


def test_it_comes_and_goes(standing: Standing, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Up, up again, other machines, used, down, down again; what is said each time is what a person needs."""
    assert up.main([str(MACHINE)], standing) == 0
    assert "make cluster-down" in capsys.readouterr().out
    assert up.main([str(MACHINE)], standing) == 0
    assert "is up already: nvidia-12g" in capsys.readouterr().out
    assert up.main([], standing) == 1
    assert "with other nodes, nvidia-12g" in capsys.readouterr().out

    manifest = tmp_path / "pod.json"
    container = {"name": "c", "image": "hetero/workload:1", "command": ["cardinfo"], "imagePullPolicy": "Never"}
    spec = {"restartPolicy": "Never", "containers": [container]}
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}))
    applied = _command(standing, "kubectl", "apply", "--filename", str(manifest))
    assert applied.stdout == "pod/pod created\n", applied.stderr
    phase = "--for=jsonpath={.status.phase}=Succeeded"
    waited = _command(standing, "kubectl", "wait", "pod/pod", phase, "--timeout=60s")
    assert waited.returncode == 0, waited.stderr
    assert "card 0: NVIDIA GeForce RTX 3060" in _command(standing, "kubectl", "logs", "pod").stdout
    helm = _command(standing, "helm", "list", "--all-namespaces")
    assert (helm.returncode, helm.stderr) == (0, "")
    assert _command(standing, "node", "nvidia-12g", "hostname").stdout == "nvidia-12g\n"
    assert "node NAME COMMAND...: nvidia-12g" in _command(standing, "node", "other", "hostname").stderr

    group = (standing.place / "keeper").read_text()
    assert down.main(standing) == 0
    assert "nothing of it is left" in capsys.readouterr().out
    assert not standing.place.exists()
    assert not [top for top in cgroups.hierarchies() if (top / group).exists()]
    assert down.main(standing) == 0
    assert "there is no cluster" in capsys.readouterr().out


def test_it_goes_with_its_directory(standing: Standing) -> None:
    """Who cleans the tree ends the cluster too: nothing would be left by which to find it."""
    assert up.main([str(MACHINE)], standing) == 0
    group = (standing.place / "keeper").read_text()
    (standing.place / "keeper").unlink()
    gone = [top / group for top in cgroups.hierarchies()]
    until(lambda: not any(top.exists() for top in gone), "it has ended by itself", seconds=60)


def test_a_cluster_that_does_not_come_up_says_why_and_leaves_nothing(
    standing: Standing, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the end of the log, in which the error is."""
    monkeypatch.setattr(up, "images", lambda programs: {**FEW, "hetero/broken:1": MACHINE})
    assert up.main([str(MACHINE)], standing) == 2
    told = capsys.readouterr().out
    assert "the cluster did not come up" in told
    assert "nvidia-12g.yaml: " in told
    assert not standing.is_up
    assert down.main(standing) == 0


def test_a_machine_that_is_wrong_is_refused_at_once(
    standing: Standing, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Before anything is started."""
    (tmp_path / "wrong.yaml").write_text("cards: [{vendor: nobody}]")
    assert up.main([str(tmp_path / "wrong.yaml")], standing) == 2
    assert "cards[0].vendor" in capsys.readouterr().out
    assert not standing.place.exists()
