"""`make cluster-down`: the cluster of `make cluster-up` ends, and nothing of it is left."""

from __future__ import annotations

import sys

from tests.cluster.standing import PLACE, Standing, Trouble


def main(standing: Standing) -> int:
    """End it and look whether anything is left; there may be none."""
    if not standing.place.exists():
        print("there is no cluster")
        return 0
    try:
        standing.down()
    except Trouble as trouble:
        print(trouble)
        return 1
    print("the cluster is down, and nothing of it is left")
    return 0


if __name__ == "__main__":
    sys.exit(main(Standing(PLACE)))
