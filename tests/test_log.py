"""Lines of the log: to standard error, from a level on, with what a stage is working on."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import threading
from datetime import datetime, timedelta

import pytest

from hetero import log


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


def test_nested_stages_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    """The inner stage's words beside the outer one's; afterwards, also after a failure, the outer one's alone."""
    log.configure("info", json=True)
    logger = log.logger("placement")
    with log.bound(pod="p", device="a"):
        with contextlib.suppress(RuntimeError), log.bound(device="b", node="n"):
            logger.info("inner")
            raise RuntimeError
        logger.info("outer")
    inner, outer = map(json.loads, capsys.readouterr().err.splitlines())
    assert {key: inner.get(key) for key in ("pod", "device", "node")} == {"pod": "p", "device": "b", "node": "n"}
    assert {key: outer.get(key) for key in ("pod", "device", "node")} == {"pod": "p", "device": "a", "node": None}


def test_threads_work_on_different_things(capsys: pytest.CaptureFixture[str]) -> None:
    """What one thread bound is not in another's lines."""
    log.configure("info", json=True)
    with log.bound(pod="p"):
        thread = threading.Thread(target=lambda: log.logger("monitoring").info("beside"))
        thread.start()
        thread.join()
    assert "pod" not in json.loads(capsys.readouterr().err)


@pytest.mark.parametrize("as_json", [True, False])
def test_an_event_is_one_line(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    """Whatever it carries, and without colours: a log is read by programs and through pipes."""
    log.configure("warning", json=as_json)
    log.logger("plugins").warning("skipped", reason="two\nlines", error="é")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_words_have_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """People see the same as machines: level, event, part and fields."""
    log.configure("warning")
    log.logger("plugins").warning("skipped", plugin="acme")
    line = capsys.readouterr().err
    for word in ("warning", "skipped", "part=plugins", "plugin=acme"):
        assert word in line


def test_the_last_word_on_the_level_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Loggers that were made before the settings were read follow them, too."""
    log.configure("error")
    logger = log.logger("early")
    log.configure("info")
    logger.info("heard")
    log.configure("error")
    logger.info("unheard")
    [line] = capsys.readouterr().err.splitlines()
    assert "unheard" not in line


def test_lines_go_where_standard_error_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that replaces standard error after the settings were read gets the lines."""
    log.configure("warning")
    logger = log.logger("late")
    caught = io.StringIO()
    monkeypatch.setattr(sys, "stderr", caught)
    logger.warning("moved")
    assert "moved" in caught.getvalue()


def test_times_are_of_one_zone(capsys: pytest.CaptureFixture[str]) -> None:
    """ISO 8601 in UTC: lines of two nodes can be put in order."""
    log.configure("warning", json=True)
    log.logger("x").warning("now")
    stamp = datetime.fromisoformat(json.loads(capsys.readouterr().err)["timestamp"])
    assert stamp.utcoffset() == timedelta(0)
