"""A page of docs/measurements that is there already: what another run of the same day leaves of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.figures import Figure
from tests.gpu import record
from tests.gpu.runs import ROOT

CARD = {"name": "Acme A1", "driver": "1.2.3", "memory_mib": "81920"}

PAGES = [path for path in sorted((ROOT / "docs/measurements").glob("nvidia-*.md")) if "| command |" in path.read_text()]


def write(directory: Path, parts: dict[str, float], command: str = "all", driver: str = "1.2.3") -> Path:
    """A run that saw one figure in each of these parts."""
    figures = {title: [Figure("seen", value, "ms")] for title, value in parts.items()}
    return record.write(figures, {**CARD, "driver": driver}, {"command": command, "PyTorch": "2.0"}, directory)


def parts(path: Path) -> dict[str, str]:
    """Title and figure of each part of a page, in order."""
    return {title: text.splitlines()[-1] for title, text in record.parse(path.read_text()).parts.items()}


def test_what_was_not_measured_again_stays(tmp_path: Path) -> None:
    """In its place, with its own figures; what is new comes behind it."""
    write(tmp_path, {"Memory": 1, "Cost": 2, "Compute": 3})
    path = write(tmp_path, {"Cost": 20, "Lending": 40})
    assert list(tmp_path.iterdir()) == [path]
    assert parts(path) == {
        "Memory": "| seen | 1 ms |  |  |",
        "Cost": "| seen | 20 ms |  |  |",
        "Compute": "| seen | 3 ms |  |  |",
        "Lending": "| seen | 40 ms |  |  |",
    }


@pytest.mark.parametrize(
    ("again", "command"),
    [({"Cost": 1.0}, "`all`, `cost`"), ({"Cost": 1.0, "Memory": 1.0}, "`cost`"), ({"Other": 1.0}, "`all`, `cost`")],
)
def test_the_page_names_the_commands_whose_figures_it_has(
    tmp_path: Path, again: dict[str, float], command: str
) -> None:
    """Each once, however often it was run; none of which nothing is left."""
    write(tmp_path, {"Memory": 1, "Cost": 2}, "`all`")
    for _ in range(2):
        path = write(tmp_path, again, "`cost`")
    assert record.parse(path.read_text()).facts["command"] == command


def test_words_that_somebody_added_stay_with_what_they_are_about(tmp_path: Path) -> None:
    """Those before the parts always; those of a part until it is measured again."""
    path = write(tmp_path, {"Memory": 1, "Cost": 2})
    text = path.read_text().replace("## Memory", "Of a quiet day.\n\n## Memory").replace("## Cost", "Odd.\n\n## Cost")
    path.write_text(text + "\nSlow.\n")
    write(tmp_path, {"Cost": 3})
    after = path.read_text()
    assert "Of a quiet day.\n\n## Memory" in after
    assert "| seen | 1 ms |  |  |\n\nOdd.\n\n## Cost" in after
    assert "Slow." not in after


def test_another_machine_has_a_page_of_its_own(tmp_path: Path) -> None:
    """A driver of another version measured none of what the page has; its next run finds its own page again."""
    first = write(tmp_path, {"Memory": 1})
    second = write(tmp_path, {"Cost": 2}, driver="4.5.6")
    assert write(tmp_path, {"Compute": 3}, driver="4.5.6") == second
    assert second.name == first.name.replace(".md", "-2.md")
    assert list(parts(first)) == ["Memory"]
    assert list(parts(second)) == ["Cost", "Compute"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_that_is_read_and_written_is_the_same(path: Path) -> None:
    """No run of one part changes a word of the others in the pages that there are."""
    text = path.read_text()
    assert record.spelled(text.splitlines()[0].removeprefix("# "), record.parse(text)) == text
