"""The words of the pages: both languages say everything, and nothing stands outside of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.modules import forms, modules, untranslated, words

EN, ZH = words("en"), words("zh-cn")
TEXT = "\n".join(module.read_text() for module in modules())
PARAMETER = re.compile(r"\{(\w+)\}")
LITERAL = re.compile(r"""["'`]([a-z][\w-]*(?:\.[\w-]+)*)["'`]""")
MADE = re.compile(r"t\(`([^`$]*)\$\{[^}]*\}`")


def used() -> set[str]:
    """The keys that modules name, whole or by what they begin with."""
    literal = set(LITERAL.findall(TEXT))
    made = tuple(MADE.findall(TEXT))
    return {key for key in EN if key in literal or (made and key.startswith(made))}


def test_both_languages_have_the_same_keys() -> None:
    """What one of them lacks would be shown in the other."""
    assert set(EN) == set(ZH)


@pytest.mark.parametrize("table", [EN, ZH])
def test_keys_are_sorted(table: dict[str, object]) -> None:
    """A translator finds a key in either table at once."""
    assert list(table) == sorted(table)


def test_a_translation_has_the_parameters_of_the_original() -> None:
    """A number that is left out would be missed by one half of the readers."""
    for key, entry in EN.items():
        wanted = set(PARAMETER.findall(forms(entry)[0]))
        for form in (*forms(entry), *forms(ZH[key])):
            assert set(PARAMETER.findall(form)) == wanted, key
            assert form.strip(), key


def test_forms_of_number_are_those_of_the_language() -> None:
    """English has one and other, Chinese has other alone."""
    assert all(set(entry) == {"one", "other"} for entry in EN.values() if isinstance(entry, dict))
    assert all(set(entry) == {"other"} for entry in ZH.values() if isinstance(entry, dict))
    assert {key for key, entry in EN.items() if isinstance(entry, dict)} == {
        key for key, entry in ZH.items() if isinstance(entry, dict)
    }


def test_the_translation_is_one() -> None:
    """Chinese where a reader of Chinese looks; what is a name in both may stay."""
    chinese = re.compile(r"[\u4e00-\u9fff]")
    assert [key for key, entry in ZH.items() if not chinese.search("".join(forms(entry)))] == ["column.pod"]


def test_every_key_is_used() -> None:
    """Nobody translates what nobody reads."""
    assert sorted(set(EN) - used()) == []


def test_every_key_that_is_asked_is_there() -> None:
    """A key that no table has would be shown as itself."""
    assert sorted(set(re.findall(r"""\bt\(\s*"([^"]+)\"""", TEXT)) - set(EN)) == []
    assert all(any(key.startswith(start) for key in EN) for start in MADE.findall(TEXT) if start)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_no_text_stands_in_a_module(module: Path) -> None:
    """What is read by people comes from a table."""
    assert untranslated(module.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "html`<p>Loading</p>`",
        'html`<p aria-label="Close">${x}</p>`',
        "html`<p>${many.map((one) => html`<b>${one} found</b>`)}</p>`",
        'html`<input placeholder="Search" />`',
    ],
)
def test_a_text_in_a_module_is_caught(text: str) -> None:
    """Between tags, in an attribute that is read out, and in a template within a template."""
    assert untranslated(text)


@pytest.mark.parametrize(
    "text", ['html`<p class="muted">${t("loading")} / <b>${n}</b> ·</p>`', "html`<code>kubectl</code>`"]
)
def test_what_is_no_language_is_none(text: str) -> None:
    """Names of classes, signs and commands are the same everywhere."""
    assert untranslated(text) == []
