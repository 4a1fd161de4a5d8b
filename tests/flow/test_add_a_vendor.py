"""The pages about adding a vendor, word for word: commands are run as typed, files written, diffs applied."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs/how-to" / name for name in ("add-a-vendor.md", "a-chip-with-instances.md")]
OTHERS = ("hetero", "vendors", "charts")

_BLOCK = re.compile(r"(?:^`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """What stands between two fences, and the file that the line before names."""

    kind: str
    text: str
    file: str


class Reader:
    """Somebody who does what a page says, in a directory.

    Args:
        directory: Where everything is done; the state of the shell is kept beside it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "work"
        self.directory.mkdir()
        self._state = directory / "state"
        self._state.write_text(f"cd {self.directory}\n")
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "HETERO_RUNTIME_DIR": str(directory / "runtime"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INDEX": "1",
        }

    def follow(self, page: str) -> int:
        """Do all of a page; how many blocks it has. A block of a kind that is not known is an error."""
        blocks = list(blocks_of(page))
        for block in blocks:
            self._do(block)
        return len(blocks)

    def _do(self, block: Block) -> None:
        if block.kind == "console":
            for command, expected in commands_of(block.text):
                told = self._run(command)
                assert matches(expected, told), f"$ {command}\n{told}\ninstead of\n{expected}"
        elif block.kind == "diff":
            self._run("git apply -", block.text)
        else:
            assert block.file, f"nothing says what this is for:\n{block.text}"
            (self.directory / block.file).write_text(block.text)

    def _run(self, command: str, given: str = "") -> str:
        """What a command prints. What it exports and where it goes is kept for the next one."""
        keep = f"{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > {self._state}"
        answer = subprocess.run(
            ["bash", "-c", f". {self._state}\n{command}\ncode=$?\n{keep}\nexit $code"],
            input=given,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert answer.returncode == 0, f"$ {command}\n{answer.stdout}"
        return answer.stdout


def blocks_of(page: str) -> Iterator[Block]:
    """The blocks of a page, in order."""
    for found in _BLOCK.finditer(page):
        yield Block(kind=found["kind"], text=found["text"], file=found["file"] or "")


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console, each with what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def matches(expected: str, told: str) -> bool:
    """True when that is what was printed; ``...`` stands for anything, blanks at the ends of lines for nothing."""
    wanted, got = (re.sub(r" +$", "", text.strip("\n"), flags=re.MULTILINE) for text in (expected, told))
    return re.fullmatch(".*".join(map(re.escape, wanted.split("..."))), got, re.DOTALL) is not None


def fingerprint() -> str:
    """Of all that belongs to others than the new vendor."""
    digest = hashlib.sha256()
    files = (path for place in OTHERS for path in (ROOT / place).rglob("*") if "__pycache__" not in path.parts)
    for path in sorted(path for path in files if path.is_file()):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@pytest.mark.journey
def test_the_pages_do_what_they_say(tmp_path: Path) -> None:
    """From nothing to a vendor beside the others, placed and run; no file of the core or of another vendor changes."""
    before = fingerprint()
    page = "".join(one.read_text() for one in PAGES)
    assert Reader(tmp_path).follow(page) == page.count("\n```") // 2
    assert fingerprint() == before


@pytest.mark.parametrize(
    "page",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ echo one\n```\n",
        "```console\n$ true\nsomething\n```\n",
        "```console\n$ false\n```\n",
        "```yaml\nnodes: []\n```\n",
        "```diff\n--- a/none\n+++ b/none\n@@ -1 +1 @@\n-one\n+two\n```\n",
    ],
)
def test_a_page_that_is_wrong_is_noticed(tmp_path: Path, page: str) -> None:
    """Other output, too little, none, a failure, a file without a name, and a diff that does not apply."""
    with pytest.raises(AssertionError):
        Reader(tmp_path).follow(page)


def test_a_page_that_is_right_is_followed(tmp_path: Path) -> None:
    """Places and variables are kept from block to block, files are written, and dots stand for anything."""
    page = "```console\n$ export A=1\n$ mkdir b; cd b\n```\n\n`b/c`:\n\n```yaml\nx: 1\n```\n"
    page += "```console\n$ cat c; echo $A; pwd\nx: 1\n1\n.../b\n```\n"
    assert Reader(tmp_path).follow(page) == 3
