"""What a user sees when something fails: one line for each problem, an exit code, and no traceback.

======  =====================================================
code    meaning
======  =====================================================
0       done
1       something failed that is not the user's doing
2       the input is wrong; the line says what to write instead
3       ``hetero plan``, ``hetero explain``: a pod finds no place
126     the command to run cannot be executed
127     the command to run does not exist
128+n   the command to run was ended by signal n
======  =====================================================
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
import unicodedata
from collections.abc import Callable
from typing import TextIO

import click

from hetero import log, metrics
from hetero.cli.main import INTERRUPTED
from hetero.errors import HeteroError, InvalidRequest, UserError

_log = log.logger("cli")

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk that is full, or of which a user has had his part."""

# Control characters, directions of writing, halves of characters, and ends of lines.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def guarded(action: Callable[[], int]) -> int:
    """Run ``action`` and turn whatever it raises into lines on standard error and an exit code."""
    try:
        code = action()
        _flush()  # what fails at exit, Python tells in its own words
        return code
    except HeteroError as error:
        return _told(error)
    except click.ClickException as error:
        return _misused(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return unread()
    except Exception as error:
        return _full(error) if isinstance(error, OSError) and error.errno in FULL else _defect(error)


def unread() -> int:
    """The exit code when the reader has what it wanted (``| head``); keeps Python from complaining at exit."""
    _drop(sys.stdout)
    return 0


def say(line: str) -> None:
    """One line for the user on standard error. When nobody reads there, the exit code must say it."""
    try:
        click.echo(f"hetero: {visible(' '.join(line.splitlines()))}", err=True)
    except OSError:
        _drop(sys.stderr)


def visible(text: str) -> str:
    """The text in one line, with escapes for what a terminal would obey instead of showing.

    A program names itself, and a driver words its errors: neither may clear the user's screen.
    """
    return "".join(
        sign.encode("unicode_escape").decode() if unicodedata.category(sign) in _UNSEEN else sign for sign in text
    )


def _told(error: HeteroError) -> int:
    if isinstance(error, UserError):
        metrics.refused_requests.add(type(error).__name__)
    problems = error.problems if isinstance(error, InvalidRequest) else (error,)
    for problem in problems:
        say(str(problem))
    return error.exit_code


def _misused(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is a page of help, of many lines
        click.echo(error.format_message(), err=True)
        return error.exit_code
    context = getattr(error, "ctx", None)
    hint = f" (see '{context.command_path} --help')" if context is not None else ""
    say(f"{error.format_message().rstrip('.')}{hint}")
    return error.exit_code


def _defect(error: Exception) -> int:
    say(f"an unexpected {type(error).__name__}: {error}; run again with --log-level debug to see where")
    _log.debug("unexpected error", trace=traceback.format_exc())
    _flush_or_drop()
    return 1


def _full(error: OSError) -> int:
    where = error.filename or "standard output, or a file of hetero,"
    say(f"{where} cannot be written: {error.strerror}; make room, or write elsewhere")
    _flush_or_drop()
    return 1


def _flush_or_drop() -> None:
    try:
        _flush()
    except OSError:  # the disk is full: said once is enough
        _drop(sys.stdout)


def _flush() -> None:
    if sys.stdout is not None:  # it is when whoever started this process closed it
        sys.stdout.flush()


def _drop(stream: TextIO) -> None:
    """Send what a stream still holds nowhere: it cannot be written, and would be tried again at exit."""
    with contextlib.suppress(OSError):  # without a descriptor nothing is tried again
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
