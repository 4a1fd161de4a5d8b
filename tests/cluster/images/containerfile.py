"""Reads a Containerfile, as far as ours go: stages, what is copied into them and run, and how containers start."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Copy:
    """A COPY.

    Attributes:
        sources: Paths of the repository, or of the stage that ``stage`` names.
        destination: The path in the image.
        stage: The earlier stage; "" for the repository.
    """

    sources: tuple[str, ...]
    destination: str
    stage: str


@dataclass
class Stage:
    """One stage.

    Attributes:
        base: What it starts from, as written: ``${BASE}``.
        name: What later stages call it; "" for the last.
        copies: In their order.
        runs: The commands, in their order, each on one line.
        env: Variables, as written.
        labels: As written.
        user: Who runs it; "" for the base's.
        folder: Where it starts; "" for the base's.
        entrypoint: The program and its first arguments.
        command: The arguments when none are given.
    """

    base: str
    name: str = ""
    copies: list[Copy] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = ""
    folder: str = ""
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def take(self, keyword: str, arguments: str) -> None:
        """Take one instruction.

        Raises:
            ValueError: It is none that we write.
        """
        if keyword == "COPY":
            self.copies.append(_copy(arguments))
        elif keyword == "RUN":
            self.runs.append(" ".join(arguments.split()))
        elif keyword in ("ENV", "LABEL"):
            (self.env if keyword == "ENV" else self.labels).update(_pairs(arguments))
        elif keyword in ("ENTRYPOINT", "CMD"):
            setattr(self, {"ENTRYPOINT": "entrypoint", "CMD": "command"}[keyword], json.loads(arguments))
        elif keyword in ("USER", "WORKDIR"):
            setattr(self, {"USER": "user", "WORKDIR": "folder"}[keyword], arguments)
        else:
            raise ValueError(f"{keyword} is no instruction that a Containerfile of ours has")


@dataclass(frozen=True)
class Containerfile:
    """All of it.

    Attributes:
        arguments: What the builder may give, with the defaults.
        stages: In their order; the last is the image.
    """

    arguments: dict[str, str]
    stages: list[Stage]

    @property
    def image(self) -> Stage:
        """The last stage."""
        return self.stages[-1]


def read(file: Path) -> Containerfile:
    """Read a file.

    Raises:
        ValueError: It has something that ours do not have.
    """
    found = Containerfile({}, [])
    for keyword, arguments in instructions(file.read_text()):
        if keyword == "ARG":
            found.arguments.update(_pairs(arguments))
        elif keyword == "FROM":
            base, _, name = arguments.partition(" AS ")
            found.stages.append(Stage(base.strip(), name.strip()))
        else:
            found.stages[-1].take(keyword, arguments)
    return found


def instructions(text: str) -> list[tuple[str, str]]:
    """Keyword and arguments of each instruction, those of several lines on one."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(keyword.upper(), arguments.strip()) for keyword, arguments in (line.split(None, 1) for line in whole)]


def _copy(arguments: str) -> Copy:
    words = shlex.split(arguments)
    options = [word for word in words if word.startswith("--")]
    *sources, destination = words[len(options) :]
    if any(not option.startswith("--from=") for option in options):
        raise ValueError(f"COPY {arguments}: --from= is the only option that a Containerfile of ours has")
    return Copy(tuple(sources), destination, options[0].removeprefix("--from=") if options else "")


def _pairs(arguments: str) -> dict[str, str]:
    return {key: value for key, _, value in (word.partition("=") for word in shlex.split(arguments))}
