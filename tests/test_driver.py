"""The door to driver libraries: which file is opened, what is missing, and what a library may not tell."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import driver
from hetero.driver import ABSENT, NONSENSE, Library
from hetero.errors import DriverFailed, DriverMissing

SOURCE = """
static const char words[] = "  model W1 ";
int answer(int code) { return code; }
int number(void) { return NUMBER; }
const char *name(void) { return words; }
int serial(char *out) { out[0] = 'S'; out[1] = '1'; out[2] = 0; out[3] = 'x'; return 0; }
"""

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds a library, whose ``number()`` tells one from another, and which may need others."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "the native runtime needs a C compiler, and so does this test"

    def build(name: str = "libwidget.so.1", number: int = 1, needs: Path | None = None) -> Path:
        directory = tmp_path_factory.mktemp("driver")
        file, source = directory / name, directory / "widget.c"
        source.write_text(SOURCE)
        linked = ["-Wl,--no-as-needed", str(needs)] if needs else []
        command = [compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", f"-DNUMBER={number}", source, *linked]
        subprocess.run([*command, "-o", file], check=True, timeout=600)
        return file

    return build


@pytest.fixture(scope="module")
def widget(built: Build) -> Path:
    """The usual library."""
    return built()


FUNCTIONS: Mapping[str, tuple[object, ...]] = {
    "answer": (ctypes.c_int,),
    "number": (),
    "name": (),
    "serial": (ctypes.c_char_p,),
    "later": (),
}


def library(*names: str | Path, explain: Callable[[int], str] = str) -> Library:
    """The door to the first of these files."""
    return Library(
        [str(name) for name in names],
        "install the widget driver",
        FUNCTIONS,
        results={"name": ctypes.c_char_p},
        explain=explain,
    )


def failure(action: Callable[[], object]) -> DriverFailed:
    """What an action fails with."""
    with pytest.raises(DriverFailed) as caught:
        action()
    return caught.value


def test_nothing_is_opened_before_it_is_needed() -> None:
    """A vendor's module makes its library when it is imported, on machines without the chip as well."""
    assert library("libnowhere.so.9").names == ("libnowhere.so.9",)


@pytest.mark.parametrize("name", ["libnowhere.so.9", "/nowhere/libnowhere.so.9"])
def test_a_library_that_is_not_there_is_missing(name: str) -> None:
    """By its name or by its path: the file that was looked for and what to install."""
    with pytest.raises(DriverMissing, match=r"libnowhere.so.9 was not found: install the widget driver") as caught:
        library(name, "libelsewhere.so.9").open()
    assert caught.value.library == name


def test_a_library_is_found_once_it_is_installed(widget: Path, tmp_path: Path) -> None:
    """A process that was there first needs no restart."""
    file = tmp_path / "libwidget.so.1"
    waiting = library(file)
    with pytest.raises(DriverMissing):
        waiting.open()
    shutil.copy(widget, file)
    assert waiting.result("number") == 1


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF", b"\x7fELF" + bytes(200)])
def test_a_broken_file_is_no_missing_library(tmp_path: Path, content: bytes) -> None:
    """It was installed, and badly: installing it is not the advice; the loader's own words are told."""
    file = tmp_path / "libwidget.so.1"
    file.write_bytes(content)
    found = failure(library(file).open)
    assert found.code == ABSENT
    assert str(file) in str(found)


def test_a_library_of_another_machine_is_told_so(widget: Path, tmp_path: Path) -> None:
    """The driver of another architecture is there and cannot be used."""
    raw = bytearray(widget.read_bytes())
    raw[4] = 1 if raw[4] == 2 else 2  # the class: 32 bits for 64, and the other way round
    file = tmp_path / "libwidget.so.1"
    file.write_bytes(raw)
    assert "wrong ELF class" in failure(library(file).open).text


def test_a_library_whose_own_library_is_missing_is_not_missing_itself(built: Build) -> None:
    """The loader says "No such file" of the other one: the user must read which."""
    needed = built("libneeded.so.3")
    file = built("libneeding.so.1", needs=needed)
    needed.unlink()
    assert "libneeded.so.3" in failure(library(file).open).text


def test_a_directory_is_no_library(tmp_path: Path) -> None:
    """Mounting a file that the host lacks leaves one behind."""
    (tmp_path / "libwidget.so.1").mkdir()
    assert failure(library(tmp_path / "libwidget.so.1").open).code == ABSENT


