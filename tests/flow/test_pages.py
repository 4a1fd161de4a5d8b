"""The scripts on the pages do what their pages say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hetero.model import wire
from hetero.model.annotations import INVENTORY
from hetero.model.device import Node

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/try-the-scheduler.md"


def script(name: str) -> str:
    """The script of the page that begins with its name."""
    [found] = re.findall(rf"```python\n(# {re.escape(name)}\n.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def run(name: str, directory: Path, *words: str) -> str:
    """Run a script of the page in a directory, as a reader would; what it prints."""
    (directory / name).write_text(script(name))
    answer = subprocess.run(
        [sys.executable, name, *words], cwd=directory, capture_output=True, text=True, timeout=600, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_a_described_cluster_is_published(tmp_path: Path) -> None:
    """One annotation and one patch of the totals for each node, as commands that a shell reads back."""
    lines = run("publish.py", tmp_path, str(ROOT / "examples/clusters/nvidia.yaml")).splitlines()
    commands = [shlex.split(line) for line in lines]
    annotated = {words[3]: words[-1] for words in commands if words[1] == "annotate"}
    patched = {words[3] for words in commands if words[1] == "patch"}
    assert annotated
    assert set(annotated) == patched
    for name, written in annotated.items():
        key, _, record = written.partition("=")
        assert key == INVENTORY
        assert wire.decode(record, Node).name == name


@pytest.mark.parametrize("word", ["kube-scheduler.yaml", "webhook.yaml"])
def test_the_registration_is_written(tmp_path: Path, word: str) -> None:
    """Both files are YAML of the kinds that are applied, and name the resources of the installed vendors."""
    (tmp_path / "tls.crt").write_text("a certificate")
    run("register.py", tmp_path)
    documents = list(yaml.safe_load_all((tmp_path / word).read_text()))
    kinds = [one["kind"] for one in documents]
    if word == "webhook.yaml":
        assert kinds[0] == "MutatingWebhookConfiguration"
        assert kinds[1:] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    else:
        assert kinds == ["KubeSchedulerConfiguration"]
        [extender] = documents[0]["extenders"]
        managed = {one["name"]: one["ignoredByScheduler"] for one in extender["managedResources"]}
        assert managed["nvidia.com/gpu"] is False
        assert managed["nvidia.com/gpumem-percentage"] is True
