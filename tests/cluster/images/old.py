"""The workload on an older C library, as images have it that were made years ago.

The oldest that there is to fetch is 2.31 (:mod:`tests.native.older` says where from and why); in it, as in 2.27 and
2.17, threads and ``dlopen`` are libraries of their own. That programs and the preload library ask for nothing newer
than 2.17 is read from the files, by a test.
"""

from __future__ import annotations

import platform
from pathlib import Path

from tests.cluster.images import workload
from tests.cluster.images.oci import Image
from tests.native import older


def image(compiled: Path) -> Image:
    """The workload on the older C library.

    Raises:
        older.Unavailable: There is none here, and none can be fetched.
    """
    root = older.system(platform.machine()).root
    base = workload.surroundings(compiled)
    for folder in ("lib", "lib64"):
        if (root / folder).exists():
            base.copy(root / folder, f"/{folder}")
    return Image("hetero/workload:old", [base, workload.programs()], command=["sleep"], env={"PATH": workload.SEARCHED})
