"""The library built with other options: what must not depend on them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "native"

LAUNCH = SOURCES / "shims/cuda/launch.c"

FLAGS = ["-Og", "-O1", "-O0", "-fno-optimize-sibling-calls", "--coverage", "-finstrument-functions"]
"""What people put into CFLAGS."""

WIDE = ["cuLaunchKernel", "cuLaunchKernel_ptsz", "cuLaunchCooperativeKernel", "cuLaunchCooperativeKernel_ptsz"]
"""The calls that have arguments on the stack."""

CALL_BY_POINTER = re.compile(r"\t(call\s+\*|blr\s)")


@pytest.fixture(scope="module")
def compilation(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """How a debugger's build compiles the launches; FLAGS stands where its flags do."""
    if shutil.which("objdump") is None:
        pytest.skip("there is no objdump here, which shows what a compiler made of a function")
    build = tmp_path_factory.mktemp("build")
    options = ["-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-DFLAGS"]
    subprocess.run(["cmake", "-S", SOURCES, "-B", build, *options], check=True, capture_output=True)
    entries = json.loads((build / "compile_commands.json").read_text())
    return shlex.split(next(entry["command"] for entry in entries if Path(entry["file"]) == LAUNCH))


@pytest.mark.parametrize("flags", FLAGS)
def test_a_launch_leaves_by_a_jump(compilation: list[str], tmp_path: Path, flags: str) -> None:
    """A call would put a return address before the arguments on the stack, and the driver would read others."""
    compiled = tmp_path / "launch.o"
    words = [flags if word == "-DFLAGS" else word for word in compilation]
    words[words.index("-o") + 1] = str(compiled)
    subprocess.run(words, check=True, cwd=tmp_path)
    for symbol in WIDE:
        shown = ["objdump", "-d", "--no-show-raw-insn", f"--disassemble=direct_{symbol}", compiled]
        text = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        assert f"<direct_{symbol}>:" in text
        assert not CALL_BY_POINTER.search(text), symbol
