"""An image of kube-scheduler is the program alone, tagged with the version that it says it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.images import kubernetes
from tests.cluster.images.tree import File


def stand_in(folder: Path, says: str) -> Path:
    """A kube-scheduler that only tells its version."""
    program = folder / "kube-scheduler"
    program.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo '{says}'\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("version", ["v1.36.3", "v1.37.0-alpha.1"])
def test_the_version_is_the_tag(tmp_path: Path, version: str) -> None:
    """As it says it, so an image of another version is another image."""
    image = kubernetes.scheduler(stand_in(tmp_path, f"Kubernetes {version}"))
    assert image.name == f"hetero/kube-scheduler:{version}"


def test_it_is_the_program_alone(tmp_path: Path) -> None:
    """A link in a folder of programs is followed; nobody is root in it."""
    (tmp_path / "real").mkdir()
    program = stand_in(tmp_path / "real", "Kubernetes v1.0.0") / "kube-scheduler"
    (tmp_path / "kube-scheduler").symlink_to(program)
    image = kubernetes.scheduler(tmp_path)
    (layer,) = image.layers
    assert layer.entries == {"/usr/local/bin/kube-scheduler": File(program, 0o755)}
    assert image.entrypoint == ["kube-scheduler"]
    assert image.user == "65532:65532"


def test_a_program_without_a_version_is_refused(tmp_path: Path) -> None:
    """With what it said."""
    with pytest.raises(ValueError, match="says 'hello\\\\n', which has no version"):
        kubernetes.scheduler(stand_in(tmp_path, "hello"))
