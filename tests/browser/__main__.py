"""`make test-web`: the pages in a real browser, in front of `hetero dashboard` on a cluster in memory.

Where there is no Chromium it says so and fails: nothing was tested, and nothing is claimed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.browser import chromium

PLACES = (Path(__file__).parent, Path(__file__).parents[1] / "web")


def main(arguments: list[str]) -> int:
    """Run the tests of the pages; arguments are pytest's."""
    if not chromium.installed():
        print("there is no Chromium: apt-get install chromium, or name the program in HETERO_CHROMIUM", file=sys.stderr)
        return 2
    given = arguments if any(not word.startswith("-") for word in arguments) else [*map(str, PLACES), *arguments]
    return int(pytest.main(["-p", "no:cacheprovider", "-o", "python_files=page_*.py", "-q", *given]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