def test_the_next_name_is_tried_when_there_is_none_of_the_first(built: Build) -> None:
    """Drivers rename their files between versions; the first that is there serves."""
    second, third = built("libwidget.so.2", number=2), built("libwidget.so.3", number=3)
    assert library("libnowhere.so.9", second, third).result("number") == 2


def test_a_broken_first_name_is_not_passed_over(widget: Path, tmp_path: Path) -> None:
    """Taking an older file beside a broken one would hide the breakage."""
    (tmp_path / "libbroken.so.1").write_text("text")
    assert failure(library(tmp_path / "libbroken.so.1", widget).open).code == ABSENT


def test_directories_of_the_variable_come_before_the_loaders(
    built: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order; one without the library, or that is not there, is passed over."""
    first, second = built(number=11), built(number=12)
    monkeypatch.setenv(driver.PATH, f":{tmp_path}::/nowhere:{first.parent}:{second.parent}")
    assert library("libwidget.so.1").result("number") == 11


def test_every_name_is_tried_in_a_directory_before_the_next(built: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names a directory means the driver in it, whatever that one calls itself."""
    older, newer = built("libwidget.so.0", number=20), built("libwidget.so.1", number=21)
    monkeypatch.setenv(driver.PATH, f"{older.parent}:{newer.parent}")
    assert library("libwidget.so.1", "libwidget.so.0").result("number") == 20


def test_a_broken_library_of_the_variable_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was named on purpose: another one must not be taken instead of it."""
    (tmp_path / "libm.so.6").write_text("text")
    monkeypatch.setenv(driver.PATH, str(tmp_path))
    assert str(tmp_path) in failure(library("libm.so.6").open).text


@pytest.mark.parametrize("variable", ["", ":", "/nowhere"])
def test_a_variable_without_directories_changes_nothing(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader finds what it always finds."""
    monkeypatch.setenv(driver.PATH, variable)
    found = Library(["libm.so.6"], "install it", {"abs": (ctypes.c_int,)})
    assert found.result("abs", -3) == 3


def test_a_function_of_another_version_is_named() -> None:
    """The sentence has the function and the file, and its code tells it from the library's own errors."""
    found = failure(lambda: library("libm.so.6").call("later"))
    assert (found.call, found.code) == ("later", ABSENT)
    assert str(found) == "later answered -1 (libm.so.6 does not have it: another version)"


def test_functions_of_other_libraries_are_not_taken_for_its_own(widget: Path) -> None:
    """What the process has loaded already is no answer to what this version of the library has."""
    assert library(widget).has("answer")
    assert not library(widget).has("later")
    assert not library(widget).has("Py_Initialize")


def test_codes_become_errors_in_the_librarys_words(widget: Path) -> None:
    """0 is success; anything else has the function, the code and what it means."""
    door = library(widget, explain=lambda code: f"error number {code}")
    door.call("answer", 0)
    found = failure(lambda: door.call("answer", 7))
    assert (found.call, found.code, found.text) == ("answer", 7, "error number 7")
    assert str(found) == "answer answered 7 (error number 7)"


@given(code=st.integers(-(2**31), 2**31 - 1))
def test_any_code_but_0_is_an_error(widget: Path, code: int) -> None:
    """Negative ones as well: they are common, and must not wrap around."""
    door = library(widget)
    if code == 0:
        assert door.call("answer", code) is None  # type: ignore[func-returns-value]
    else:
        assert failure(lambda: door.call("answer", code)).code == code


def test_results_that_are_no_codes_are_as_declared(widget: Path) -> None:
    """A pointer to characters is no int, of which half the bits were lost."""
    assert library(widget).result("name") == b"  model W1 "
    assert library(widget).result("answer", -5) == -5


def test_optional_functions_may_be_lacking(widget: Path) -> None:
    """Not there, or there and saying that the chip cannot: both are "no"; any other code is an error."""
    door = library(widget)
    assert door.optional("answer", 0)
    assert not door.optional("later")
    assert not door.optional("answer", 3, lacking=(3, 4))
    assert failure(lambda: door.optional("answer", 5, lacking=(3, 4))).code == 5


def test_a_missing_library_is_no_lacking_function() -> None:
    """What the driver cannot say is another matter than that there is none."""
    with pytest.raises(DriverMissing):
        library("libnowhere.so.9").optional("answer", 0)


def test_the_file_that_was_opened_is_told(widget: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its directory, also where only its name was given: a user must see which of two was taken."""
    assert library(widget).path == str(widget)
    monkeypatch.setenv(driver.PATH, str(widget.parent))
    assert library("libwidget.so.1").path == str(widget)
    assert library("libm.so.6").path.startswith("/")
    assert Path(library("libm.so.6").path).name.startswith("libm")


def test_threads_open_a_library_once(widget: Path) -> None:
    """Discovery and the command's own thread may come together."""
    door, opened = library(widget), []
    threads = [threading.Thread(target=lambda: opened.append(door.open())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 8
    assert len({id(one) for one in opened}) == 1


def test_text_ends_where_c_ends_it(widget: Path) -> None:
    """What stands behind the zero byte is what was there before; blanks around a name are no part of it."""
    buffer = ctypes.create_string_buffer(b"garbage that was there", 32)
    library(widget).call("serial", buffer)
    assert driver.text(buffer) == "S1"
    assert driver.text(library(widget).result("name")) == "model W1"
    assert driver.text(None) == ""


@given(st.binary(max_size=40))
def test_any_bytes_become_text(raw: bytes) -> None:
    """A library that writes garbage, or no end, breaks nothing; what is text arrives unchanged."""
    found = driver.text((ctypes.c_char * len(raw)).from_buffer_copy(raw) if raw else b"")
    assert "\0" not in found
    assert found == found.strip()
    assert found == raw.split(b"\0")[0].decode(errors="replace").strip()


@given(st.binary(max_size=60))
def test_what_people_are_shown_is_printable_or_nonsense(raw: bytes) -> None:
    """Nothing that a terminal would obey or could not show comes through, not in the error either."""
    buffer = (ctypes.c_char * (len(raw) + 1)).from_buffer_copy(raw + b"\0")
    told = driver.text(buffer)
    if all(" " <= character <= "~" for character in told):
        assert driver.printable("ask", "the version", buffer) == told
        return
    found = failure(lambda: driver.printable("ask", "the version", buffer))
    assert (found.call, found.code) == ("ask", NONSENSE)
    assert found.text == f"it told {told[:40]!a} as the version, which is no text"
    assert all(" " <= character <= "~" for character in str(found))


def test_a_version_may_be_empty() -> None:
    """What a library does not tell is for its caller to judge: no pointer and an empty array are no nonsense."""
    assert driver.printable("ask", "the version", None) == ""
    assert driver.printable("ask", "the version", ctypes.create_string_buffer(8)) == ""


@given(value=st.integers(-(2**63), 2**63 - 1), low=st.integers(-100, 100), width=st.integers(0, 1000))
def test_a_number_is_within_or_nonsense(value: int, low: int, width: int) -> None:
    """Both ends included; the sentence has the call, what was told and what it can be."""
    if low <= value <= low + width:
        assert driver.within("ask", "memory", value, low, low + width) == value
        return
    found = failure(lambda: driver.within("ask", "memory", value, low, low + width))
    assert (found.call, found.code) == ("ask", NONSENSE)
    assert found.text == f"it told {value} as memory, which is from {low} to {low + width}"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "/sys/class/widget"),
        ({"HETERO_HOST_ROOT": "/host"}, "/host/sys/class/widget"),
        ({"HETERO_HOST_ROOT": "/host", "HETERO_HOST_ROOT_ACME_TWO": "/sim"}, "/sim/sys/class/widget"),
        ({"HETERO_HOST_ROOT": "/host", "HETERO_HOST_ROOT_OTHER": "/sim"}, "/host/sys/class/widget"),
        ({"HETERO_HOST_ROOT": "", "HETERO_HOST_ROOT_ACME_TWO": ""}, "/sys/class/widget"),
    ],
)
def test_the_machine_is_looked_at_where_it_is_mounted(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor's own variable wins over that for all; an empty one is as good as none."""
    for name in ("HETERO_HOST_ROOT", "HETERO_HOST_ROOT_ACME_TWO"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert driver.host("acme-two", "/sys/class/widget") == Path(expected)


@given(parts=st.lists(st.text("abz09-_", min_size=1, max_size=6), min_size=1, max_size=4))
def test_every_path_of_the_machine_is_below_its_root(parts: list[str]) -> None:
    """However many slashes it begins with: an absolute path must not lead out of the mounted machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HETERO_HOST_ROOT_ACME", "/host")
        for slashes in ("/", "//", "///"):
            assert driver.host("acme", slashes + "/".join(parts)) == Path("/host", *parts)
