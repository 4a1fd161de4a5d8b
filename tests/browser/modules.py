"""The pages' modules as text: what they import, and what of them people would read."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "hetero/web/static"
ENTRY = STATIC / "app/main.js"

_IMPORT = re.compile(r"""^(?:import|export)\s(?:[^;"'=]*?\sfrom\s)?["']([^"']+)["']""", re.MULTILINE)
_TEMPLATE = re.compile(r"html`")
_SPOKEN = ("aria-label", "title", "placeholder", "alt", "label")


def modules() -> list[Path]:
    """Those that we wrote, without the tables of words."""
    return sorted(file for file in STATIC.joinpath("app").rglob("*.js") if file.parent.name != "words")


def imports(module: Path) -> list[Path]:
    """The files that a module imports."""
    return [(module.parent / name).resolve() for name in _IMPORT.findall(module.read_text())]


def reached(entry: Path = ENTRY) -> set[Path]:
    """All that a module needs to run: itself, its imports, and theirs."""
    found: set[Path] = set()
    waiting = [entry.resolve()]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(imports(module))
    return found


def words(language: str) -> dict[str, str | dict[str, str]]:
    """A table of words. Its file is JSON behind `export default`, so that translators need no JavaScript."""
    text = (STATIC / f"app/words/{language}.js").read_text()
    table: dict[str, str | dict[str, str]] = json.loads(text.removeprefix("export default ").rstrip().removesuffix(";"))
    return table


def forms(entry: str | dict[str, str]) -> list[str]:
    """All texts of an entry."""
    return [entry] if isinstance(entry, str) else list(entry.values())


def templates(text: str) -> list[str]:
    """The HTML of a module's templates, each expression in it replaced by a mark; those within others come as well."""
    return [_template(text, match.end()) for match in _TEMPLATE.finditer(text)]


def _template(text: str, at: int) -> str:
    out = []
    while text[at] != "`":
        if text.startswith("${", at):
            at = _after_expression(text, at + 2)
            out.append("\0")
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def _after_expression(text: str, at: int) -> int:
    depth = 1
    while depth:
        if text[at] == "`":
            at = _after_template(text, at + 1)
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at


def _after_template(text: str, at: int) -> int:
    while text[at] != "`":
        at = _after_expression(text, at + 2) if text.startswith("${", at) else at + 1
    return at + 1


def untranslated(text: str) -> list[str]:
    """Words in templates that do not come from a table: text between tags, and attributes that are read out."""
    found = []
    for template in templates(text):
        plain = re.sub(r"<code[^>]*>.*?</code>", "", template, flags=re.DOTALL)
        found += [one for one in re.findall(rf'\b(?:{"|".join(_SPOKEN)})="([^"]*)"', plain) if _wordy(one)]
        found += [one.strip() for one in re.sub(r"<[^>]*>", "\n", plain, flags=re.DOTALL).splitlines() if _wordy(one)]
    return found


def _wordy(text: str) -> bool:
    return bool(re.search(r"[A-Za-z]{2,}", text.replace("hetero", "")))
