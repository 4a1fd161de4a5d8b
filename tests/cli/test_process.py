"""A command run as if nobody stood between: a driver calls ``run``, and the tests are its supervisor."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hetero.cli import process

DEADLINE = 60
"""Seconds until a test gives up: nothing takes so long that works."""

DRIVER = """
import json, os, sys
from hetero.cli import process
asked = json.loads(sys.argv[1])
environment = {**os.environ, **asked.get("variables", {})}
code = process.run(asked["command"], environment, asked.get("inherited", ()), asked.get("directory"))
print("code", code, flush=True)
sys.exit(code)
"""

CATCHER = """
import os, signal, sys
wanted = {getattr(signal, one) for one in sys.argv[1:]}
for one in wanted:
    signal.signal(one, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
os.write(1, b"ready\\n")
while True:
    number = signal.sigwait(wanted)
    os.write(1, f"caught {number.name}\\n".encode())
    if number == signal.SIGTERM:
        sys.exit(7)
"""
"""Waits for signals instead of handling them: so none can come where it would be lost."""

LATE = """
import ctypes, functools, operator, os, select, signal
libc = ctypes.PyDLL(None)
todo = ["once"]

def late(real):
    def call(*words):
        if not todo or words[1:] == (os.WNOHANG,):
            return real(*words)
        todo.clear()
        # From C to C: Python has no moment to run a handler between the two.
        hit = functools.partial(libc.kill, os.getpid(), int(signal.SIGTERM))
        return list(map(operator.call, [hit, functools.partial(real, *words)]))[-1]
    return call

os.waitpid, select.select = late(os.waitpid), late(select.select)
"""
"""A signal that comes in the last moment before whatever waits for the command."""

Driver = subprocess.Popen[str]
Drive = Callable[..., Driver]


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Nothing is ignored, as where a terminal starts a program; in the background some are, from the start on."""
    ignored = [one for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_IGN]
    for one in ignored:
        signal.signal(one, signal.SIG_DFL)
    yield
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)


@pytest.fixture
def drive() -> Iterator[Drive]:
    """Starts the driver on a command; it and what it started are killed at the end of the test."""
    started: list[Driver] = []
    alarms: list[threading.Timer] = []

    def start(*command: str, inherited: tuple[int, ...] = (), before: str = "", **asked: object) -> Driver:
        words = json.dumps({"command": command, "inherited": inherited, **asked})
        driver = subprocess.Popen(
            [sys.executable, "-c", before + DRIVER, words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=inherited,
            start_new_session=True,
        )
        started.append(driver)
        alarms.append(threading.Timer(DEADLINE, _kill, [driver]))
        alarms[-1].start()
        return driver

    yield start
    for alarm, driver in zip(alarms, started, strict=True):
        alarm.cancel()
        _kill(driver)
        driver.communicate(timeout=DEADLINE)


def _kill(driver: Driver) -> None:
    """The driver and what it started."""
    if driver.poll() is None and driver.pid > 1:
        os.killpg(driver.pid, signal.SIGKILL)


@pytest.fixture
def answer(drive: Drive) -> Callable[..., tuple[int, str, str]]:
    """Runs the driver to its end: exit code, output, errors."""

    def run(*command: str, **asked: object) -> tuple[int, str, str]:
        driver = drive(*command, **asked)
        out, err = driver.communicate(timeout=DEADLINE)
        return driver.returncode, out, err

    return run


Answer = Callable[..., tuple[int, str, str]]


def _line(driver: Driver) -> str:
    assert driver.stdout
    return driver.stdout.readline().rstrip("\n")


def _catcher(drive: Drive, *names: str, before: str = "") -> Driver:
    driver = drive(sys.executable, "-c", CATCHER, *names, before=before)
    assert _line(driver) == "ready"
    return driver


# The exit code


@pytest.mark.parametrize("code", [0, 1, 2, 77, 126, 127, 255])
def test_the_exit_code_is_the_commands(answer: Answer, code: int) -> None:
    """Also those that hetero uses itself: the command's code is never translated."""
    assert answer("sh", "-c", f"exit {code}") == (code, f"code {code}\n", "")


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "SEGV", "USR1"])
def test_a_command_that_a_signal_ended_is_128_and_the_signal(answer: Answer, name: str) -> None:
    """As shells have it."""
    number = signal.Signals[f"SIG{name}"].value
    assert answer("sh", "-c", f"ulimit -c 0; kill -{name} $$")[0] == 128 + number


