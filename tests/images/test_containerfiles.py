"""The Containerfiles copy what exists, name no registry, and start what the cluster's tests start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cluster.images import containerfile, packaged
from tests.cluster.images.containerfile import Containerfile, Copy

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("images/*.Containerfile"), ROOT / "native/Containerfile"])


@pytest.fixture(params=FILES, ids=lambda file: str(file.relative_to(ROOT)))
def read(request: pytest.FixtureRequest) -> Containerfile:
    """Each of them."""
    return containerfile.read(request.param)


@pytest.fixture(params=packaged.NAMES)
def ours(request: pytest.FixtureRequest) -> Containerfile:
    """Those of hetero's own images."""
    return containerfile.read(ROOT / f"images/{request.param}.Containerfile")


def test_there_is_one_for_each_image() -> None:
    """And none that no test knows."""
    assert {file.stem for file in ROOT.glob("images/*.Containerfile")} == set(packaged.NAMES)


def test_bases_are_arguments(read: Containerfile) -> None:
    """Whoever builds chooses them, and no registry is named."""
    assert [stage.base for stage in read.stages] == ["${BUILDER}", "${BASE}"]
    assert set(read.arguments) == {"BUILDER", "BASE"}
    assert all(re.fullmatch(r"[a-z]+:[\w.-]+", default) for default in read.arguments.values())


def test_what_is_copied_is_in_the_repository(read: Containerfile) -> None:
    """A file that is renamed is renamed there, too; only the first stage sees the repository."""
    build, image = read.stages
    assert not [source for copy in build.copies for source in copy.sources if not (ROOT / source).exists()]
    assert {copy.stage for copy in image.copies} == {build.name}


def test_nothing_that_is_copied_is_ignored(read: Containerfile) -> None:
    """An engine does not get what .dockerignore names."""
    ignored = {line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")}
    assert ignored.isdisjoint(source.split("/")[0] for copy in read.stages[0].copies for source in copy.sources)
    assert {".git", ".venv", "build"} <= ignored


def test_what_is_installed_is_locked(ours: Containerfile) -> None:
    """From outside only with hashes; of our own without a look at the outside."""
    fetch, make = ours.stages[0].runs
    installs = [part for run in (fetch, make) for part in run.split("&&") if "pip install" in part]
    assert ["--require-hashes" in part for part in installs] == [True, True, False]
    assert "--no-index --no-build-isolation" in installs[2]
    assert all("--no-deps" in part for part in installs)
    assert ours.image.runs == []


def test_the_cache_of_an_engine_helps(ours: Containerfile) -> None:
    """What changes most often comes last: dependencies before the tree, hetero itself behind the native part."""
    copies = [source for copy in ours.stages[0].copies for source in copy.sources]
    assert copies[0] == "requirements/all.lock"
    assert copies.index("native") < copies.index("vendors") < copies.index("hetero")
    assert [copy.sources for copy in ours.image.copies] == [("/dependencies",), ("/packages",)]


def test_packages_lie_where_python_and_the_shell_look(ours: Containerfile) -> None:
    """In one place outside the base's own, whatever base it is."""
    assert {copy.destination for copy in ours.image.copies} == {"/opt/hetero"}
    assert ours.image.env == {
        "PATH": "/opt/hetero/bin:$PATH",
        "PYTHONPATH": "/opt/hetero",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    assert ours.image.entrypoint == ["hetero"]


def test_only_the_agent_is_root() -> None:
    """By number, so that Kubernetes can tell."""
    users = {name: containerfile.read(ROOT / f"images/{name}.Containerfile").image.user for name in packaged.NAMES}
    assert users == {"agent": "0:0", "scheduler": "65532:65532"}


def test_the_two_differ_in_what_they_are_for() -> None:
    """Everything else is the same, so that a change of one is a change of both."""
    texts = {}
    for name in packaged.NAMES:
        text = (ROOT / f"images/{name}.Containerfile").read_text().replace(name, "NAME")
        texts[name] = [line for line in text.splitlines() if not line.startswith(("#", "USER"))]
    assert texts["agent"] == texts["scheduler"]


def test_the_documented_command_has_todays_version() -> None:
    """In each file's own words."""
    for name in packaged.NAMES:
        text = (ROOT / f"images/{name}.Containerfile").read_text()
        command = f"docker build -f images/{name}.Containerfile -t hetero/{name}:{packaged.version()} ."
        assert f"#   {command}\n" in text


def test_a_file_is_read_as_it_is_meant(tmp_path: Path) -> None:
    """Comments, instructions of several lines, and each keyword that ours have."""
    (tmp_path / "file").write_text(
        "# c\nARG A=b:1\nFROM ${A} AS one\nRUN x \\\n # within\n && y\nCOPY a b c/\n"
        'FROM b\nCOPY --from=one /d /e\nENV A=1 B="2 3"\nLABEL c=d\nUSER 1:1\nWORKDIR /w\n'
        'ENTRYPOINT ["p", "q"]\nCMD []\n'
    )
    found = containerfile.read(tmp_path / "file")
    assert found.arguments == {"A": "b:1"}
    first, image = found.stages
    assert (first.base, first.name, first.runs) == ("${A}", "one", ["x && y"])
    assert first.copies == [Copy(("a", "b"), "c/", "")]
    assert image.copies == [Copy(("/d",), "/e", "one")]
    assert (image.env, image.labels) == ({"A": "1", "B": "2 3"}, {"c": "d"})
    assert (image.user, image.folder, image.entrypoint, image.command) == ("1:1", "/w", ["p", "q"], [])


@pytest.mark.parametrize("line", ["ADD a b", "COPY --chown=1 a b", "VOLUME /x"])
def test_what_is_not_known_is_not_passed_over(tmp_path: Path, line: str) -> None:
    """The images of the tests would be others than the file's."""
    (tmp_path / "file").write_text(f"FROM b\n{line}\n")
    with pytest.raises(ValueError, match="that a Containerfile of ours has"):
        containerfile.read(tmp_path / "file")
