"""A driver library exports exactly the symbols of its list that its version has: no more, no less.

usage: exports.py NM LIBRARY LIST VERSION
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(nm: str, library: str, rows: str, version: str) -> None:
    """End with exit code 1 and the difference, if there is one."""
    lines = Path(rows).read_text().splitlines()
    columns = [line.split("|") for line in lines if line.strip() and not line.startswith("#")]
    listed = {column[0].strip() for column in columns if int(column[2]) <= int(version)}
    output = subprocess.run([nm, "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in output.splitlines()}
    if listed != exported:
        sys.exit(f"not exported: {sorted(listed - exported)}; not in the list: {sorted(exported - listed)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
