"""The images of the test cluster, each unpacked into a folder and entered: its programs run with nothing else there."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import binaries
from tests.cluster.images import packaged, workload


@dataclass
class Unpacked:
    """An image's file system in a folder.

    Attributes:
        root: The folder.
        settings: How a container of it starts.
    """

    root: Path
    settings: dict[str, Any]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it as a runtime does: with the image's root, user and variables."""
        env = dict(word.split("=", 1) for word in self.settings["Env"])
        return subprocess.run(words, env=env, preexec_fn=self._enter, capture_output=True, text=True, check=False)

    def _enter(self) -> None:
        user = int(self.settings["User"].partition(":")[0] or 0)
        os.chroot(self.root)
        os.chdir(self.settings["WorkingDir"])
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def unpacked(archive: Path, folder: Path) -> Unpacked:
    """Unpack an archive, layer over layer."""
    with tarfile.open(archive) as opened:
        (manifest,) = json.loads(_content(opened, "manifest.json"))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=opened.extractfile(layer)) as inner:
                inner.extractall(folder, filter="fully_trusted")
        return Unpacked(folder, json.loads(_content(opened, manifest["Config"]))["config"])


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None
    return found.read()


@pytest.fixture(scope="module")
def archives() -> dict[str, Path]:
    """All images, made before the network was left."""
    return {name: Path(file) for name, file in json.loads(os.environ["HETERO_CLUSTER_IMAGES"]).items()}


@pytest.fixture(scope="module")
def images(archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Unpacked]:
    """Each image, unpacked, by its name without the tag's number."""
    folder = tmp_path_factory.mktemp("images")
    return {name: unpacked(archive, folder / name.replace("/", "-")) for name, archive in archives.items()}


@pytest.fixture(params=packaged.NAMES)
def ours(request: pytest.FixtureRequest, images: dict[str, Unpacked]) -> Unpacked:
    """The agent's and the scheduler's image."""
    return images[f"hetero/{request.param}:{packaged.version()}"]


def test_every_image_of_the_cluster_is_there(archives: dict[str, Path]) -> None:
    """By the names that manifests and the chart use."""
    scheduler = f"hetero/kube-scheduler:{binaries.version()}"
    own = {f"hetero/{name}:{packaged.version()}" for name in packaged.NAMES}
    expected = {"hetero/pause:1", "hetero/workload:1", scheduler, *own}
    assert set(archives) - {"hetero/workload:old"} == expected


def test_hetero_starts_as_the_images_user_and_finds_its_vendors(ours: Unpacked) -> None:
    """By its name alone, with no driver on the machine."""
    answer = ours.run(*ours.settings["Entrypoint"], "vendors", "--output", "json")
    assert answer.returncode == 0, answer.stderr
    found = {one["name"] for one in json.loads(answer.stdout)["vendors"]}
    assert found == {path.parent.name for path in packaged.ROOT.glob("vendors/*/pyproject.toml")}


def test_nothing_is_compiled_in_a_container(ours: Unpacked) -> None:
    """Every module of ours and of Python's comes from its compiled file, whose source's time nobody looks at."""
    program = (
        "import sys, hetero.cli.group, hetero.kube.client, json, asyncio\n"
        "print(*(m.__spec__.loader.path for m in list(sys.modules.values())"
        " if getattr(getattr(m, '__spec__', None), 'loader', None).__class__.__name__ == 'SourceFileLoader'"
        " and not __import__('os').path.exists(m.__spec__.cached)))"
    )
    answer = ours.run("python3", "-c", program)
    assert (answer.returncode, answer.stdout) == (0, "\n"), answer.stderr


def test_the_library_of_the_image_can_be_preloaded(ours: Unpacked) -> None:
    """The image has all that the library asks for; so has any other."""
    library = "/opt/hetero/hetero_native/lib/libvgpu.so"
    answer = ours.run("env", f"LD_PRELOAD={library}", "true")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_scheduler_cannot_write_where_its_packages_are(images: dict[str, Unpacked]) -> None:
    """It is nobody; the file system need not be read-only for that."""
    image = images[f"hetero/scheduler:{packaged.version()}"]
    answer = image.run("sh", "-c", "echo >/opt/hetero/x")
    assert answer.returncode != 0
    assert "Permission denied" in answer.stderr


def test_kube_scheduler_is_the_one_of_its_tag(images: dict[str, Unpacked]) -> None:
    """It starts without anything beside it."""
    (name,) = (name for name in images if name.startswith("hetero/kube-scheduler:"))
    answer = images[name].run(*images[name].settings["Entrypoint"], "--version")
    assert answer.stdout == f"Kubernetes {name.partition(':')[2]}\n", answer.stderr


@pytest.mark.parametrize("tag", ["1", "old"])
def test_programs_of_a_workload_start(images: dict[str, Unpacked], tag: str) -> None:
    """On today's and on the older C library: each comes as far as asking for a driver, which the node gives."""
    if f"hetero/workload:{tag}" not in images:
        pytest.skip("there is no older C library here")
    image = images[f"hetero/workload:{tag}"]
    for name in workload.PROGRAMS:
        answer = image.run(name)
        assert ".so.1: cannot open shared object file" in answer.stderr, (name, answer)
    assert image.run("env", "PATH").stdout == f"{workload.SEARCHED}\n"
