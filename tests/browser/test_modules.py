"""The files of the pages: nothing that a strict content security policy forbids, nothing fetched late or from afar."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.browser.modules import ENTRY, ROOT, STATIC, modules, reached

INDEX = (STATIC / "index.html").read_text()
LISTED = re.compile(r"^\| `([^`]+)` \| .*`(LICENSE\.\w+)` \| `([0-9a-f]{64})` \|$", re.MULTILINE)
ROWS = LISTED.findall((STATIC / "vendor/README.md").read_text())
OURS = sorted(
    file
    for file in STATIC.rglob("*")
    if file.suffix in {".js", ".css", ".html", ".svg"} and "vendor" not in file.relative_to(STATIC).parts
)


@pytest.mark.parametrize(("file", "licence", "sum_"), ROWS)
def test_a_library_is_what_its_authors_built(file: str, licence: str, sum_: str) -> None:
    """Byte for byte, and with its licence beside it."""
    assert hashlib.sha256((STATIC / "vendor" / file).read_bytes()).hexdigest() == sum_
    assert "opyright" in (STATIC / "vendor" / licence).read_text()


def test_every_library_is_listed() -> None:
    """No file without its version, licence and sum."""
    listed = {"README.md", *(name for row in ROWS for name in row[:2])}
    assert {file.name for file in STATIC.joinpath("vendor").iterdir()} == listed


def test_all_modules_are_fetched_at_once() -> None:
    """A module that is found only when another one has arrived costs a round trip before the first paint."""
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)">', INDEX)
    assert {STATIC / name for name in preloaded} == reached() - {ENTRY}
    assert len(preloaded) == len(set(preloaded))


def test_every_module_is_needed() -> None:
    """What nothing imports is not shipped."""
    assert set(modules()) <= reached()


def test_what_the_page_names_is_there() -> None:
    """Scripts, styles and pictures, by addresses that hold below any prefix."""
    named = re.findall(r'(?:href|src)="([^"]+)"', INDEX)
    assert named
    assert all((STATIC / name).is_file() and not name.startswith("/") for name in named)


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_a_file_obeys_the_content_security_policy(file: Path) -> None:
    """No script and no style within HTML, no code made of text, and nothing from another host."""
    text = file.read_text()
    assert not re.search(r"""\sstyle=["']|\son[a-z]+=["']|<style|javascript:""", text)
    assert not re.search(r"\beval\(|new Function\b|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert not re.search(r"(?<!xmlns=\")https?://", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_module_is_one_idea(module: Path) -> None:
    """Said in its first line; short enough to be read at once."""
    text = module.read_text()
    assert text.startswith("// ")
    assert len(text.splitlines()) <= 300


def test_a_wheel_has_the_pages() -> None:
    """Who installs the package needs no build step."""
    packed = {Path(file.path) for file in WheelBuilder(str(ROOT)).recurse_included_files() if "/web/" in file.path}
    assert {file for file in STATIC.rglob("*") if file.is_file()} <= packed


def test_no_key_reaches_the_storage_of_the_browser() -> None:
    """A token lives in one field, and in the server's memory."""
    kept = re.findall(r'remember\("(\w+)"', "\n".join(module.read_text() for module in modules()))
    assert sorted(kept) == ["language", "theme"]
