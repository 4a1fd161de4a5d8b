"""``hetero new-vendor``: writes a small working package for devices that hetero does not know yet."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from hetero.cli.context import Context
from hetero.errors import InvalidValue

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DOMAIN = re.compile(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST = 31

_TAKEN = (
    "annotations answer ask atexit before contextlib described dict faults garbage hookimpl identities illness int "
    "isinstance json list machine memory models monkeypatch name names os package pytest self shutil str "
    "surroundings tempfile vendor"
)
OURS = frozenset(_TAKEN.split())
"""Names in the files in which the vendor is a variable: one of such a name would stand in another's place."""

_SUFFIX = ".template"
_PLACES = {"package": "@module@", "test_package.py": "test_@word@.py", "values.yaml": "values-@name@.yaml"}
"""Files and folders of the template that go by the vendor's name."""

MARK = re.compile(r"@(\w+)@")
"""What is filled in: the name of one of the :func:`words`."""


@click.command("new-vendor")
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Where the package is written (default: ./hetero-NAME); it must not exist, or be empty.",
)
@click.option("--domain", metavar="DOMAIN", help="Of its resource names, e.g. acme.com (default: NAME.example).")
@click.pass_obj
def command(context: Context, name: str, directory: Path | None, domain: str | None) -> None:
    """Write a working package for the devices of vendor NAME.

    It has a fake driver (a file), passes the rules for vendors, and is yours to change.
    """
    _check_name(context, name)
    domain = domain or f"{name}.example"
    _check_domain(context, domain)
    place = directory or Path(f"hetero-{name}")
    for path in write(place, words(name, domain)):
        click.echo(path)


def words(name: str, domain: str) -> dict[str, str]:
    """What is filled into the template, by the name of its mark."""
    parts = name.split("-")
    word = "_".join(parts)
    return {
        "name": name,
        "word": word,
        "module": f"hetero_{word}",
        "NAME": word.upper(),
        "Title": " ".join(part.capitalize() for part in parts),
        "Class": "".join(part.capitalize() for part in parts),
        "domain": domain,
    }


def write(place: Path, filled: dict[str, str]) -> list[Path]:
    """Write the package and tell which files it has.

    Raises:
        InvalidValue: There is something already, or it cannot be written there.
    """
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InvalidValue("--directory", str(place), "is there already; name a directory that is not")
        return [_write(place / target, _fill(text, filled)) for target, text in sorted(_files(filled))]
    except OSError as error:
        reason = f"cannot be written: {error.strerror}; name another directory"
        raise InvalidValue("--directory", str(place), reason) from error


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _files(filled: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """Where each file of the template goes, below the package's directory, and its text."""

    def within(folder: Traversable, at: Path) -> Iterator[tuple[Path, str]]:
        for entry in folder.iterdir():
            name = entry.name.removesuffix(_SUFFIX)
            target = at / _fill(_PLACES.get(name, name), filled)
            if entry.is_dir():
                yield from within(entry, target)
            elif entry.name.endswith(_SUFFIX):
                yield target, entry.read_text(encoding="utf-8")

    return within(files("hetero.cli").joinpath("vendor_template"), Path())


def _fill(text: str, filled: dict[str, str]) -> str:
    return MARK.sub(lambda mark: filled[mark[1]], text)


def _check_name(context: Context, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        reason = (
            "is no name of a vendor; write lower-case letters, digits and single '-', a letter first, "
            f"at most {_LONGEST} characters"
        )
        raise InvalidValue("NAME", name, reason)
    if keyword.iskeyword(name) or name in OURS:
        raise InvalidValue("NAME", name, "is a word that the package's own files use; write a longer one")
    plugins = context.plugins
    taken = {*plugins.vendors, *plugins.failures}
    if name in taken or importlib.util.find_spec(f"hetero_{name.replace('-', '_')}") is not None:
        raise InvalidValue("NAME", name, "is taken by a package that is installed; write another")


def _check_domain(context: Context, domain: str) -> None:
    if not _DOMAIN.fullmatch(domain) or domain.endswith("kubernetes.io"):
        raise InvalidValue("--domain", domain, "is no domain for resources; write one of your own, e.g. acme.com")
    for vendor in context.plugins.vendors.values():
        if any(name.name.startswith(f"{domain}/") for family in vendor.resources for name in family.names()):
            raise InvalidValue("--domain", domain, f"is that of vendor {vendor.name!r}; write one of your own")