@pytest.mark.parametrize("command", ["hetero-no-such-command", "./hetero-no-such-command", "/no/such/command"])
def test_a_command_that_does_not_exist_is_127(answer: Answer, command: str) -> None:
    """One line with the word, and no traceback."""
    assert answer(command) == (127, "code 127\n", f"hetero: {command}: there is no such command\n")


@pytest.mark.parametrize(("make", "reason"), [("touch", "Permission denied"), ("mkdir", "Permission denied")])
def test_what_cannot_be_executed_is_126(answer: Answer, tmp_path: Path, make: str, reason: str) -> None:
    """A file without the permission, or a directory."""
    path = tmp_path / "thing"
    path.mkdir() if make == "mkdir" else path.touch(0o644)
    assert answer(str(path)) == (126, "code 126\n", f"hetero: {path}: cannot be executed: {reason}\n")


def test_a_file_that_is_no_program_is_126(answer: Answer, tmp_path: Path) -> None:
    """It has the permission, but the kernel cannot start it."""
    path = tmp_path / "thing"
    path.write_bytes(b"\0\1\2\3")
    path.chmod(0o755)
    assert answer(str(path)) == (126, "code 126\n", f"hetero: {path}: cannot be executed: Exec format error\n")


@pytest.mark.parametrize(
    ("words", "variables"),
    [(("true", "a\0b"), {}), (("tr\0ue",), {}), (("true",), {"A=B": "c"}), (("true",), {"A": "\0"})],
)
def test_what_no_program_can_be_given_is_126(answer: Answer, words: tuple[str, ...], variables: dict[str, str]) -> None:
    """A manifest can spell words and variables that the kernel cannot: one line, and no traceback."""
    code, out, err = answer(*words, variables=variables)
    assert (code, out) == (126, "code 126\n")
    assert err.startswith(f"hetero: {words[0]!r}: cannot be executed: ")
    assert err.count("\n") == 1


# What the command finds


def test_words_reach_the_command_as_they_are(answer: Answer) -> None:
    """No shell stands between: spaces, quotes, stars and empty words stay."""
    words = ["a b", "*", "", "'", '"', "$HOME", "ü", "--", "-x"]
    code, out, _ = answer(sys.executable, "-c", "import sys; print(sys.argv[1:])", *words)
    assert (code, out.splitlines()[0]) == (0, repr(words))


def test_the_environment_is_what_was_given(capfd: pytest.CaptureFixture[str]) -> None:
    """All of it, and nothing of this process's own."""
    assert process.run(["/usr/bin/env"], {"ONLY": "this"}) == 0
    assert capfd.readouterr().out == "ONLY=this\n"


def test_the_command_is_looked_up_in_the_given_path(answer: Answer, tmp_path: Path) -> None:
    """The program of the slice's ``PATH``, not of hetero's."""
    program = tmp_path / "only-here"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    assert answer("only-here")[0] == 127
    assert answer("only-here", variables={"PATH": str(tmp_path)}) == (0, "found\ncode 0\n", "")


def test_the_command_runs_where_it_was_told(answer: Answer, tmp_path: Path) -> None:
    """The directory of the manifest's container."""
    assert answer("pwd", directory=str(tmp_path))[1] == f"{tmp_path}\ncode 0\n"


def test_a_directory_that_does_not_exist_is_told_as_such(answer: Answer, tmp_path: Path) -> None:
    """It is not the command that is missing."""
    missing = str(tmp_path / "missing")
    assert answer("true", directory=missing)[::2] == (127, f"hetero: {missing}: there is no such directory\n")


def test_descriptors_are_inherited_when_they_are_named(answer: Answer) -> None:
    """The locks of the slice reach the command; other descriptors of hetero do not."""
    named, other = os.pipe()
    look = "import os, sys; print(*(os.path.exists(f'/dev/fd/{one}') for one in sys.argv[1:]))"
    try:
        words = (sys.executable, "-c", look, str(named), str(other))
        assert answer(*words, inherited=(named,))[1] == "True False\ncode 0\n"
        assert answer(*words)[1] == "False False\ncode 0\n"
    finally:
        os.close(named)
        os.close(other)


