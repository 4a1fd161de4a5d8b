"""The last step before packages go into an image leaves out what never runs, and compiles the rest for good."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from images import finish


def lay(folder: Path, *names: str) -> None:
    """Put small modules and files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("VALUE = 1\n")


def names(folder: Path) -> set[str]:
    """The files of a folder."""
    return {str(found.relative_to(folder)) for found in folder.rglob("*") if found.is_file()}


def test_what_never_runs_is_left_out(tmp_path: Path) -> None:
    """Tests, types, the other half of a client, programs of dependencies; ours is kept."""
    kept = ["a/x.py", "a/testing/x.py", "bin/hetero", "hetero_native/lib/libx.so", "kubernetes/client/x.py"]
    gone = [
        "a/tests/x.py", "a/b/tests/y/x.py", "a/x.pyi", "a/__pycache__/x.cpython-39.pyc", "a/include/x.h", "bin/other",
        "kubernetes/aio/client/x.py",
    ]  # fmt: skip
    lay(tmp_path, *kept, *gone)
    finish.leave_out(tmp_path)
    assert names(tmp_path) == set(kept)


@pytest.mark.parametrize("elsewhere", [True, False])
def test_nothing_is_left_to_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool) -> None:
    """A compiled file counts whatever the times say; its paths are those of the image.

    It is beside its source also where whoever makes the image keeps compiled files of his own elsewhere.
    """
    prefix = str(tmp_path / "elsewhere") if elsewhere else None
    monkeypatch.setattr(sys, "pycache_prefix", prefix)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", prefix or "")
    lay(tmp_path, "a/x.py")
    assert finish.main([str(tmp_path)]) == 0
    assert sys.pycache_prefix == prefix
    cached = tmp_path / f"a/__pycache__/x.{sys.implementation.cache_tag}.pyc"
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    flags = int.from_bytes(cached.read_bytes()[4:8], "little")
    assert flags == 0b01, "by its hash, which is not looked at"
    os.utime(tmp_path / "a/x.py", (1, 1))
    (tmp_path / "a/x.py").write_text("VALUE = 2\n")
    program = "from a import x; print(x.VALUE, compile.__name__, (lambda: 0).__code__.co_filename, x.__spec__.cached)"
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.split()[0] == "1"
    assert b"/opt/hetero/a/x.py" in cached.read_bytes()


def test_what_cannot_be_compiled_ends_the_build(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """And is named."""
    lay(tmp_path, "good.py")
    (tmp_path / "bad.py").write_text("def (:\n")
    assert finish.main([str(tmp_path)]) == 1
    assert "bad.py" in capfd.readouterr().out
