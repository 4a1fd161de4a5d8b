"""Lines of the log: to standard error, from a level on, with what a stage is working on."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from hetero import log


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """Leave the process as a test found it."""
    yield
    log.configure()


def test_a_command_that_works_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Below warnings the default is silence, and nothing ever goes to standard output."""
    log.configure()
    log.logger("placement").info("placed")
    log.logger("placement").warning("crowded")
    out, err = capsys.readouterr()
    assert out == ""
    assert "crowded" in err
    assert "placed" not in err


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels_drop_what_is_below_them(capsys: pytest.CaptureFixture[str], level: str, lines: int) -> None:
    """Each level and all above it."""
    log.configure(level)
    logger = log.logger("test")
    for write in (logger.debug, logger.info, logger.warning, logger.error):
        write("event")
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_machines_get_an_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With the part, the level, the time and what was said."""
    log.configure("info", json=True)
    log.logger("placement").info("placed", node="n1")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["part"], line["level"], line["node"]) == ("placed", "placement", "info", "n1")
    assert "timestamp" in line


def test_a_stage_says_once_what_it_works_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line below carries it, and no line after."""
    log.configure("info", json=True)
    with log.bound(pod="default/p", node="n1"):
        log.logger("placement").info("inside")
    log.logger("placement").info("outside")
    inside, outside = map(json.loads, capsys.readouterr().err.splitlines())
    assert (inside["pod"], inside["node"]) == ("default/p", "n1")
    assert "pod" not in outside


def test_an_unknown_level_is_refused() -> None:
    """Settings refuse it with a sentence before it comes here."""
    with pytest.raises(KeyError):
        log.configure("loud")
