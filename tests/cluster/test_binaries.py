"""The programs of Kubernetes are found, or built once and as a whole, or their absence is said."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster import binaries

ROOT = Path(__file__).parents[2]
COMPILER = """#!/bin/sh
# Answers as Go does: tells its version, and writes a program where it is told to.
if [ "$1" = env ]; then echo go1.99; exit; fi
echo "$CGO_ENABLED $*" >> "$GO_CALLS"
if [ -n "$GO_FAILS" ]; then echo "no such module" >&2; exit 1; fi
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n' > "$2"; chmod +x "$2"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine whose only compilers are stand-ins, with an empty cache."""
    (tmp_path / "bin").mkdir()
    for name in ("go", "gcc"):
        compiler = tmp_path / "bin" / name
        compiler.write_text(COMPILER)
        compiler.chmod(0o755)
    return {
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
        "HETERO_CACHE": str(tmp_path / "cache"),
        "GO_CALLS": str(tmp_path / "calls"),
    }


def calls(environment: dict[str, str]) -> list[str]:
    """The builds so far."""
    path = Path(environment["GO_CALLS"])
    return path.read_text().splitlines() if path.exists() else []


def find(environment: dict[str, str]) -> Path:
    """Find without a word."""
    return binaries.find(environment, lambda line: None)


def test_a_directory_that_is_named_wins(environment: dict[str, str], tmp_path: Path) -> None:
    """Nothing is built, whatever else there is."""
    for name in binaries.PACKAGES:
        (tmp_path / name).touch(0o755)
    assert find({**environment, "HETERO_KUBE_BIN": str(tmp_path)}) == tmp_path
    assert calls(environment) == []


def test_a_named_directory_that_lacks_a_program_is_an_error(environment: dict[str, str], tmp_path: Path) -> None:
    """Somebody meant to test, so this is no reason to skip; a file that cannot be run counts as lacking."""
    for name in binaries.PACKAGES:
        (tmp_path / name).touch(0o755)
    (tmp_path / "etcd").chmod(0o644)
    with pytest.raises(binaries.Broken, match="has no etcd"):
        find({**environment, "HETERO_KUBE_BIN": str(tmp_path)})


def test_programs_are_built_once(environment: dict[str, str]) -> None:
    """All of them, without C but for those that need it; the second time they are there."""
    place = find(environment)
    assert sorted(path.name for path in place.iterdir()) == sorted(binaries.PACKAGES)
    built = calls(environment)
    assert len(built) == len(binaries.PACKAGES)
    assert [line.rsplit("/", 1)[1] for line in built if not line.startswith("0 build -trimpath")] == ["runc"]
    assert find(environment) == place
    assert calls(environment) == built


def test_kubernetes_knows_its_version(environment: dict[str, str]) -> None:
    """Clients ask for it; the other programs have no such variable."""
    find(environment)
    told = {line.rsplit("/", 1)[1] for line in calls(environment) if f"gitVersion={binaries.version()}" in line}
    assert {"kubelet", "kubectl", "kube-apiserver"} <= told
    assert not told & {*binaries.RUNTIME.packages, *binaries.HELM.packages}