def test_input_output_and_errors_are_the_drivers_own() -> None:
    """Nothing is copied through hetero: a pipeline goes straight to the command."""
    driver = [sys.executable, "-c", DRIVER, '{"command": ["sh", "-c", "cat; echo wrong >&2"]}']
    found = subprocess.run(driver, input="hello\n", capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert (found.stdout, found.stderr) == ("hello\ncode 0\n", "wrong\n")


def test_a_broken_pipe_ends_the_command_as_it_would_alone(answer: Answer) -> None:
    """Python ignores SIGPIPE; a command must not inherit that."""
    assert answer("sh", "-c", "kill -PIPE $$")[0] == 128 + signal.SIGPIPE


# Signals


@pytest.mark.parametrize("number", process.FORWARDED, ids=lambda number: number.name)
def test_a_signal_reaches_the_command(drive: Drive, number: signal.Signals) -> None:
    """The command decides what a signal means; hetero waits for its end."""
    driver = _catcher(drive, number.name, "SIGTERM")
    driver.send_signal(number)
    assert _line(driver) == f"caught {number.name}"
    if number != signal.SIGTERM:
        driver.send_signal(signal.SIGTERM)
        assert _line(driver) == "caught SIGTERM"
    assert _line(driver) == "code 7"
    assert driver.wait(timeout=DEADLINE) == 7


def test_every_signal_of_many_reaches_the_command(drive: Drive) -> None:
    """Hetero forwards as often as it is asked."""
    driver = _catcher(drive, "SIGUSR1", "SIGTERM")
    for _ in range(20):
        driver.send_signal(signal.SIGUSR1)
        assert _line(driver) == "caught SIGUSR1"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1"])
def test_a_command_that_does_not_catch_a_signal_is_ended_by_it(drive: Drive, name: str) -> None:
    """And the exit code says so, as if the signal had gone to the command alone."""
    driver = drive("sh", "-c", "echo ready; exec sleep 600")
    assert _line(driver) == "ready"
    driver.send_signal(signal.Signals[name])
    assert driver.wait(timeout=DEADLINE) == 128 + signal.Signals[name]


def test_a_signal_before_the_command_is_not_lost(drive: Drive) -> None:
    """It is kept until there is somebody to send it to."""
    early = (
        "import os, signal, subprocess\n"
        "class Early(subprocess.Popen):\n"
        "    def __init__(self, *words, **named):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        super().__init__(*words, **named)\n"
        "subprocess.Popen = Early\n"
    )
    driver = drive("sleep", "600", before=early)
    assert driver.wait(timeout=DEADLINE) == 128 + signal.SIGTERM


def test_a_signal_right_before_the_waiting_is_not_lost(drive: Drive) -> None:
    """Passed on at once, not when the command has ended by itself: a supervisor's SIGTERM comes when it comes."""
    assert drive("sleep", "600", before=LATE).wait(timeout=DEADLINE) == 128 + signal.SIGTERM


def test_the_exit_code_is_known_where_ends_of_children_are_ignored(answer: Answer) -> None:
    """Who starts hetero may ignore SIGCHLD; the kernel would then throw the code away."""
    before = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    assert answer("sh", "-c", "exit 5", before=before)[0] == 5


def test_a_command_that_was_stopped_has_not_ended(drive: Drive) -> None:
    """The kernel tells of a stop as it tells of an end; continued, the command goes on to its own end."""
    code = "import os, signal, sys; os.kill(os.getpid(), signal.SIGSTOP); print('on', flush=True); sys.exit(3)"
    driver = drive(sys.executable, "-c", code)
    went_on = False
    for _ in range(DEADLINE * 100):  # the signal that continues it may come before it has stopped
        driver.send_signal(signal.SIGCONT)
        went_on = bool(select.select([driver.stdout], [], [], 0.01)[0])
        if went_on:
            break
    assert went_on
    assert _line(driver) == "on"
    assert driver.wait(timeout=DEADLINE) == 3


def test_waiting_leaves_nothing_behind() -> None:
    """Neither descriptors nor a place where signals are written: a plugin's command may run many."""
    open_ones = len(list(Path("/proc/self/fd").iterdir()))
    for command in ("true", "/no/such/command"):
        process.run([command], dict(os.environ))
    assert len(list(Path("/proc/self/fd").iterdir())) == open_ones
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    assert before == -1


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT"])
def test_a_signal_that_is_ignored_here_is_ignored_by_the_command(drive: Drive, name: str) -> None:
    """``nohup hetero run`` outlives its terminal, and a job in the background is not stopped by its keys."""
    driver = drive(
        *(sys.executable, "-c"),
        f"import signal; print(signal.getsignal(signal.{name}) == signal.SIG_IGN, flush=True)",
        before=f"import signal; signal.signal(signal.{name}, signal.SIG_IGN)\n",
    )
    assert _line(driver) == "True"


def test_an_ignored_signal_is_not_passed_on(drive: Drive) -> None:
    """The command has a handler of its own, and is still not woken: nobody sent it anything."""
    driver = _catcher(
        drive, "SIGHUP", "SIGTERM", before="import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    )
    driver.send_signal(signal.SIGHUP)
    driver.send_signal(signal.SIGTERM)
    assert _line(driver) == "caught SIGTERM"


def test_handlers_are_as_before_when_the_command_has_ended() -> None:
    """Whatever came of it: an end, or no start."""
    changed = (*process.FORWARDED, signal.SIGCHLD)
    before = {number: signal.getsignal(number) for number in changed}
    assert process.run(["true"], dict(os.environ)) == 0
    assert {number: signal.getsignal(number) for number in changed} == before
    assert process.run(["/no/such/command"], dict(os.environ)) == 127
    assert {number: signal.getsignal(number) for number in changed} == before


def test_a_key_reaches_the_command_once(tmp_path: Path) -> None:
    """The terminal sends its keys to all in the foreground; forwarded as well, the command would be hit twice."""
    code = (
        "import os, signal\n"
        "come, went = os.pipe()\n"  # a signal between a look and a pause is lost; a byte in a pipe is not
        "os.set_blocking(went, False)\n"
        "signal.set_wakeup_fd(went)\n"
        "for number in signal.SIGINT, signal.SIGTERM: signal.signal(number, lambda *_: None)\n"
        "print('ready', flush=True)\n"
        "seen = os.read(come, 1)\n"
        "print('hit', flush=True)\n"
        "while signal.SIGTERM not in seen: seen += os.read(come, 1)\n"  # after whatever hetero sent for the key
        "print('hits', seen.count(signal.SIGINT), flush=True)\n"
    )
    child, terminal = pty.fork()
    if child == 0:
        words = json.dumps({"command": [sys.executable, "-c", code]})
        os.execv(sys.executable, [sys.executable, "-c", DRIVER, words])
    try:
        said = _until(terminal, "ready")
        os.write(terminal, b"\x03")
        said += _until(terminal, "hit\r\n")
        assert child > 0
        os.kill(child, signal.SIGTERM)
        said += _until(terminal, "code")
        assert "hits 1" in said
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def _until(terminal: int, word: str) -> str:
    """What a terminal shows up to a word."""
    said = ""
    while word not in said:
        assert select.select([terminal], [], [], DEADLINE)[0], said
        said += os.read(terminal, 1024).decode()
    return said


def test_a_command_left_running_does_not_keep_hetero(answer: Answer, tmp_path: Path) -> None:
    """Hetero waits for the command, not for what the command left behind."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code, out, _ = answer("sh", "-c", 'exec >/dev/null 2>&1; cat "$0" & exit 3', str(gate))
    assert (code, out) == (3, "code 3\n")
    gate.write_text("end")  # would wait for ever if there were no reader any more


# What is done meanwhile


def test_a_chore_is_done_while_the_command_runs(tmp_path: Path) -> None:
    """Again and again, the first time at once; the command ends when it ends."""
    done: list[int] = []
    stop = tmp_path / "stop"

    def look() -> float:
        done.append(len(done))
        if len(done) == 3:
            stop.touch()
        return 0.01

    script = f"while [ ! -e {stop} ]; do sleep 0.01; done; exit 5"
    assert process.run(["sh", "-c", script], os.environ, chores=[process.Chore(look)]) == 5
    assert len(done) >= 3


def test_a_chore_does_not_keep_the_end_of_the_command_waiting(tmp_path: Path) -> None:
    """Its period is an hour; the exit code comes at once."""
    done: list[int] = []

    def look() -> float:
        done.append(len(done))
        return 3600

    assert process.run(["sh", "-c", "sleep 0.05; exit 6"], os.environ, chores=[process.Chore(look)]) == 6
    assert len(done) == 1


def test_each_chore_has_its_own_time(tmp_path: Path) -> None:
    """One that is done once an hour holds up none that is done at every moment."""
    done = {"often": 0, "seldom": 0}
    stop = tmp_path / "stop"

    def often() -> float:
        done["often"] += 1
        if done["often"] == 3:
            stop.touch()
        return 0.01

    def seldom() -> float:
        done["seldom"] += 1
        return 3600

    script = f"while [ ! -e {stop} ]; do sleep 0.01; done"
    chores = [process.Chore(seldom), process.Chore(often)]
    assert process.run(["sh", "-c", script], os.environ, chores=chores) == 0
    assert done["often"] >= 3
    assert done["seldom"] == 1
