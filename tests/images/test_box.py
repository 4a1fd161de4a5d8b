"""The small static programs of the images do what pods ask of them, and end when they are asked to."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cluster.images.compiled import program
from tests.cluster.namespace import why_not


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The box under its own name."""
    folder = tmp_path_factory.mktemp("box")
    (folder / "box").symlink_to(program("box", folder / "made"))
    return folder / "box"


def run(box: Path, *words: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    done = subprocess.run([box, *words], capture_output=True, text=True, check=False, env=variables)
    return done.returncode, done.stdout, done.stderr


def test_it_is_called_by_the_names_of_its_commands(box: Path) -> None:
    """As the links of an image do."""
    (box.parent / "exit").symlink_to(box)
    assert run(box.parent / "exit", "7") == (7, "", "")
    assert run(box, "exit", "7") == (7, "", "")


def test_files_and_folders(box: Path, tmp_path: Path) -> None:
    """Written, listed and printed; what cannot be is said with its name."""
    assert run(box, "put", str(tmp_path / "b"), "two") == (0, "", "")
    assert run(box, "put", str(tmp_path / "a"), "one\n") == (0, "", "")
    assert run(box, "ls", str(tmp_path)) == (0, "a\nb\n", "")
    assert run(box, "cat", str(tmp_path / "a"), str(tmp_path / "b")) == (0, "one\ntwo", "")
    gone = str(tmp_path / "gone")
    for words in (["cat", gone], ["ls", gone], ["put", f"{gone}/x", "text"]):
        code, output, error = run(box, *words)
        assert (code, output) == (1, "")
        assert error.startswith(gone)
        assert error.endswith("No such file or directory\n")


def test_variables(box: Path) -> None:
    """All of them, one of them, and 1 for one that is not set."""
    assert run(box, "env", A="1", B="2") == (0, "A=1\nB=2\n", "")
    assert run(box, "env", "B", A="1", B="2") == (0, "2\n", "")
    assert run(box, "env", "C", A="1") == (1, "", "")


def test_one_command_after_another(box: Path) -> None:
    """As long as they end well; the last takes the process over."""
    name = str(box)
    assert run(box, "then", name, "env", "A", "--", name, "exit", "0", "--", name, "exit", "3", A="1") == (3, "1\n", "")
    assert run(box, "then", name, "exit", "4", "--", name, "env", "A", A="1") == (4, "", "")
    code, _, error = run(box, "then", "/gone", "--", name, "env")
    assert (code, error) == (127, "/gone: No such file or directory\n")


@pytest.mark.parametrize("words", [[], ["what"], ["put", "file"], ["then"], ["then", "/bin/true", "--"]])
def test_nonsense_is_answered_by_what_there_is(box: Path, words: list[str]) -> None:
    """On the error output, with 2."""
    code, output, error = run(box, *words)
    assert (code, output) == (2, "")
    assert error.startswith("usage: box COMMAND")


def first_process(*command: str) -> subprocess.Popen[bytes]:
    """A command as the first process of a namespace, which the kernel spares all signals that it does not handle."""
    if reason := why_not():
        pytest.skip(reason)
    user = ["--map-root-user"] if os.getuid() else []
    return subprocess.Popen(["unshare", *user, "--pid", "--fork", "--kill-child", *command])


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("pause", [], 0),
        ("box", ["sleep"], 143),
        ("box", ["sleep", "1000"], 143),
        ("box", ["then", "{box}", "sleep", "--", "{box}", "sleep"], 143),
    ],
)
def test_a_first_process_ends_when_it_is_asked(tmp_path: Path, name: str, words: list[str], code: int) -> None:
    """A pod is gone at once, not after its grace period."""
    (tmp_path / name).symlink_to(program(name, tmp_path / "made"))
    outer = first_process(str(tmp_path / name), *(word.format(box=tmp_path / "box") for word in words))
    with outer:
        while not (inner := children(outer.pid)) or not handles(inner[0], signal.SIGTERM):
            assert outer.poll() is None
        os.kill(inner[0], signal.SIGTERM)
        assert outer.wait(timeout=600) == code


def handles(pid: int, number: int) -> bool:
    """True when a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