def test_another_helm_builds_helm_alone(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes takes a quarter of an hour, and nobody who raises another tool's version should wait for it."""
    tools = tmp_path / "tools"
    shutil.copytree(binaries.TOOLS, tools)
    monkeypatch.setattr(binaries, "TOOLS", tools)
    before = find(environment)
    built = len(calls(environment))
    with (tools / "helm/go.sum").open("a") as sums:
        sums.write("another v1.0.0 h1:0\n")
    after = find(environment)
    assert after != before
    assert [line.rsplit(" ", 1)[1] for line in calls(environment)[built:]] == ["helm.sh/helm/v3/cmd/helm"]
    assert sorted(path.name for path in after.iterdir()) == sorted(binaries.PACKAGES)


def test_a_cache_that_is_moved_still_works(environment: dict[str, str], tmp_path: Path) -> None:
    """What joins the sets is relative, as in a cache that is packed up and unpacked elsewhere."""
    place = find(environment)
    binaries.cache(environment).rename(tmp_path / "moved")
    assert all((tmp_path / "moved" / place.name / program).is_file() for program in binaries.PACKAGES)


def test_without_a_c_compiler_it_says_what_is_missing(environment: dict[str, str]) -> None:
    """One program is part C; once it is built, nobody needs the compiler."""
    with pytest.raises(binaries.Missing, match=r"no C compiler \(no-such-cc\) to build runc"):
        find({**environment, "CC": "no-such-cc -m64"})
    assert calls(environment) == []
    place = find(environment)
    assert find({**environment, "CC": "no-such-cc"}) == place


def test_two_that_build_at_once_build_once(environment: dict[str, str]) -> None:
    """The second waits for the first."""
    with ThreadPoolExecutor(4) as pool:
        places = set(pool.map(find, [environment] * 4))
    assert len(places) == 1
    assert len(calls(environment)) == len(binaries.PACKAGES)


def test_a_build_that_fails_leaves_nothing(environment: dict[str, str]) -> None:
    """What the compiler said is told, and no half of a directory is taken for a whole one later."""
    with pytest.raises(binaries.Broken, match="no such module"):
        find({**environment, "GO_FAILS": "1"})
    assert [path for path in binaries.cache(environment).iterdir() if path.is_dir()] == []
    assert find(environment).is_dir()


def test_another_compiler_is_another_cache(environment: dict[str, str]) -> None:
    """What a program was built by is part of what it is."""
    keys = {release: [tools.key(release) for tools in binaries.TOOLSETS] for release in ("go1.98", "go1.99")}
    assert not {*keys["go1.98"]} & {*keys["go1.99"]}
    assert find(environment).name == binaries.joint_key(keys["go1.99"])


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"HETERO_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a/kube"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/hetero/kube"),
        ({"HOME": "/c"}, "/c/.cache/hetero/kube"),
    ],
)
def test_the_cache_is_where_caches_are(variables: dict[str, str], place: str) -> None:
    """The project's own variable, then the desktop's, then the home directory."""
    assert binaries.cache(variables) == Path(place)


def test_with_nothing_to_test_with_it_is_skipped_aloud(environment: dict[str, str], tmp_path: Path) -> None:
    """Exit code 0, one sentence, and no file."""
    variables = {**environment, "PATH": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-m", "tests.cluster"], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith(": skipped, nothing was tested\n")
    assert len(answer.stdout.splitlines()) == 1
    assert not binaries.cache(environment).exists()


@pytest.mark.parametrize("tools", binaries.TOOLSETS, ids=lambda tools: tools.name)
def test_versions_are_pinned_and_no_host_is_named(tools: binaries.Toolset) -> None:
    """Every program is a tool of the module, every module has its sum, and whence they come is the machine's affair."""
    module = (tools.module / "go.mod").read_text()
    listed = re.search(r"^tool (\((.*?)^\)|\S+$)", module, re.MULTILINE | re.DOTALL)
    assert listed is not None
    assert set(listed[0].split()[1:]) - {"(", ")"} == set(tools.packages.values())
    sums = (tools.module / "go.sum").read_text()
    required = re.findall(r"^\t(\S+) (v\S+)", module[module.index("require") :], re.MULTILINE)
    unreplaced = [(name, version) for name, version in required if f"{name} => " not in module]
    assert unreplaced
    assert all(f"{name} {version}" in sums for name, version in unreplaced)
    assert "://" not in module + sums


def test_the_pinned_kubernetes_is_the_version_that_is_told() -> None:
    """One place says it."""
    sums = (binaries.KUBERNETES.module / "go.sum").read_text()
    assert re.search(rf"^k8s\.io/kubernetes {re.escape(binaries.version())} h1:", sums, re.MULTILINE)
