"""The steps of native/Containerfile, carried out in a plain directory: a wrong path or a failing command is noticed.

No container engine is needed: of a stage only its folder is made, not its base image, whose tools are this machine's.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from simulated import BUILD, Machine

TOP = BUILD.parents[1]
TEXT = (TOP / "native/Containerfile").read_text()

# Where the documentation tells people to find the library.
DOCUMENTED = "/libvgpu/build/libvgpu.so"


def instructions() -> list[tuple[str, str]]:
    """Keyword and arguments of each instruction."""
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in whole]


class Stage:
    """A stage's folder, and where in it the next step works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at = folder
        folder.mkdir()

    def inside(self, path: str) -> Path:
        """A path of the image."""
        return self.folder / path.lstrip("/") if path.startswith("/") else self.at / path


def carry_out(directory: Path) -> Stage:
    """Carry out all instructions; the last stage is the image."""
    directory.mkdir()
    stages: dict[str, Stage] = {}
    for keyword, arguments in instructions():
        words = shlex.split(arguments)
        if keyword == "FROM":
            name = words[2] if words[1:2] == ["AS"] else "image"
            stages[name] = stage = Stage(directory / name)
        elif keyword == "WORKDIR":
            stage.at = stage.inside(words[0])
            stage.at.mkdir(parents=True)
        elif keyword == "COPY":
            copy(words, stages, stage)
        elif keyword == "RUN":
            run(arguments, stage.at)
        else:
            assert keyword == "ARG", f"this test does not know {keyword}"
    return stage


def copy(words: list[str], stages: dict[str, Stage], stage: Stage) -> None:
    """COPY, from the repository or from an earlier stage."""
    *options, source, destination = words
    earlier = [stages[option.removeprefix("--from=")] for option in options]
    origin = earlier[0].inside(source) if earlier else TOP / source
    target = stage.inside(destination)
    target.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        shutil.copytree(origin, target)
    else:
        shutil.copy2(origin, target)


def run(command: str, folder: Path) -> None:
    """RUN, with what `make build` has installed: nothing is fetched, and the compiler's cache is the repository's."""
    tools = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "ZIG_GLOBAL_CACHE_DIR": str(BUILD.parent / "zig/cache"),
    }
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, **tools},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("ziglang"), reason="Python's ziglang is not installed: make build")
@pytest.mark.journey
def test_the_image_has_the_library_where_it_is_documented(machine: Machine, tmp_path: Path) -> None:
    """The documented command, with the library out of the image: a card of 2048 MiB."""
    image = carry_out(tmp_path / "stages")
    answer = machine.run("smi", LD_PRELOAD=str(image.inside(DOCUMENTED)), CUDA_DEVICE_MEMORY_LIMIT="2g")
    assert "0MiB / 2048MiB" in answer.stdout, answer
    assert not answer.stderr


def test_every_document_names_the_same_path() -> None:
    """README, how-to and the Containerfile itself."""
    for page in ("native/Containerfile", "docs/how-to/preload-library.md"):
        assert f"LD_PRELOAD={DOCUMENTED}" in (TOP / page).read_text(), page


def test_base_images_are_arguments() -> None:
    """Whoever builds chooses them, and no registry is named."""
    bases = [shlex.split(arguments)[0] for keyword, arguments in instructions() if keyword == "FROM"]
    assert bases == ["${BUILDER}", "${BASE}"]
    defaults = [arguments for keyword, arguments in instructions() if keyword == "ARG"]
    assert all("/" not in default for default in defaults)
